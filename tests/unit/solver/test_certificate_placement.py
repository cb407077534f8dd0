"""The judge counts placements: every rule at its edge, and one step beyond it."""

from typing import Any

import pytest

from packer.solver.certificate_placement import count_objective
from tests.tiny_packing import Document, alternative, instance, item, node_type


def placed(name: str, gpus: list[int], node: int = 0, t: int = 0, alt: int = 0) -> Document:
    return {"item": name, "alt": alt, "node": [t, node], "gpus": gpus}


def problem(*items: Document, constraints: Any = (), **node_changes: Any) -> Document:
    nodes = node_type(**({"count": 3} | node_changes))
    return instance([nodes], list(items), constraints=list(constraints))


def refusal(document: Document, *where: Document) -> str:
    with pytest.raises(ValueError) as refused:
        count_objective(document, where)
    return str(refused.value)


def test_cards_are_counted_once() -> None:
    document = problem(item("x", 3, alternative([5])))
    here = [placed("x", [0]), placed("x", [0]), placed("x", [1])]
    assert count_objective(document, here) == 2
    assert count_objective(document, [*here[:2], placed("x", [0], node=1)]) == 2


def test_prices_of_cards_and_nodes() -> None:
    types = [node_type("a", count=2), node_type("b", gpu_price=5, node_price=11)]
    document = instance(types, [item("x", 3, alternative([5], [5]))])
    here = [placed("x", [0, 1]), placed("x", [0, 1]), placed("x", [1, 0], t=1)]
    assert count_objective(document | {"objective": "gpus"}, here) == 4
    assert count_objective(document | {"objective": "gpu_price"}, here) == 3 + 3 + 5 + 5
    assert count_objective(document | {"objective": "node_price"}, here) == 7 + 11
    for unknown in ("cards", "watts"):
        assert "unknown objective" in refusal(document | {"objective": unknown}, *here)


def test_an_empty_placement_costs_nothing() -> None:
    assert count_objective(problem(), []) == 0


@pytest.mark.parametrize("count", [1, 3])
def test_exactly_the_demand_is_placed(count: int) -> None:
    document = problem(item("x", 2, alternative([1])), item("y", 0, alternative([1])))
    assert count_objective(document, [placed("x", [0])] * 2) == 1
    assert refusal(document, *[placed("x", [0])] * count) == "wrong number of replicas of x"
    assert "replicas of y" in refusal(document, *[placed("x", [0])] * 2, placed("y", [0]))


def test_a_card_holds_its_capacity_in_every_dimension() -> None:
    two = {"dims": ["memory", "slots"]}
    ways = [alternative([5, 4]), alternative([5, 5]), alternative([6, 4])]
    document = instance([node_type(gpu_cap=[10, 8])], [item("x", 2, *ways)]) | two
    assert count_objective(document, [placed("x", [0]), placed("x", [0])]) == 1
    for way in (1, 2):
        where = [placed("x", [0]), placed("x", [0], alt=way)]
        assert "GPU over capacity" in refusal(document, *where)


def test_cards_of_a_node_may_differ() -> None:
    document = problem(item("x", 1, alternative([12], [3])), gpu_caps=[[12], [3]])
    assert count_objective(document, [placed("x", [0, 1])]) == 2
    assert "GPU over capacity" in refusal(document, placed("x", [1, 0]))


def test_a_node_holds_its_capacity() -> None:
    document = problem(item("x", 2, alternative([1], node=[50])), node_cap=[100])
    both = [placed("x", [0]), placed("x", [1])]
    assert count_objective(document, both) == 2
    document["node_types"][0]["node_cap"] = [99]
    assert "node over capacity" in refusal(document, *both)
    assert count_objective(document, [both[0], placed("x", [0], node=1)]) == 2


@pytest.mark.parametrize(
    ("where", "why"),
    [
        (placed("x", [0], node=3), "no such node"),
        (placed("x", [0], node=9), "no such node"),
        (placed("x", [0], node=-1), "index"),
        (placed("x", [2]), "no such GPU"),
        (placed("x", [5]), "no such GPU"),
        (placed("x", [-1]), "index"),
        (placed("x", [True]), "index"),
        (placed("x", [0], node=1), "node is unavailable"),
        (placed("x", []), "distinct GPUs"),
        (placed("x", [0, 1]), "distinct GPUs"),
        (placed("x", [0, 0]), "distinct GPUs"),
        (placed("x", [0, 0], alt=1), "distinct GPUs"),
        (placed("x", [0], alt=-1), "index"),
    ],
)
def test_places_that_do_not_exist(where: Document, why: str) -> None:
    ways = [alternative([1]), alternative([1], [1])]
    document = problem(item("x", 1, *ways), unavailable=[1])
    assert count_objective(document, [placed("x", [1], node=2)]) == 1
    assert count_objective(document, [placed("x", [0, 1], alt=1)]) == 2
    assert why in refusal(document, where)


