"""plan.json: written with the same bytes for the same plan, and read without trust."""

import hashlib
from dataclasses import is_dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from packer.errors import InvalidInput, Location, Problem
from packer.plan.plan import API_VERSION, Plan
from packer.plan.plan_fields import written_fields
from packer.spec.document import decode, locate
from packer.spec.json_text import InvalidJson, format_json, parse_json
from packer.spec.nodes import Mark
from packer.spec.plan_checks import plan_problems
from packer.spec.plan_types import plan_adapter
from packer.spec.problems import MOST_PROBLEMS, more_problems, shown_path

_RUN = "run"


def format_plan(plan: Plan) -> str:
    """Text of a plan file: fields in the order of the dataclasses, money as exact numbers."""
    return format_json(_plain(plan))


def content_sha256(plan: Plan) -> str:
    """SHA-256 of a plan without ``run``, the facts of the machine and the clock."""
    content = {key: value for key, value in _plain(plan).items() if key != _RUN}
    return hashlib.sha256(format_json(content).encode()).hexdigest()


def read_plan(text: str | bytes, file: str) -> Plan:
    """The plan of a plan file.

    Raises:
        InvalidInput: It is not JSON, of another version or kind, not exactly a plan, or it
            contradicts itself.
    """
    text = decode(text, file) if isinstance(text, bytes) else text
    try:
        values = parse_json(text)
    except InvalidJson as error:
        raise InvalidInput(_not_json(error, text, file)) from error
    heading = _heading_problem(values, file)
    if heading:
        raise InvalidInput(heading)
    try:
        # The text tells types strictly; the parsed values keep decimals exact.
        plan_adapter(strict=True).validate_json(f"[{text}]")
        plan = plan_adapter(strict=False).validate_python((values,))[0]
    except ValidationError as error:
        raise InvalidInput(_shape_problems(error, file)) from error
    contradictions = plan_problems(plan, file)
    if contradictions:
        raise InvalidInput(contradictions[:MOST_PROBLEMS])
    return plan


def _not_json(error: InvalidJson, text: str, file: str) -> Problem:
    where = Location(file)
    if error.offset is not None:
        line = text.count("\n", 0, error.offset) + 1
        column = error.offset - text.rfind("\n", 0, error.offset)
        where = locate(file, text.split("\n"), Mark(line, column))
    help_ = "plan files are written by gpu-packer plan --out; make a new one"
    return Problem("P0801", "the file is not a plan's JSON", where, str(error), help_)


def _heading_problem(values: object, file: str) -> Problem | None:
    """A wrong kind or version is said before anything else, as all else follows from it."""
    given = values if isinstance(values, dict) else {}
    version, kind = given.get("apiVersion"), given.get("kind")
    if version == API_VERSION and kind == "Plan":
        return None
    why = f"apiVersion is {_shown(version)} and kind is {_shown(kind)}"
    help_ = f"this gpu-packer reads apiVersion {API_VERSION}, kind Plan; plan again with it"
    return Problem("P0802", "this is no plan of a known version", Location(file), why, help_)


def _shown(value: object) -> str:
    return value[:40] if isinstance(value, str) and value.isprintable() else "missing"


def _shape_problems(error: ValidationError, file: str) -> list[Problem]:
    details = error.errors(include_url=False, include_input=False)
    problems = [_shape_problem(detail, file) for detail in details[:MOST_PROBLEMS]]
    rest = len(details) - len(problems)
    return [*problems, more_problems(rest, file)] if rest else problems


def _shape_problem(detail: ErrorDetails, file: str) -> Problem:
    path = shown_path(detail["loc"][1:])
    unknown = "unexpected" in detail["type"]
    why = f"{path} is unknown to this version" if unknown else f"{path}: {detail['msg']}"
    help_ = "plan files are not edited by hand; make a new one with gpu-packer plan --out"
    return Problem("P0803", "the file has not the form of a plan", Location(file), why, help_)


def _plain(value: Any) -> Any:
    """Dataclasses as mappings with apiVersion and kind first and ``run`` last."""
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if not is_dataclass(value):
        return value
    ordered = sorted(
        written_fields(value), key=lambda name: (name not in ("apiVersion", "kind"), name == _RUN)
    )
    return {name: _plain(getattr(value, name)) for name in ordered}
