"""The published JSON Schemas: current, valid, agreeing with the readers, all documented."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from packer.spec.json_schema import (
    SCHEMA_KINDS,
    SchemaKind,
    attribute_descriptions,
    format_schema,
    json_schema,
    schema_at,
)
from packer.spec.plan_file import format_plan
from tests.sample_plans import company_plan, tiny_plan


@cache
def validator(kind: SchemaKind) -> Draft202012Validator:
    return Draft202012Validator(json_schema(kind))


def _typed(text: str) -> Any:
    return json.loads(json.dumps(yaml.safe_load(text), default=str))


@pytest.mark.parametrize("kind", SCHEMA_KINDS)
def test_the_published_schema_is_current(kind: SchemaKind) -> None:
    published = Path(f"schemas/{kind}.schema.json")
    command = f"gpu-packer schema {kind} > {published}"
    assert published.read_text() == format_schema(kind), f"make it anew: {command}"


@pytest.mark.parametrize("kind", SCHEMA_KINDS)
def test_the_schema_is_one(kind: SchemaKind) -> None:
    schema = json_schema(kind)
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"] == kind.replace("-", " ").capitalize()
    assert schema["description"]


@pytest.mark.parametrize("kind", ["fleet", "inventory"])
def test_examples_pass_their_schema(kind: SchemaKind) -> None:
    text = Path(f"tests/data/spec/{kind}.yaml").read_text()
    assert not [error.message for error in validator(kind).iter_errors(_typed(text))]


@pytest.mark.parametrize("plan", [company_plan, tiny_plan])
def test_plans_pass_their_schema(plan: Any) -> None:
    values = json.loads(format_plan(plan()))
    assert not [error.message for error in validator("plan").iter_errors(values)]


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("fleet", ("workloads", 0, "context"), "24GB"),
        ("fleet", ("workloads", 0, "slots"), 257),
        ("fleet", ("workloads", 0, "slots"), 1.5),
        ("fleet", ("workloads", 0, "demand"), {"rate": 1}),
        ("fleet", ("workloads", 0, "name"), "Chat"),
        ("fleet", ("defaults", "cacheTypes"), ["q8"]),
        ("fleet", ("metadata",), {}),
        ("fleet", ("kind",), "Inventory"),
        ("inventory", ("nodePools", 0, "gpusPerNode"), 0),
        ("inventory", ("nodePools", 0, "sharing"), "mps"),
        ("inventory", ("nodePools", 0, "hostMemory"), "24GB"),
        ("inventory", ("nodePools", 2, "gpu", "memori"), "1Gi"),
        ("inventory", ("nodePools", 0, "pricePerHour"), 0),
        ("plan", ("cards",), "9"),
        ("plan", ("apiVersion",), "gpu-packer/v2"),
        ("plan", ("placements", 0, "colour"), "red"),
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(
    kind: SchemaKind, path: tuple[str | int, ...], value: object
) -> None:
    if kind == "plan":
        document = json.loads(format_plan(company_plan()))
    else:
        document = _typed(Path(f"tests/data/spec/{kind}.yaml").read_text())
    part = document
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = value
    assert list(validator(kind).iter_errors(document))


def keys_of(kind: SchemaKind) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every key of a schema: what it belongs to, its name, its description."""
    schema = json_schema(kind)
    for definition in (schema, *schema.get("$defs", {}).values()):
        for key, part in definition.get("properties", {}).items():
            yield definition["title"], key, part


@pytest.mark.parametrize("kind", ["fleet", "inventory"])
def test_every_key_is_described_for_editors(kind: SchemaKind) -> None:
    schema = json_schema(kind)
    for owner, key, part in keys_of(kind):
        described = "description" in schema_at({**schema, "properties": {key: part}}, (key,))
        assert described, f"{owner}.{key} has no docstring"


@pytest.mark.parametrize("kind", ["fleet", "inventory"])
def test_every_key_is_documented(kind: SchemaKind) -> None:
    page = Path(f"docs/{kind}-file.md").read_text()
    documented = set(re.findall(r"`(\w+)`", page)) | set(re.findall(r"[{ ](\w+)[,}]", page))
    missing = {f"{owner}.{key}" for owner, key, _ in keys_of(kind) if key not in documented}
    assert not missing


@pytest.mark.parametrize("kind", ["fleet", "inventory"])
def test_documented_keys_exist(kind: SchemaKind) -> None:
    page = Path(f"docs/{kind}-file.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    known = {key for _, key, _ in keys_of(kind)}
    assert len(rows) > 10
    assert set(rows) <= known


@pytest.mark.parametrize("kind", ["fleet", "inventory"])
def test_the_example_of_the_page_passes_the_schema(kind: SchemaKind) -> None:
    page = Path(f"docs/{kind}-file.md").read_text()
    (text,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert not [error.message for error in validator(kind).iter_errors(_typed(text))]


def test_the_plan_schema_describes_what_the_docstrings_describe() -> None:
    schema = json_schema("plan")
    assert schema["properties"]["cards"]["description"] == "Cards with at least one replica."
    card = schema["$defs"]["CardBudget"]
    assert card["description"] == "One card of a node: what it offers and what is planned on it."
    assert "[bytes]" in card["properties"]["taken_bytes"]["description"]


def test_attribute_sections_are_read_name_by_name() -> None:
    section = """
        workload, replica: Whose.
        node: Its
            name. gpus: Indices, in order: first to last.
    """
    assert list(attribute_descriptions(section)) == [
        ("workload", "Whose."),
        ("replica", "Whose."),
        ("node", "Its name."),
        ("gpus", "Indices, in order: first to last."),
    ]