def test_types_of_cards_that_are_refused() -> None:
    document = problem(item("x", 1, alternative([1], gpu_types=["B"])))
    assert "GPU type refused" in refusal(document, placed("x", [0]))
    document["items"][0]["alts"][0]["gpu_types"] = ["B", "A"]
    assert count_objective(document, [placed("x", [0])]) == 1


def test_cards_of_one_link() -> None:
    ways = [alternative([1], [1], one_link=True), alternative([1], [1]), alternative([1])]
    ways[2]["one_link"] = True
    document = problem(item("x", 1, *ways), gpus=4, links=[[0, 1], [2, 3]])
    assert count_objective(document, [placed("x", [3, 2])]) == 2
    assert "not within one link" in refusal(document, placed("x", [1, 2]))
    assert count_objective(document, [placed("x", [1, 2], alt=1)]) == 2
    assert count_objective(document, [placed("x", [2], alt=2)]) == 1
    document["node_types"][0]["links"] = [[0, 1, 2]]
    assert count_objective(document, [placed("x", [0, 2])]) == 2
    assert count_objective(document, [placed("x", [3], alt=2)]) == 1
    document["node_types"][0]["links"] = []
    assert count_objective(document, [placed("x", [1, 2])]) == 2


@pytest.mark.parametrize(
    ("scope", "fine", "broken"),
    [
        ("gpu", [([0], 0), ([1], 0)], [([0], 0), ([0], 0)]),
        ("node", [([0], 0), ([0], 1)], [([0], 1), ([1], 1)]),
        ("zone", [([0], 0), ([0], 2)], [([0], 0), ([0], 1)]),
    ],
)
def test_most_per_unit(scope: str, fine: Any, broken: Any) -> None:
    spread = item("x", 2, alternative([1]), **{f"max_per_{scope}": 1})
    document = problem(spread, zones={"north": 2, "south": 1})
    assert count_objective(document, [placed("x", *one) for one in fine]) == 2
    assert f"too many per {scope} x" in refusal(document, *[placed("x", *one) for one in broken])
    document["items"][0][f"max_per_{scope}"] = 2
    assert count_objective(document, [placed("x", *one) for one in broken]) > 0


@pytest.mark.parametrize(
    ("scope", "apart", "near"),
    [("gpu", ([1], 0), ([0], 0)), ("node", ([0], 1), ([1], 0)), ("zone", ([0], 2), ([0], 1))],
)
def test_neighbours(scope: str, apart: Any, near: Any) -> None:
    pair = [item("x", 1, alternative([1])), item("y", 1, alternative([1]))]
    rule = {"type": "anti_affinity", "items": ["x", "y"], "scope": scope}
    document = problem(*pair, constraints=[rule], zones={"north": 2, "south": 1})
    first = placed("x", [0])
    assert count_objective(document, [first, placed("y", *apart)]) == 2
    assert "anti-affinity broken" in refusal(document, first, placed("y", *near))
    rule["type"] = "affinity"
    assert count_objective(document, [first, placed("y", *near)]) > 0
    assert "affinity broken" in refusal(document, first, placed("y", *apart))


def test_affinity_binds_the_first_item_only() -> None:
    rule = {"type": "affinity", "items": ["x", "y"], "scope": "node"}
    pair = [item("x", 1, alternative([1])), item("y", 2, alternative([1]))]
    document = problem(*pair, constraints=[rule])
    where = [placed("x", [0]), placed("y", [0]), placed("y", [0], node=1)]
    assert count_objective(document, where) == 2


def test_anti_affinity_lets_one_item_meet_itself() -> None:
    rule = {"type": "anti_affinity", "items": ["x", "y"], "scope": "node"}
    document = problem(item("x", 2, alternative([1])), constraints=[rule])
    assert count_objective(document, [placed("x", [0])] * 2) == 1


def test_rules_do_not_speak_of_others() -> None:
    items = [item(name, 1, alternative([1])) for name in ("x", "y", "z")]
    apart = {"type": "anti_affinity", "items": ["x", "y"], "scope": "gpu"}
    together = {"type": "affinity", "items": ["x", "z"], "scope": "node"}
    document = problem(*items, constraints=[apart, together])
    where = [placed("x", [0]), placed("y", [1]), placed("z", [0])]
    assert count_objective(document, where) == 2
    where[1] = placed("y", [0], node=1)
    where[2] = placed("z", [1])
    assert count_objective(document, where) == 3


def test_zones_without_a_name_are_one() -> None:
    document = problem(item("x", 2, alternative([1]), max_per_zone=1))
    assert "too many per zone" in refusal(document, placed("x", [0]), placed("x", [0], node=1))
