"""Certificates of somebody who knows how to seal: refused, whatever they hold."""

import copy
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from packer.solver.certificate_check import Refused, verify_solution
from packer.solver.certificate_document import seal
from packer.solver.instance_document import parse_instance

Document = dict[str, Any]
TESTS = Path(__file__).parents[2]
INSTANCE: Document = json.loads(
    gzip.decompress((TESTS / "data" / "packing" / "cut-d8.json.gz").read_bytes())
)
SEEDS = TESTS / "fuzz" / "seeds" / "certificate"


def _case(name: str) -> tuple[Document, Document]:
    return copy.deepcopy(INSTANCE), json.loads(SEEDS.joinpath(name).read_bytes())


def _sealed(instance: Document, solution: Document) -> Document:
    solution["certificate"]["digest"] = seal(parse_instance(instance), solution["certificate"])
    return solution


@pytest.mark.parametrize("name", ["cut-d8.json", "cut-d8-patterns.json"])
def test_the_cases_themselves_hold(name: str) -> None:
    instance, solution = _case(name)
    assert verify_solution(instance, _sealed(instance, solution)).bound == 6


def test_a_knapsack_in_single_bytes_is_refused() -> None:
    instance, solution = _case("cut-d8-patterns.json")
    solution["certificate"]["unit"] = 1
    with pytest.raises(Refused, match="unit does not hold"):
        verify_solution(instance, _sealed(instance, solution))


def _too_deep(instance: Document, solution: Document) -> None:
    tree = solution["certificate"]["tree"]
    for _ in range(3_000):
        tree = {"on": ["y", 0], "at": 0, "left": tree, "right": tree}
    solution["certificate"]["tree"] = tree


def _divided_by_zero(instance: Document, solution: Document) -> None:
    """A function of a node type that no replica fits, so that its numerators are never asked."""
    dims, node_dims = len(instance["dims"]), len(instance["node_dims"])
    tiny = {"name": "tiny", "gpu_cap": [1] * dims, "node_cap": [0] * node_dims}
    instance["node_types"].append(instance["node_types"][1] | tiny)
    certificate = solution["certificate"]
    certificate["functions"].append([len(instance["node_types"]) - 1, 0, "ccm", 0])
    tree = certificate["tree"]
    tree["functions"].append(1)
    tree["capacity"].append([0] * dims)
    tree["node"].append([0] * node_dims)
    tree["gpu_node"].append(0)
    tree["node_gpu"].append(0)


@pytest.mark.parametrize(
    ("change", "why"), [(_too_deep, "RecursionError"), (_divided_by_zero, "ZeroDivisionError")]
)
def test_nothing_but_a_refusal_leaves_the_judge(
    change: Callable[[Document, Document], None], why: str
) -> None:
    instance, solution = _case("cut-d8.json")
    change(instance, solution)
    if change is _divided_by_zero:
        solution = _sealed(instance, solution)
    with pytest.raises(Refused, match=why):
        verify_solution(instance, solution)
