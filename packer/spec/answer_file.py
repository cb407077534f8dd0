"""Saved answers of compare, risk, sweep and apply, read back without trust."""

from functools import cache
from types import GenericAlias
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from packer.errors import InvalidInput, Location, Problem
from packer.plan.comparison import FleetComparison
from packer.plan.plan import API_VERSION
from packer.plan.risk import Risk
from packer.plan.rollout.record import AppliedChange
from packer.plan.sweep import Sweep
from packer.spec.json_text import InvalidJson, parse_json

SavedAnswer = AppliedChange | FleetComparison | Risk | Sweep
KINDS: dict[str, type[SavedAnswer]] = {
    "AppliedChange": AppliedChange,
    "FleetComparison": FleetComparison,
    "Risk": Risk,
    "Sweep": Sweep,
}


@cache
def _adapter(kind: str) -> TypeAdapter[tuple[Any]]:
    """The one-element tuple hands the configuration down to plain dataclasses."""
    config = ConfigDict(extra="forbid", allow_inf_nan=False)
    shape: Any = GenericAlias(tuple, (KINDS[kind],))
    return TypeAdapter(shape, config=config)


def read_saved_answer(text: str, file: str) -> SavedAnswer:
    """The comparison, risk, sweep or change of a file.

    Raises:
        InvalidInput: It holds none of them, or one of another version.
    """
    try:
        values = parse_json(text)
    except InvalidJson as error:
        raise _refused(file, str(error)) from error
    head = values if isinstance(values, dict) else {}
    kind = head.get("kind")
    if head.get("apiVersion") != API_VERSION or not isinstance(kind, str) or kind not in KINDS:
        raise _refused(file, f"kind is {str(kind)[:40]!r}")
    try:
        found: SavedAnswer = _adapter(kind).validate_python((values,))[0]
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"][1:]))
        raise _refused(file, f"{place}: {first['msg']}") from error
    return found


def _refused(file: str, why: str) -> InvalidInput:
    title = "this is nothing that a report can show beside a plan"
    help_ = "name what compare, risk or apply wrote to --out, or the sweep.json of a sweep"
    return InvalidInput(Problem("P0810", title, Location(file), why, help_))
