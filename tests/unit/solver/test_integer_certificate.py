"""Integer prices and what they prove: the solver's own evaluation, beside sums done by hand."""

import json
from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from packer.solver.bound import prove_bound, quick_bound
from packer.solver.branching import ProvenBound
from packer.solver.certificate import (
    IntegerPrices,
    Leaf,
    LinearCertificate,
    Split,
    evaluate_leaf,
    fits_machine_integers,
    price_scale,
    round_prices,
)
from packer.solver.certificate_document import certificate_document
from packer.solver.certificate_linear import linear_bound
from packer.solver.columns import build_columns
from packer.solver.dual_feasible import DualFeasibleFunction, Family
from packer.solver.instance_document import parse_instance
from packer.solver.relaxation import Relaxation
from packer.solver.relaxation_result import FunctionRow, RowPrices
from tests.priced_packing import (
    DEMAND,
    FUNCTIONS,
    NODE_A,
    NODE_B,
    PAID,
    PRICED,
    Y_ON_A,
    mixed_problem,
)
from tests.tiny_packing import Document, alternative, instance, item, node_type

Y, Z = ((0, 4), (0, 2), (0, 2)), ((0, 2), (0, 2))


def priced_relaxation(document: Document) -> Relaxation:
    relaxation = Relaxation(parse_instance(document))
    for t, dim, family, parameter in FUNCTIONS:
        capacity = (10, 12)[t]
        function = DualFeasibleFunction(Family(family), parameter, capacity)
        relaxation.add_function(FunctionRow(t, dim, function))
    return relaxation


def integer_prices(**changes: Any) -> IntegerPrices:
    def keyed(key: str) -> Mapping[tuple[int, int], int]:
        return {(i, t): price for i, t, price in PRICED[key]}

    fields: dict[str, Any] = {
        "capacity": tuple(map(tuple, PRICED["capacity"])),
        "node": tuple(map(tuple, PRICED["node"])),
        "gpu_node": tuple(PRICED["gpu_node"]),
        "node_gpu": tuple(PRICED["node_gpu"]),
        "functions": tuple(PRICED["functions"]),
        "spread_gpu": keyed("spread_gpu"),
        "spread_node": keyed("spread_node"),
    }
    return IntegerPrices(**fields | changes)


def test_every_row_is_counted() -> None:
    leaf = evaluate_leaf(priced_relaxation(mixed_problem()), integer_prices(), 10, Y, Z)
    assert leaf.demand == tuple(DEMAND)
    assert leaf.value == PRICED["value"]


def test_what_costs_more_than_it_earns_is_bought_as_little_as_allowed() -> None:
    relaxation = priced_relaxation(mixed_problem())
    leaf = evaluate_leaf(relaxation, integer_prices(), 1000, Y, Z)
    assert leaf.value == PAID + 2 * NODE_A + 2 * NODE_B
    gpu_a = 3 * 1000 + 5 - 2 - 2 * 10 - 7 * 10 - 17 * 1
    leaf = evaluate_leaf(relaxation, integer_prices(), 1000, ((3, 4), *Y[1:]), ((0, 1), Z[1]))
    assert leaf.value == PAID + 3 * gpu_a + NODE_A + 2 * NODE_B


def test_nodes_cost_their_price() -> None:
    document = mixed_problem() | {"objective": "node_price"}
    document["node_types"][1]["node_price"] = 1
    relaxation, z = priced_relaxation(document), ((1, 2), (0, 2))
    cards = evaluate_leaf(relaxation, integer_prices(), 0, Y, Z).value - 2 * (NODE_A + NODE_B)
    leaf = evaluate_leaf(relaxation, integer_prices(), 100, Y, z)
    assert leaf.value == cards + (7 * 100 + NODE_A) + 2 * (1 * 100 + NODE_B)


