"""The judge's knapsack bound: what a card can earn at most, by hand."""

from typing import Any

import pytest

from packer.solver.certificate_patterns import pattern_value
from tests.tiny_packing import Document, alternative, instance, item, node_type


def certificate(prices: list[int], earned: list[int], scale: int = 10, **changes: Any) -> Document:
    return {"scale": scale, "dim": 0, "unit": 1, "prices": prices, "earned": earned} | changes


def problem(count: int = 3, **node_changes: Any) -> Document:
    """Sixes and threes on six cards of ten."""
    items = [item("x", count, alternative([6])), item("y", 2, alternative([3]))]
    return instance([node_type(**({"count": 3} | node_changes))], items)


def test_what_cards_cannot_earn_must_be_paid() -> None:
    assert pattern_value(problem(), certificate([10, 0], [10])) == 3
    # A six and a three earn 14 on each of six cards that cost 10: 38 - 6 · 4, in tens.
    assert pattern_value(problem(), certificate([10, 4], [14])) == 2
    assert pattern_value(problem(unavailable=[2]), certificate([10, 4], [14])) == 3
    assert pattern_value(problem(), certificate([0, 0], [0])) == 0
    assert pattern_value(problem(), certificate([1, 0], [1])) == 1


def test_cards_of_nodes_that_are_gone_earn_nothing() -> None:
    document = problem()
    document["node_types"][0] |= {"count": 2, "unavailable": [1]}
    # 38 - 2 · 4, in tens.
    assert pattern_value(document, certificate([10, 4], [14])) == 3
    document["node_types"][0] |= {"count": 3, "unavailable": [0, 2]}
    assert pattern_value(document, certificate([10, 4], [14])) == 3


def test_cards_never_owe() -> None:
    """What one type earns less than its cost takes nothing from the bound."""
    cheap = node_type("b", gpu_cap=[3], gpu_price=2, count=2)
    document = problem() | {"objective": "gpu_price"}
    document["node_types"][0]["gpu_price"] = 2
    document["node_types"].append(cheap)
    assert pattern_value(document, certificate([30, 5], [35, 5])) == 2 * 1
    # 100 - 6 · (35 - 20) - 4 · 0 = 10: half of one step of two.
    assert pattern_value(document, certificate([35, 0], [35, 0])) == 2 * 1
    with pytest.raises(ValueError, match="worth of a GPU"):
        pattern_value(document, certificate([30, 5], [35, 10]))


@pytest.mark.parametrize(
    ("count", "share", "capacity", "unit", "earned"),
    [
        (5, 3, 10, 1, 21),
        (2, 3, 10, 1, 14),
        (5, 5, 10, 1, 14),
        (5, 10, 10, 1, 7),
        (5, 11, 10, 1, 0),
        (5, 0, 10, 1, 35),
        (9, 3, 10, 2, 35),
        (9, 5, 11, 3, 21),
        (9, 2, 11, 3, 63),
        (1, 1, 10, 1, 7),
        (0, 1, 10, 1, 0),
    ],
)
def test_a_knapsack_of_one_item(
    count: int, share: int, capacity: int, unit: int, earned: int
) -> None:
    document = instance([node_type(gpu_cap=[capacity])], [item("x", count, alternative([share]))])
    total = 7 * count - 2 * max(0, earned - 1)
    bound = max(0, total)
    stored = certificate([7], [earned], 1, unit=unit)
    assert pattern_value(document, stored) == bound
    for wrong in (earned - 1, earned + 1, float(earned)):
        with pytest.raises(ValueError, match="worth of a GPU"):
            pattern_value(document, stored | {"earned": [wrong]})


def test_a_knapsack_of_several_items() -> None:
    """Seven and three fill a card; two fives are worth less, and the four must wait."""
    items = [item(f"x{size}", 1, alternative([size])) for size in (7, 4, 3, 5)]
    document = instance([node_type(gpus=1)], items)
    prices = [70, 45, 31, 50]
    assert pattern_value(document, certificate(prices, [101], 100)) == 2
    with pytest.raises(ValueError, match="worth"):
        pattern_value(document, certificate(prices, [100], 100))


def test_the_least_share_that_is_allowed_counts() -> None:
    ways = [alternative([7]), alternative([4]), alternative([2], gpu_types=["B"])]
    types = [node_type("a"), node_type("b", count=0)]
    document = instance(types, [item("x", 9, *ways)])
    assert pattern_value(document, certificate([1], [2, 5], 1)) == 7
    ways[0]["gpu_types"] = ways[1]["gpu_types"] = ["C"]
    assert pattern_value(document, certificate([1], [0, 5], 1)) == 9
    types[0]["gpu_cap"] = [11]
    assert pattern_value(document, certificate([1], [0, 5], 1)) == 9
    assert pattern_value(document, certificate([1], [0, 9], 1, unit=12)) == 9


def test_the_largest_card_of_a_node_counts_for_all() -> None:
    document = problem(gpu_cap=[12], gpu_caps=[[12], [3]])
    assert pattern_value(document, certificate([10, 0], [20])) == 0
    with pytest.raises(ValueError, match="worth"):
        pattern_value(document, certificate([10, 0], [10]))


def test_capacities_of_too_many_units_are_refused_before_they_fill_the_memory() -> None:
    assert pattern_value(problem(gpu_cap=[100_000]), certificate([0, 0], [0])) == 0
    with pytest.raises(ValueError, match="unit"):
        pattern_value(problem(gpu_cap=[100_001]), certificate([0, 0], [0]))


def test_another_dimension_may_be_priced() -> None:
    document = problem() | {"dims": ["memory", "slots"]}
    document["node_types"][0]["gpu_cap"] = [10, 1]
    for one, share in zip(document["items"], (6, 3), strict=True):
        one["alts"] = [alternative([share, 1])]
    assert pattern_value(document, certificate([10, 10], [10], dim=1)) == 5
    assert pattern_value(document, certificate([10, 10], [20], dim=0)) == 0


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"scale": 0}, "scale or dimension"),
        ({"unit": 0}, "scale or dimension"),
        ({"dim": 1}, "scale or dimension"),
        ({"dim": -1}, "scale or dimension"),
        ({"scale": 10.0}, "form"),
        ({"dim": False}, "form"),
        ({"unit": 1.0}, "form"),
        ({"prices": [10, 0.0]}, "form"),
        ({"prices": [10]}, "prices"),
        ({"prices": [10, -1]}, "prices"),
    ],
)
def test_certificates_of_the_wrong_form(changes: Document, what: str) -> None:
    with pytest.raises(ValueError, match=f"certificate's {what} does"):
        pattern_value(problem(), certificate([10, 0], [10]) | changes)


def test_what_the_bound_is_not_for() -> None:
    with pytest.raises(ValueError, match="form"):
        pattern_value(problem() | {"objective": "node_price"}, certificate([10, 0], [10]))
    wide = problem()
    wide["items"][0]["alts"].append(alternative([1], [1]))
    with pytest.raises(ValueError, match="width"):
        pattern_value(wide, certificate([10, 0], [10]))
    with pytest.raises(ValueError, match=r"shorter|longer"):
        pattern_value(problem(), certificate([10, 0], []))


def test_nothing_to_place_and_nothing_to_pay() -> None:
    assert pattern_value(instance([node_type()], []), certificate([], [0])) == 0
    free = problem(gpu_price=0) | {"objective": "gpu_price"}
    assert pattern_value(free, certificate([10, 0], [10])) == 0
    crowded = problem(7, gpu_price=0) | {"objective": "gpu_price"}
    assert pattern_value(crowded, certificate([10, 0], [10])) == 1  # in ones
