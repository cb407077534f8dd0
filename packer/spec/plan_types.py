"""plan.json as pydantic sees it: the dataclasses of ``packer.plan.plan``, with nothing added."""

from functools import cache
from typing import Any

from pydantic import ConfigDict, TypeAdapter

from packer.plan.plan import API_VERSION, Plan


@cache
def plan_adapter(*, strict: bool) -> TypeAdapter[tuple[Plan]]:
    """Reader of a list with one plan.

    The one-element tuple is there because pydantic hands its configuration (no unknown keys) down
    to plain dataclasses only from a type that is not one itself. Built on first use: only
    commands that read plans pay for it.
    """
    config = ConfigDict(extra="forbid", strict=strict, allow_inf_nan=False)
    return TypeAdapter(tuple[Plan], config=config)


def plan_schema(generator: Any) -> dict[str, Any]:
    """JSON Schema of one plan, with the definitions of its parts."""
    adapter = plan_adapter(strict=True)
    schema = adapter.json_schema(schema_generator=generator)
    definitions: dict[str, Any] = schema["$defs"]
    top: dict[str, Any] = definitions.pop("Plan")
    for key, only in (("apiVersion", API_VERSION), ("kind", "Plan")):
        top["properties"][key] = {"const": only}
        top["required"].insert(0, key)
    return {"$defs": definitions, **top}