def test_a_price_of_one_item_is_paid_by_that_item() -> None:
    document = mixed_problem()
    document["items"][1] |= {"max_per_gpu": 3, "max_per_node": 4}
    spread = integer_prices(spread_gpu={(1, 0): 23}, spread_node={(1, 0): 29})
    leaf = evaluate_leaf(priced_relaxation(document), spread, 10, Y, Z)
    x_on_a = 4 * 2 + 5 * 1
    y_on_b = 9 * 3 + 2 * 4 + 11 * 9 + 13 * 6
    assert leaf.demand == (x_on_a, min(Y_ON_A + 2 * 23 + 29, y_on_b))


def test_limits_per_card_and_node_earn_their_price_for_each_replica_that_may_be_there() -> None:
    """Three cards and two nodes; a replica lies on two cards, and pays on both."""
    wide = item("x", 5, alternative([2], [3]), max_per_gpu=3, max_per_node=4)
    relaxation = Relaxation(parse_instance(instance([node_type(count=2)], [wide])))
    prices = IntegerPrices(((0,),), ((0,),), (0,), (0,), (), {(0, 0): 23}, {(0, 0): 29})
    leaf = evaluate_leaf(relaxation, prices, 1000, ((3, 3),), ((2, 2),))
    assert leaf.demand == (2 * 23 + 29,)
    assert leaf.value == 5 * (2 * 23 + 29) + 3 * (1000 - 3 * 23) - 2 * 4 * 29


@pytest.mark.parametrize("huge", [2**58, 2**61, 2**64, 10**40])
@pytest.mark.parametrize("row", ["capacity", "node", "functions", "spread_gpu", "spread_node"])
def test_no_price_is_too_large_for_whole_numbers(huge: int, row: str) -> None:
    """Every place pays the same multiple of the price, far beyond 64 bits."""
    changes: dict[str, Any] = {
        "capacity": {"capacity": ((huge,), (huge,))},
        "node": {"node": ((huge,), (huge,))},
        "functions": {"functions": (huge, huge, huge)},
        "spread_gpu": {"spread_gpu": {(0, 0): huge, (0, 1): huge}},
        "spread_node": {"spread_node": {(0, 0): huge, (0, 1): huge}},
    }
    nothing: dict[str, Any] = {
        "capacity": ((0,), (0,)),
        "node": ((0,), (0,)),
        "functions": (0, 0, 0),
        "spread_gpu": {},
        "spread_node": {},
    }
    prices = integer_prices(**nothing | changes[row])
    leaf = evaluate_leaf(priced_relaxation(mixed_problem()), prices, 10, Y, Z)
    times = {"capacity": (4, 9), "node": (5, 2), "functions": (0, 15)}.get(row, (1, 0))
    assert leaf.demand == (times[0] * huge, times[1] * huge)


def test_raised_prices_are_all_raised() -> None:
    """Where GPUs and nodes cost nothing, all that prices prove grows with them."""
    relaxation = priced_relaxation(mixed_problem())
    prices = integer_prices()
    once = evaluate_leaf(relaxation, prices, 0, Y, Z)
    raised = evaluate_leaf(relaxation, prices.times(16), 0, Y, Z)
    assert raised.value == 16 * once.value
    assert raised.demand == tuple(16 * one for one in once.demand)


@pytest.mark.parametrize("price", [2**59, 2**61, 2**63])
def test_a_function_of_a_large_price_is_paid_in_full(price: int) -> None:
    relaxation = Relaxation(parse_instance(sixes()))
    relaxation.add_function(FunctionRow(0, 0, DualFeasibleFunction(Family.THRESHOLD, 5, 10)))
    prices = IntegerPrices(((0,),), ((0,),), (0,), (0,), (price,), {}, {})
    leaf = evaluate_leaf(relaxation, prices, 1, ((0, 18),), ((0, 9),))
    assert leaf.demand == (10 * price,)
    assert leaf.value == 3 * 10 * price + 18 * (1 - 10 * price)


def test_replicas_wider_than_any_real_node_are_paid_in_full() -> None:
    wide = item("x", 1, alternative(*[[1]] * 200), max_per_gpu=1)
    relaxation = Relaxation(parse_instance(instance([node_type(gpus=200)], [wide])))
    price = 2**56 - 1
    prices = IntegerPrices(((0,),), ((0,),), (0,), (0,), (), {(0, 0): price}, {})
    leaf = evaluate_leaf(relaxation, prices, 1, ((0, 200),), ((0, 1),))
    assert leaf.demand == (200 * price,)


