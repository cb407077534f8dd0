"""JSON Schemas of the files, for editors and other programs; ``schemas/`` holds them in print."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Literal

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from packer.plan import plan as plan_module
from packer.spec.fleet_schema import FleetEntry
from packer.spec.inventory_schema import InventoryEntry
from packer.spec.plan_types import plan_schema
from packer.spec.price_book_schema import PriceBookEntry
from packer.spec.strict_model import StrictModel
from packer.spec.sweep_schema import SweepEntry

DIALECT = "https://json-schema.org/draft/2020-12/schema"

SchemaKind = Literal["fleet", "inventory", "plan", "price-book", "sweep"]
SCHEMA_KINDS: tuple[SchemaKind, ...] = ("fleet", "inventory", "plan", "price-book", "sweep")

_ATTRIBUTE = re.compile(r"(?:^|(?<=[.;]) )(\w+(?:, \w+)*): ")


_ENTRIES: Mapping[str, type[StrictModel]] = {
    "fleet": FleetEntry,
    "inventory": InventoryEntry,
    "price-book": PriceBookEntry,
    "sweep": SweepEntry,
}


class _Generator(GenerateJsonSchema):
    """Money is a JSON number in our files, never text."""

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        return {"type": "number"}


@cache
def json_schema(kind: SchemaKind) -> Mapping[str, Any]:
    """JSON Schema (draft 2020-12) of one kind of file; made once, as refusals ask for it."""
    if kind == "plan":
        schema = plan_schema(_Generator)
        _describe_attributes(schema)
    else:
        schema = _ENTRIES[kind].model_json_schema(schema_generator=_Generator)
        _hide_null(schema)
    schema["title"] = kind.replace("-", " ").capitalize()
    _tidy(schema)
    return {"$schema": DIALECT, **schema}


def format_schema(kind: SchemaKind) -> str:
    """The schema as the text of its file."""
    return json.dumps(json_schema(kind), indent=2, ensure_ascii=False) + "\n"


def _tidy(schema: Any) -> None:
    """Leave out what only repeats a key's name, and unwrap descriptions."""
    if isinstance(schema, list):
        for item in schema:
            _tidy(item)
    if not isinstance(schema, dict):
        return
    if isinstance(schema.get("description"), str):
        schema["description"] = " ".join(schema["description"].split())
    for property_ in schema.get("properties", {}).values():
        property_.pop("title", None)
    for value in schema.values():
        _tidy(value)


def _hide_null(schema: dict[str, Any]) -> None:
    """A key without value counts as left out; editors need not suggest null."""
    for definition in (schema, *schema["$defs"].values()):
        for key, part in definition.get("properties", {}).items():
            if isinstance(part.get("default"), dict):
                del part["default"]
            options = [o for o in part.get("anyOf", ()) if o != {"type": "null"}]
            if len(options) == 1 and part.get("default", ...) is None:
                words = {k: v for k, v in part.items() if k not in ("anyOf", "default")}
                definition["properties"][key] = options[0] | words


def _describe_attributes(schema: dict[str, Any]) -> None:
    """Move the Attributes section of each dataclass docstring to its properties."""
    for definition in (schema, *schema["$defs"].values()):
        docstring = getattr(plan_module, definition["title"], None).__doc__ or ""
        summary, _, attributes = docstring.partition("Attributes:")
        definition["description"] = summary.strip()
        for name, text in attribute_descriptions(attributes):
            if name in definition.get("properties", {}):
                definition["properties"][name]["description"] = text


def attribute_descriptions(section: str) -> Iterator[tuple[str, str]]:
    """Names and texts of a Google-style Attributes section, several of which may share a line."""
    parts = _ATTRIBUTE.split(" ".join(section.split()))
    for names, text in zip(parts[1::2], parts[2::2], strict=True):
        for name in names.split(", "):
            yield name, text.strip()


def schema_at(schema: Mapping[str, Any], path: tuple[str | int, ...]) -> Mapping[str, Any]:
    """Part of a JSON Schema that describes the value at a path; empty if none does."""
    part = _resolved(schema, schema)
    for step in path:
        part = next(
            (
                found
                for option in _options(schema, part)
                if (found := _step(schema, option, step)) is not None
            ),
            {},
        )
    return part


def _resolved(schema: Mapping[str, Any], part: Mapping[str, Any]) -> Mapping[str, Any]:
    """A part with what it refers to filled in; what stands beside the reference wins."""
    while "$ref" in part:
        target = schema["$defs"][part["$ref"].rpartition("/")[2]]
        part = target | {key: value for key, value in part.items() if key != "$ref"}
    return part


def _options(schema: Mapping[str, Any], part: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield part
    for option in (*part.get("anyOf", ()), *part.get("oneOf", ())):
        yield _resolved(schema, option)


def _step(
    schema: Mapping[str, Any], part: Mapping[str, Any], step: str | int
) -> Mapping[str, Any] | None:
    found = part.get("items") if isinstance(step, int) else part.get("properties", {}).get(step)
    if found is None and isinstance(step, str):
        found = part.get("additionalProperties") or None
    return None if found is None else _resolved(schema, found)
