"""One answer of a sweep as a file, so that an interrupted sweep goes on where it was."""

from functools import cache

from pydantic import ConfigDict, TypeAdapter, ValidationError

from packer.plan.plan import API_VERSION
from packer.plan.plan_fields import plain_values
from packer.plan.sweep import Answer
from packer.spec.json_text import InvalidJson, format_json, parse_json

KIND = "ScenarioAnswer"


@cache
def _adapter() -> TypeAdapter[tuple[Answer]]:
    return TypeAdapter(tuple[Answer], config=ConfigDict(extra="forbid", allow_inf_nan=False))


def format_answer(input_sha256: str, answer: Answer, seconds: float, created: str) -> str:
    """Text of a kept answer; ``run`` says when it was computed and how long that took [s]."""
    return format_json(
        {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "input_sha256": input_sha256,
            "answer": plain_values(answer),
            "run": {"created": created, "seconds": seconds},
        }
    )


def read_answer(text: str, input_sha256: str) -> Answer | None:
    """The answer a text keeps for these inputs; None if it does not, for whatever reason.

    A damaged file is no error: the answer is computed anew.
    """
    try:
        values = parse_json(text)
        head = (values["apiVersion"], values["kind"], values["input_sha256"])
        if head != (API_VERSION, KIND, input_sha256):
            return None
        return _adapter().validate_python((values["answer"],))[0]
    except (InvalidJson, ValidationError, KeyError, TypeError):
        return None