ROWS = {"capacity": 5, "node": 7, "functions": 3, "spread_gpu": 2, "spread_node": 1}
"""What the one replica takes of every row."""


@pytest.mark.parametrize("rows", [*combinations(ROWS, 1), *combinations(ROWS, 2), tuple(ROWS)])
def test_machine_integers_serve_while_everything_paid_stays_below_their_limit(
    rows: tuple[str, ...],
) -> None:
    wide = item("x", 3, alternative([2], [3], node=[7]), max_per_gpu=1, max_per_node=1)
    types = [node_type("a"), node_type("b")]
    relaxation = Relaxation(parse_instance(instance(types, [wide])))
    relaxation.add_function(FunctionRow(1, 0, DualFeasibleFunction(Family.THRESHOLD, 3, 10)))

    def fits(together: int) -> bool:
        """The rows pay no less than their parts of so much, and hardly more."""
        price = dict.fromkeys(ROWS, 0)
        for row in rows:
            price[row] = -(-together // len(rows) // ROWS[row])
        prices = IntegerPrices(
            ((0,), (price["capacity"],)),
            ((price["node"],), (0,)),
            (0, 0),
            (0, 0),
            (price["functions"],),
            {(0, 1): price["spread_gpu"]},
            {(0, 0): price["spread_node"]},
        )
        return fits_machine_integers(relaxation, prices)

    assert fits(2**62 - 50)
    assert not fits(2**62)


def test_every_dimension_counts_towards_the_limit_of_machine_integers() -> None:
    two = {"dims": ["memory", "slots"], "node_dims": ["ram", "cpu"]}
    nodes = node_type(gpu_cap=[10, 10], node_cap=[10, 10])
    ways = [alternative([1, 8], node=[1, 4]), alternative([8, 1], node=[4, 1])]
    relaxation = Relaxation(parse_instance(instance([nodes], [item("x", 1, *ways)]) | two))
    half, quarter = 2**61 // 8, 2**61 // 4
    for capacity, node, fits in (
        ((half, half - 1), (0, 0), True),
        ((half, half), (0, 0), False),
        ((0, 0), (quarter, quarter - 1), True),
        ((0, 0), (quarter, quarter), False),
        ((half, 0), (0, quarter), False),
    ):
        prices = IntegerPrices((capacity,), (node,), (0,), (0,), (), {}, {})
        assert fits_machine_integers(relaxation, prices) is fits


def test_all_prices_are_raised_by_a_factor() -> None:
    assert integer_prices().times(6) == IntegerPrices(
        ((12,), (18,)),
        ((6,), (24,)),
        (30, 6),
        (12, 18),
        (42, 66, 78),
        {(0, 0): 102},
        {(0, 1): 114},
    )


@pytest.mark.parametrize("priced", [0, 1])
def test_limits_of_one_node_type_earn_on_that_type_alone(priced: int) -> None:
    """Replicas go to the other type and pay nothing."""
    spread = item("x", 5, alternative([2]), max_per_gpu=3, max_per_node=4)
    types = [node_type("a", count=3), node_type("b")]
    relaxation = Relaxation(parse_instance(instance(types, [spread])))
    nothing = ((0,), (0,))
    prices = IntegerPrices(
        nothing, nothing, (0, 0), (0, 0), (), {(0, priced): 23}, {(0, priced): 29}
    )
    leaf = evaluate_leaf(relaxation, prices, 1, ((0, 6), (0, 2)), ((0, 3), (0, 1)))
    assert leaf.demand == (0,)
    cards, nodes = (6, 2)[priced], (3, 1)[priced]
    assert leaf.value == cards * (1 - 23 * 3) - nodes * 29 * 4


def test_costs_and_prices_are_added() -> None:
    """Numbers that share digits in base two, where so many cards and nodes must be bought."""
    relaxation = Relaxation(parse_instance(sixes(objective="node_price")))
    prices = IntegerPrices(((0,),), ((0,),), (3,), (7,), (), {}, {})
    leaf = evaluate_leaf(relaxation, prices, 1, ((0, 18),), ((1, 9),))
    assert leaf.value == 18 * (3 - 7) + 1 * (7 + 7 - 2 * 3)
    relaxation = Relaxation(parse_instance(sixes(objective="gpu_price")))
    prices = IntegerPrices(((0,),), ((0,),), (3,), (1,), (), {}, {})
    leaf = evaluate_leaf(relaxation, prices, 1, ((2, 18),), ((0, 9),))
    assert leaf.value == 2 * (3 + 3 - 1) + 9 * (1 - 2 * 3)


def test_node_memory_has_dimensions_of_its_own() -> None:
    way = alternative([6], node=[3, 5])
    document = instance(
        [node_type(node_cap=[9, 8]), node_type("b", node_cap=[7, 6])],
        [item("x", 1, way)],
        node_dims=["ram", "cpu"],
    )
    prices = IntegerPrices(((2,), (20,)), ((11, 13), (1, 1)), (0, 0), (0, 0), (), {}, {})
    relaxation = Relaxation(parse_instance(document))
    leaf = evaluate_leaf(relaxation, prices, 1, ((0, 2),) * 2, ((0, 1),) * 2)
    assert leaf.demand == (6 * 2 + 3 * 11 + 5 * 13,)
    cards = 2 * (1 - 2 * 10) + 2 * (1 - 20 * 10)
    nodes = -(9 * 11 + 8 * 13) - (7 + 6)
    assert leaf.value == leaf.demand[0] + cards + nodes


@pytest.mark.parametrize("objective", ["gpus", "gpu_price", "node_price"])
def test_without_prices_nothing_is_bought(objective: str) -> None:
    document = instance([node_type(gpu_price=1, node_price=1)], [item("x", 1, alternative([6]))])
    relaxation = Relaxation(parse_instance(document | {"objective": objective}))
    nothing = IntegerPrices(((0,),), ((0,),), (0,), (0,), (), {}, {})
    assert evaluate_leaf(relaxation, nothing, 1, ((0, 2),), ((0, 1),)).value == 0
    assert evaluate_leaf(relaxation, nothing, 1, ((2, 2),), ((1, 1),)).value == (
        1 if objective == "node_price" else 2
    )


def test_items_without_places_pay_nothing() -> None:
    document = instance([node_type()], [item("x", 1, alternative([11]))])
    nothing = IntegerPrices(((1,),), ((1,),), (0,), (0,), (), {}, {})
    relaxation = Relaxation(parse_instance(document))
    assert evaluate_leaf(relaxation, nothing, 1, ((0, 2),), ((0, 1),)).demand == (0,)
    document["items"].append(item("y", 1, alternative([9])))
    document["items"].append(item("z", 1, alternative([12])))
    relaxation = Relaxation(parse_instance(document))
    assert evaluate_leaf(relaxation, nothing, 1, ((0, 2),), ((0, 1),)).demand == (0, 10, 0)


def test_prices_are_rounded_and_never_negative() -> None:
    prices = RowPrices(
        np.array([[0.26, -0.1]]),
        np.array([[0.34]]),
        np.array([0.15001]),
        np.array([1.0]),
        np.array([2.06]),
        {(0, 0): 0.04, (1, 0): 0.06},
        {(0, 0): -1.0, (2, 0): 3.0},
    )
    assert round_prices(prices, 10) == IntegerPrices(
        ((3, 0),), ((3,),), (2,), (10,), (21,), {(1, 0): 1}, {(2, 0): 30}
    )


@pytest.mark.parametrize(
    ("node", "digits"),
    [
        ({}, 3),
        ({"node_cap": [99]}, 2),
        ({"node_cap": [99], "gpu_cap": [1000]}, 4),
        ({"gpu_cap": [1000], "gpu_caps": [[8], [9]], "node_cap": [7]}, 1),
        ({"gpu_caps": [[8], [12345]]}, 5),
    ],
)
def test_prices_keep_six_digits_and_those_of_the_largest_capacity(
    node: Document, digits: int
) -> None:
    assert price_scale(parse_instance(instance([node_type(**node)], []))) == 10 ** (digits + 6)
    assert price_scale(parse_instance(instance([], []))) == 10**7


def sixes(count: int = 3, **changes: Any) -> Document:
    return instance([node_type(count=9)], [item("x", count, alternative([6]))]) | changes


def judged(document: Document, proven: ProvenBound) -> int:
    """The bound as the judge computes it from the certificate."""
    certificate = certificate_document(parse_instance(document), proven.certificate)
    return linear_bound(document, json.loads(json.dumps(certificate)))


@pytest.mark.parametrize(
    ("changes", "quick", "proven"),
    [
        ({}, 2, 3),
        ({"objective": "gpu_price"}, 6, 9),
        ({"objective": "node_price"}, 0, 14),
    ],
)
def test_quick_and_proven_bounds(changes: Document, quick: int, proven: int) -> None:
    document = sixes(**changes)
    parsed = parse_instance(document)
    first = quick_bound(parsed, build_columns(parsed))
    assert (first.value, judged(document, first)) == (quick, quick)
    assert isinstance(first.certificate.tree, Leaf)
    assert first.root.objective == 0
    bound = prove_bound(parsed, most_leaves=8)
    assert (bound.value, judged(document, bound)) == (proven, proven)


def test_functions_are_tried_while_there_is_time() -> None:
    parsed = parse_instance(sixes())
    assert prove_bound(parsed).value == 3
    assert prove_bound(parsed, function_rounds=0).value == 2
    assert prove_bound(parsed, may_go_on=lambda: False).value == 2
    assert prove_bound(parsed).certificate.functions
    assert isinstance(prove_bound(parsed).certificate.tree, Leaf)


def test_branching_stops_at_its_limits() -> None:
    """Three full cards on nodes of two: one node and a half must be two."""
    document = instance([node_type(count=9)], [item("x", 3, alternative([10]))])
    document |= {"objective": "node_price"}
    parsed = parse_instance(document)
    assert prove_bound(parsed).value == 14  # 10.5, in steps of seven
    two = node_type("b", count=9, node_price=8)
    wider = document | {"node_types": [*document["node_types"], two]}
    parsed = parse_instance(wider)
    alone, branched = prove_bound(parsed), prove_bound(parsed, most_leaves=20)
    assert (alone.value, branched.value) == (11, 14)
    assert isinstance(branched.certificate.tree, Split)
    assert judged(wider, branched) == 14
    assert prove_bound(parsed, most_leaves=20, target=11).value == 11
    assert prove_bound(parsed, most_leaves=20, may_go_on=lambda: False).value == 11


def test_a_bound_above_everything_says_that_nothing_fits() -> None:
    document = instance([node_type()], [item("x", 5, alternative([10]))])
    proven = prove_bound(parse_instance(document))
    assert proven.value > 2
    assert judged(document, proven) == proven.value


def test_nothing_to_place_costs_nothing() -> None:
    parsed = parse_instance(instance([node_type()], []))
    assert prove_bound(parsed).value == 0
    assert quick_bound(parsed, build_columns(parsed)).value == 0


def test_limits_of_the_root_are_the_usable_supply() -> None:
    document = sixes()
    document["node_types"][0]["unavailable"] = [0, 4]
    leaves = [
        prove_bound(parse_instance(document)).certificate.tree,
        quick_bound(
            parse_instance(document), build_columns(parse_instance(document))
        ).certificate.tree,
    ]
    for leaf in leaves:
        assert isinstance(leaf, Leaf)
        assert (leaf.y, leaf.z) == (((0, 14),), ((0, 7),))


def test_a_certificate_has_nothing_extra_by_default() -> None:
    leaf = Leaf((), (), IntegerPrices((), (), (), (), (), {}, {}), (), 0)
    assert LinearCertificate(1, (), leaf, 0).extra == {}
