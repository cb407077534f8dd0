"""The compact relaxation on problems whose optimum and prices are known by hand."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from packer.solver.dual_feasible import DualFeasibleFunction, Family
from packer.solver.instance_document import parse_instance
from packer.solver.relaxation import Relaxation
from packer.solver.relaxation_result import FunctionRow, RelaxationResult
from tests.tiny_packing import Document, alternative, instance, item, node_type

approx = pytest.approx


def relaxed(document: Document) -> tuple[Relaxation, RelaxationResult]:
    relaxation = Relaxation(parse_instance(document))
    result = relaxation.solve()
    assert result is not None
    return relaxation, result


def sixes(count: int = 3, node: Any = None, **spread: Any) -> Document:
    way = alternative([6], node=[1] if node is None else node)
    return instance([node_type(count=9)], [item("x", count, way, **spread)])


def test_cards_are_filled_to_the_brim() -> None:
    _, result = relaxed(sixes())
    assert result.objective == approx(1.8)
    assert result.y == approx([1.8])
    assert result.x == approx([3])
    assert result.unserved == approx([0])
    assert result.prices.capacity == approx(np.array([[0.1]]))
    assert result.prices.node == approx(np.array([[0]]))
    assert result.prices.node_gpu == approx([0])


def test_prices_of_cards_are_paid() -> None:
    types = [node_type("a"), node_type("b", gpu_cap=[20], gpu_price=5)]
    document = instance(types, [item("x", 10, alternative([5]))], objective="gpu_price")
    _, result = relaxed(document)
    assert result.objective == approx(2 * 5 + 3)
    assert result.y == approx([1, 2])
    assert result.prices.capacity == approx(np.array([[0.3], [0.3]]))
    assert relaxed(document | {"objective": "gpus"})[1].objective == approx(3)


def test_cards_open_nodes() -> None:
    document = instance([node_type(count=2)], [item("x", 3, alternative([10]))])
    _, result = relaxed(document | {"objective": "node_price"})
    assert result.objective == approx(10.5)
    assert result.y == approx([3])
    assert result.z == approx([1.5])
    assert result.prices.gpu_node == approx([3.5])
    assert result.prices.capacity == approx(np.array([[0.35]]))


def test_nodes_are_filled_to_the_brim() -> None:
    document = sixes(node=[50]) | {"objective": "node_price"}
    document["items"][0]["alts"][0]["shares"] = [[1]]
    _, result = relaxed(document)
    assert result.objective == approx(10.5)
    assert result.prices.node == approx(np.array([[0.07]]))
    document["items"][0]["alts"][0]["node"] = document["node_types"][0]["node_cap"] = [1]
    _, result = relaxed(document)
    assert result.objective == approx(21)
    assert result.prices.node == approx(np.array([[7]]))


def test_nodes_are_full_where_one_of_their_dimensions_is() -> None:
    document = instance(
        [node_type(count=9, node_cap=[100, 40])],
        [item("x", 3, alternative([1], node=[50, 30]))],
        node_dims=["ram", "cpu"],
        objective="node_price",
    )
    _, result = relaxed(document)
    assert result.objective == approx(3 * 30 / 40 * 7)
    assert result.prices.node == approx(np.array([[0, 7 / 40]]))


def test_an_open_node_has_an_open_card() -> None:
    document = sixes(node=[100])
    document["items"][0]["alts"][0]["shares"] = [[1]]
    _, result = relaxed(document)
    assert result.objective == approx(3)
    assert result.prices.node_gpu == approx([1])
    assert result.prices.node == approx(np.array([[0.01]]))


def test_most_per_card() -> None:
    document = sixes(max_per_gpu=1)
    document["items"][0]["alts"][0]["shares"] = [[1], [1]]
    _, result = relaxed(document)
    assert result.objective == approx(6)
    assert result.prices.spread_gpu == {(0, 0): approx(1)}
    document["items"][0] |= {"max_per_gpu": 2}
    assert relaxed(document)[1].objective == approx(3)
    for enough in (3, 4):
        document["items"][0] |= {"max_per_gpu": enough}
        _, result = relaxed(document)
        assert result.objective == approx(0.6)
        assert result.prices.spread_gpu == {}


def test_most_per_node() -> None:
    document = sixes(max_per_node=1) | {"objective": "node_price"}
    _, result = relaxed(document)
    assert result.objective == approx(21)
    assert result.prices.spread_node == {(0, 0): approx(7)}
    document["items"][0] |= {"max_per_node": 2}
    assert relaxed(document)[1].objective == approx(10.5)
    for enough in (3, 4):
        document["items"][0] |= {"max_per_node": enough}
        assert relaxed(document)[1].prices.spread_node == {}


@pytest.mark.parametrize("scope", ["gpu", "node"])
def test_limits_of_replicas_need_not_be_used_up(scope: str) -> None:
    """Two would be allowed where only one finds room."""
    document = sixes(**{f"max_per_{scope}": 2}) | {"objective": "node_price"}
    document["items"][0]["alts"][0]["shares"] = [[10], [10]]
    _, result = relaxed(document)
    assert result.objective == approx(3 * 7)
    assert result.unserved == approx([0])


def test_a_dimension_without_room_does_no_harm_to_who_needs_none() -> None:
    nodes = node_type(count=9, gpu_cap=[10, 1], gpu_caps=[[10, 0]] * 2, node_cap=[0])
    ways = [alternative([6, 0], node=[0]), alternative([1, 1], node=[0])]
    _, result = relaxed(instance([nodes], [item("x", 3, *ways)]) | {"dims": ["memory", "slots"]})
    assert result.objective == approx(1.8)


def test_what_finds_no_room_is_unserved_at_a_price_above_everything() -> None:
    document = instance([node_type()], [item("x", 5, alternative([10]))])
    _, result = relaxed(document)
    assert result.unserved == approx([3])
    assert result.objective == approx(2 + 3 * (4 * 2 + 4))
    priced = document | {"objective": "gpu_price"}
    assert relaxed(priced)[1].objective == approx(6 + 3 * (4 * 6 + 4))


def test_nothing_is_served_without_places() -> None:
    document = instance([node_type(unavailable=[0])], [item("x", 2, alternative([1]))])
    _, result = relaxed(document)
    assert result.unserved == approx([2])
    assert result.objective == approx(2 * 4)
    assert len(result.x) == 0


def test_classes_of_unequal_cards() -> None:
    nodes = node_type(gpu_cap=[12], gpu_caps=[[12], [4]], count=2)
    _, result = relaxed(instance([nodes], [item("x", 7, alternative([4]))]))
    assert result.objective == approx(3)
    assert result.y == approx([2, 1])
    _, result = relaxed(instance([nodes], [item("x", 5, alternative([4]))]))
    assert result.objective == approx(20 / 12)
    assert result.y == approx([20 / 12, 0])


@pytest.mark.parametrize("own", [0, 1])
def test_free_cards_of_another_type_lift_no_limit(own: int) -> None:
    types = [node_type("a", count=9), node_type("b", count=9, gpu_price=0)]
    way = alternative([6], gpu_types=["A"])
    document = instance(types[:: -1 if own else 1], [item("x", 3, way)], objective="gpu_price")
    relaxation, before = relaxed(document)
    assert before.objective == approx(1.8 * 3)
    relaxation.add_function(FunctionRow(own, 0, DualFeasibleFunction(Family.THRESHOLD, 5, 10)))
    after = relaxation.solve()
    assert after is not None
    assert after.objective == approx(3 * 3)
    way["shares"] = [[1], [1]]
    document["items"][0]["max_per_gpu"] = 1
    assert relaxed(document)[1].objective == approx(6 * 3)


def test_functions_are_rows_too() -> None:
    relaxation, before = relaxed(sixes())
    row = FunctionRow(0, 0, DualFeasibleFunction(Family.THRESHOLD, 5, 10))
    relaxation.add_function(row)
    after = relaxation.solve()
    assert after is not None
    assert before.objective == approx(1.8)
    assert after.objective == approx(3)
    assert after.prices.functions == approx([0.1])
    assert relaxation.functions == [row]
    assert [one.tolist() for one in relaxation.numerators] == [[10]]


def test_a_function_speaks_of_its_own_type_and_dimension() -> None:
    two = {"dims": ["memory", "slots"]}
    types = [node_type("a", gpu_cap=[10, 10]), node_type("b", gpu_cap=[10, 10], gpus=4)]
    wide = item("x", 3, alternative([2, 6], [6, 2]))
    relaxation, before = relaxed(instance(types, [wide]) | two)
    assert before.objective == approx(2.4)
    relaxation.add_function(FunctionRow(1, 1, DualFeasibleFunction(Family.THRESHOLD, 5, 10)))
    assert relaxation.numerators[0].tolist() == [0, 10]
    relaxation.set_bounds([(0, 0), (0, 4)], [(0, 0), (0, 1)])
    only_b = relaxation.solve()
    assert only_b is not None
    assert only_b.objective == approx(3)
    relaxation.set_bounds([(0, 2), (0, 0)], [(0, 1), (0, 0)])
    only_a = relaxation.solve()
    assert only_a is not None
    assert only_a.y == approx([2, 0])
    assert only_a.unserved == approx([0.5])


THREE = {"dims": ["memory", "slots", "streams"]}
LARGE = node_type(count=9, gpu_cap=[10, 10, 1000])


@pytest.mark.parametrize("wanted", ["CBACAB", "BBBACC", "CBCA"])
def test_rounds_of_columns(wanted: str) -> None:
    """First the least way in sum and in either of two dimensions, then what pays for every item.

    Of the first three ways, the first two in equal parts take 4 of 10. The last one with the third
    takes 11/3; it is the largest in sum.
    """

    def ways(gpu_type: str) -> list[Document]:
        loads = ([0, 8, 400], [8, 0, 400], [1, 1, 900], [5, 5, 100])
        return [alternative(load, gpu_types=[gpu_type]) for load in loads]

    items = [item(f"x{i}", 4, *ways(gpu_type)) for i, gpu_type in enumerate(wanted)]
    types = [LARGE | {"name": gpu_type, "gpu_type": gpu_type} for gpu_type in "ABC"]
    document = instance(types, items) | THREE
    for rounds in (2, 50):
        result = Relaxation(parse_instance(document)).solve(rounds)
        assert result is not None
        assert result.objective == approx(4 * len(items) * 11 / 30), rounds
        assert result.unserved == approx([0] * len(items))


def test_columns_that_come_later_meet_the_functions() -> None:
    """The last way counts for half a card, not for four tenths; it is none of the first three.

    Of 863 replicas 71 go the first way, 112 the third and 680 the last: 340 cards, as 71·8 + 112
    + 680·4 = 3400 slots, 71·400 + 112·900 + 680·310 = 340,000 streams and 680/2 say alike.
    """
    loads = ([0, 8, 400], [8, 0, 400], [1, 1, 900], [4, 4, 310])
    document = instance([LARGE, LARGE | {"name": "b"}], [item("x", 8, *map(alternative, loads))])
    relaxation = Relaxation(parse_instance(document | THREE))
    relaxation.add_function(FunctionRow(1, 0, DualFeasibleFunction(Family.ROUNDING, 2, 10)))
    relaxation.set_bounds([(0, 0), (0, 18)], [(0, 0), (0, 9)])
    result = relaxation.solve()
    assert result is not None
    assert result.objective == approx(8 * 340 / 863)
    assert result.x == approx([0, 8 * 71 / 863, 0, 0, 0, 8 * 112 / 863, 0, 8 * 680 / 863])


@pytest.mark.parametrize("only", [0, 1, 2])
def test_columns_that_are_there_from_the_start(only: int) -> None:
    """Per item and type: the least in sum of the shares of a card, and in each of two dimensions.

    In whole numbers the second way would be least in sum; half of it and half of the first are
    better than all three, and come with the second round.
    """
    loads = ([1, 1, 900], [9, 9, 100], [0, 9, 950], [9, 0, 950])
    ways = [alternative(load) for load in loads]
    items = [item(name, 2, *ways) for name in "wxyz"]
    types = [LARGE | {"name": gpu_type, "gpu_type": gpu_type} for gpu_type in "ABC"]
    relaxation = Relaxation(parse_instance(instance(types, items) | THREE))
    limits = [[(0, 0)] * 3 for _ in range(2)]
    limits[0][only], limits[1][only] = (0, 18), (0, 9)
    relaxation.set_bounds(*limits)
    first = relaxation.solve(1)
    assert first is not None
    assert first.unserved == approx([0, 0, 0, 0])
    assert first.objective == approx(8 * 0.9)
    second = relaxation.solve()
    assert second is not None
    assert second.objective == approx(8 * 0.5)


def test_a_function_without_weight_changes_nothing() -> None:
    document = sixes()
    document["items"][0]["alts"][0]["shares"] = [[3]]
    relaxation, before = relaxed(document)
    relaxation.add_function(FunctionRow(0, 0, DualFeasibleFunction(Family.THRESHOLD, 5, 10)))
    after = relaxation.solve()
    assert after is not None
    assert after.objective == approx(before.objective)


def test_columns_are_priced_in_where_they_pay() -> None:
    """The best of four ways is least neither in sum nor in one of the first two dimensions."""
    ways = [
        alternative([1, 1, 10]),
        alternative([0, 6, 6]),
        alternative([6, 0, 6]),
        alternative([5, 5, 3]),
    ]
    three = {"dims": ["memory", "slots", "streams"]}
    document = instance([node_type(count=9, gpu_cap=[10, 10, 10])], [item("x", 8, *ways)]) | three
    _, result = relaxed(document)
    # Two fifths of the second and third in equal parts, three fifths of the last: 4.2 of each.
    assert result.objective == approx(8 * 4.2 / 10)
    assert result.x == approx([0, 1.6, 1.6, 4.8])


def test_bounds_of_a_branch() -> None:
    relaxation, _ = relaxed(sixes() | {"objective": "node_price"})
    relaxation.set_bounds([(0, 6)], [(2, 3)])
    two = relaxation.solve()
    relaxation.set_bounds([(0, 1)], [(0, 3)])
    one_card = relaxation.solve()
    assert two is not None
    assert one_card is not None
    assert two.objective == approx(14)
    assert two.z == approx([2])
    assert one_card.unserved == approx([3 - 10 / 6])


def test_a_branch_that_nothing_satisfies_has_no_result() -> None:
    """Three cards or more on one node of two."""
    relaxation, _ = relaxed(sixes())
    relaxation.set_bounds([(3, 6)], [(0, 1)])
    assert relaxation.solve() is None
    relaxation.set_bounds([(0, 6)], [(0, 3)])
    again = relaxation.solve()
    assert again is not None
    assert again.objective == approx(1.8)


def test_idle_serves_nothing_at_no_price() -> None:
    types = [node_type("a"), node_type("b")]
    document = instance(types, [item("x", 3, alternative([1]))], node_dims=["ram", "cpu"])
    for one in document["node_types"]:
        one["node_cap"] = [9, 9]
    document["items"][0]["alts"][0]["node"] = [1, 1]
    relaxation = Relaxation(parse_instance(document))
    relaxation.add_function(FunctionRow(0, 0, DualFeasibleFunction(Family.ROUNDING, 1, 10)))
    idle = relaxation.idle()
    assert idle.objective == 0
    assert idle.unserved.tolist() == [3.0]
    assert (idle.x.tolist(), idle.y.tolist(), idle.z.tolist()) == ([0, 0], [0, 0], [0, 0])
    prices = idle.prices
    assert (prices.capacity.tolist(), prices.node.tolist()) == ([[0], [0]], [[0, 0], [0, 0]])
    assert (prices.gpu_node.tolist(), prices.node_gpu.tolist()) == ([0, 0], [0, 0])
    assert prices.functions.tolist() == [0]


def test_what_a_place_pays() -> None:
    wide = item("x", 3, alternative([2], [3], node=[4]), max_per_gpu=1, max_per_node=1)
    types = [node_type("a"), node_type("b")]
    relaxation = Relaxation(parse_instance(instance(types, [wide, item("y", 3, alternative([7]))])))
    relaxation.add_function(FunctionRow(1, 0, DualFeasibleFunction(Family.THRESHOLD, 3, 10)))
    prices = relaxation.idle().prices
    prices.capacity[:] = [[1], [2]]
    prices.node[:] = [[10], [20]]
    prices.functions[:] = [100]
    prices.spread_gpu[0, 1] = 1000
    prices.spread_node[0, 0] = 5000
    prices.spread_gpu[1, 0] = 20000
    prices.spread_node[1, 1] = 70000
    paid = relaxation.use_prices(prices).tolist()
    assert paid == [
        5 * 1 + 4 * 10 + 5000,
        5 * 2 + 4 * 20 + 100 * 3 + 2 * 1000,
        7 * 1 + 1 * 10 + 20000,
        7 * 2 + 1 * 20 + 100 * 7 + 70000,
    ]


@pytest.mark.parametrize(
    ("seconds", "milliseconds"),
    [(0, 1), (1e-9, 1), (0.0019, 1), (0.002, 2), (5, 5000), (1e12, 2**31 - 1)],
)
def test_limits_of_time_in_milliseconds(
    monkeypatch: pytest.MonkeyPatch, seconds: float, milliseconds: int
) -> None:
    """The solver takes a signed number of 32 bits, and 0 would be no limit."""
    relaxation = Relaxation(parse_instance(sixes()))
    told: list[int] = []
    monkeypatch.setattr(relaxation, "_solver", SimpleNamespace(SetTimeLimit=told.append))
    relaxation.limit_time(seconds)
    assert told == [milliseconds]


@pytest.mark.parametrize("seconds", [0, 1e-9, 5, 1e12])
def test_any_limit_of_time_is_taken(seconds: float) -> None:
    relaxation = Relaxation(parse_instance(sixes()))
    relaxation.limit_time(seconds)
    result = relaxation.solve()
    assert result is None or result.objective == approx(1.8)
