"""Sweep files: what they ask for, and everything that is wrong with them at once."""

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from packer.domain.payment import Payment
from packer.domain.workload import Objective
from packer.errors import InvalidInput
from packer.plan.scenario import Factor, Scenarios
from packer.spec.json_schema import json_schema
from packer.spec.sweep_file import inventory_label, read_sweep

HEAD = "apiVersion: gpu-packer/v1\nkind: Sweep\nmetadata: {name: s}\nfleet: fleet.yaml\n"
EXAMPLE = Path("examples/05-growth-sweep/sweep.yaml")


def read(text: str) -> Scenarios:
    return read_sweep(HEAD + text, "sweep.yaml")


def refused(text: str) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        read(text)
    return [f"{one.code} {one.title}" for one in caught.value.problems]


def test_a_grid_is_every_combination_named_by_what_differs() -> None:
    found = read(
        """
grid:
  inventories: [a.yaml, b/c.yaml]
  prices: [{name: spot, payment: spot, factor: 0.5, pools: {p: 2}, book: book.yaml}]
  quantizationFloors: [any, Q5_K_M]
  demands: [1, {name: chat, workloads: {chat: 2.5}}]
objective: price
"""
    )
    names = [one.name for one in found.scenarios]
    assert len(names) == len(set(names)) == 8
    assert names[0] == "a · any · demand ×1"
    assert names[-1] == "c · Q5_K_M or finer · demand chat"
    last = found.scenarios[-1]
    assert last.source == ("b/c.yaml", "book.yaml")
    assert (last.prices.payment, last.prices.factor) == (Payment.SPOT, Decimal("0.5"))
    assert last.prices.pools == {"p": Decimal(2)}
    assert last.context == Factor("×1", Decimal(1))
    assert (last.demand.of("chat"), last.demand.of("other")) == (Decimal("2.5"), Decimal(1))
    assert found.objective is Objective.PRICE
    assert found.sources == (("a.yaml", "book.yaml"), ("b/c.yaml", "book.yaml"))
    assert all(one.is_in_grid for one in found.scenarios)


def test_single_scenarios_follow_the_grid_and_take_defaults() -> None:
    found = read(
        """
grid: {inventories: [a.yaml]}
scenarios:
- {name: next year, inventory: b.yaml, context: 2, quantizationFloor: Q8_0}
"""
    )
    first, second = found.scenarios
    assert (first.name, first.prices.name, first.quantization_floor) == ("a", "as listed", "any")
    assert (second.name, second.context.name, second.demand.name) == ("next year", "×2", "×1")
    assert not second.is_in_grid
    assert found.objective is None


def test_files_that_share_a_name_are_told_apart_by_their_paths() -> None:
    paths = ("x/own.yaml", "y/own.yaml", "cloud.yaml")
    assert [inventory_label(one, paths) for one in paths] == ["x/own.yaml", "y/own.yaml", "cloud"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "P0260 the sweep has no scenario"),
        ("grid: {inventories: []}", "P0107 grid.inventories is out of range"),
        ("grid: {inventory: [a.yaml]}", "P0104 unknown key inventory"),
        (
            "grid: {inventories: [a.yaml], demands: [0]}",
            "P0107 grid.demands[0] is out of range",
        ),
        (
            "grid: {inventories: [a.yaml], demands: [50%]}",
            "P0106 grid.demands[0] is not a factor",
        ),
        (
            "grid: {inventories: [a.yaml], quantizationFloors: [Q11_K]}",
            "P0262 quantization floor Q11_K is named after no type of ggml",
        ),
        (
            "scenarios: [{name: x, inventory: a.yaml, quantizationFloor: tiny}]",
            "P0262 quantization floor tiny is named after no type of ggml",
        ),
        (
            "scenarios: [{name: x, inventory: a.yaml}, {name: x, inventory: a.yaml}]",
            "P0263 two scenarios are called x",
        ),
        (
            "grid: {inventories: [a.yaml], demands: [2, 2]}",
            "P0263 two scenarios are called demand ×2",
        ),
        (
            f"grid: {{inventories: [a.yaml], contexts: {[*range(1, 301)]}, "
            f"demands: {[*range(1, 301)]}}}",
            "P0260 the sweep has 90000 scenarios",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, problem: str) -> None:
    assert any(one.startswith(problem) for one in refused(text)), refused(text)


def test_a_fleet_is_no_sweep() -> None:
    with pytest.raises(InvalidInput, match="P0114"):
        read_sweep("apiVersion: gpu-packer/v1\nkind: Fleet\n", "fleet.yaml")


def test_the_example_passes_the_schema_and_every_key_is_documented() -> None:
    schema = json_schema("sweep")
    values = json.loads(json.dumps(yaml.safe_load(EXAMPLE.read_text())))
    assert not list(Draft202012Validator(schema).iter_errors(values))
    page = Path("docs/sweep.md").read_text()
    words = set(re.findall(r"[A-Za-z]+", page))
    parts = [schema, *schema["$defs"].values()]
    keys = {key for part in parts for key in part.get("properties", {})}
    assert {"quantizationFloors", "demands", "workloads", "payment"} <= keys
    assert keys <= words
