"""The judge's linear bound: every term by hand, every stored number checked."""

from copy import deepcopy
from typing import Any

import pytest

from packer.solver.certificate_linear import linear_bound
from tests.priced_packing import (
    DEMAND,
    FUNCTIONS,
    GPU_A,
    GPU_B8,
    GPU_B12,
    NODE_A,
    NODE_B,
    PAID,
    PRICED,
    Y_ON_A,
    leaf,
    mixed_problem,
)
from tests.tiny_packing import Document, alternative, instance, item, node_type

MUCH = 10**6
"""A scale so large that every card and node costs more than it earns."""


def certificate(tree: Document, scale: int = MUCH, functions: Any = ()) -> Document:
    return {"scale": scale, "functions": list(functions), "tree": tree}


def test_every_row_is_counted() -> None:
    assert GPU_A < 0 > GPU_B8 > GPU_B12
    assert linear_bound(mixed_problem(), certificate(PRICED, 10, FUNCTIONS)) == 0


def test_what_costs_more_than_it_earns_is_not_bought() -> None:
    cheap = PRICED | {"value": PAID + 2 * NODE_A + 2 * NODE_B}
    assert linear_bound(mixed_problem(), certificate(cheap, 1000, FUNCTIONS)) == 0


@pytest.mark.parametrize("key", ["value", "demand"])
@pytest.mark.parametrize("by", [-1, 1])
def test_stored_numbers_are_exact(key: str, by: int) -> None:
    stored = PRICED[key]
    wrong = PRICED | {key: stored + by if key == "value" else [stored[0], stored[1] + by]}
    with pytest.raises(ValueError, match="does not hold"):
        linear_bound(mixed_problem(), certificate(wrong, 10, FUNCTIONS))


def spread_at(node: int, i: int) -> Document:
    """A price of one more row, beside those of another item and another type."""
    changed = deepcopy(PRICED)
    changed["spread_gpu"].append([i, node, 23])
    changed["spread_node"].append([i, node, 29])
    return changed


def test_spread_is_paid_by_its_item_on_its_type_for_every_card() -> None:
    problem = mixed_problem()
    problem["items"][1] |= {"max_per_gpu": 3, "max_per_node": 4}
    y_on_a = Y_ON_A + 2 * 23 + 29
    y_on_b = 14 * 3 + 9 * 4 + 11 * 14 + 13 * 8
    small_on_b = 9 * 3 + 2 * 4 + 11 * 9 + 13 * 6
    demand = [DEMAND[0], min(y_on_a, y_on_b, small_on_b)]
    assert demand[1] == small_on_b
    value = 3 * demand[0] + 2 * demand[1] + 2 * GPU_B8 + 2 * GPU_B12
    value += 4 * (GPU_A - 23 * 3) + 2 * (NODE_A - 29 * 4) + 2 * NODE_B
    tree = spread_at(0, 1) | {"demand": demand, "value": value}
    assert linear_bound(problem, certificate(tree, 10, FUNCTIONS)) == 0


@pytest.mark.parametrize("priced", [0, 1])
def test_rows_of_one_node_type_earn_on_that_type_alone(priced: int) -> None:
    """Six cards and three nodes of one type, two and one of the other, where nothing is paid."""
    spread = item("x", 5, alternative([2]), max_per_gpu=3, max_per_node=4)
    problem = instance([node_type("a", count=3), node_type("b")], [spread])
    prices = {"spread_gpu": [[0, priced, 23]], "spread_node": [[0, priced, 29]], "functions": [31]}
    cards, nodes = (6, 2)[priced], (3, 1)[priced]
    value = cards * (1 - 23 * 3 - 31 * 10) - nodes * 29 * 4
    tree = leaf(2, demand=[0], value=value, **prices)
    assert linear_bound(problem, certificate(tree, 1, [[priced, 0, "mt", 3]])) == 0


def simple(count: int = 3, **node_changes: Any) -> Document:
    """Replicas of six on cards of ten."""
    nodes = node_type(**({"count": 3} | node_changes))
    return instance([nodes], [item("x", count, alternative([6]))])


def paying(price: int, count: int = 3, **changes: Any) -> Document:
    """Six units of a price each, and nothing else."""
    return leaf(capacity=[[price]], demand=[6 * price], value=count * 6 * price) | changes


@pytest.mark.parametrize(
    ("price", "count", "bound"), [(1, 3, 2), (1, 5, 3), (0, 3, 0), (1, 10, 6), (1, 1, 1)]
)
def test_the_bound_is_rounded_up_to_whole_cards(price: int, count: int, bound: int) -> None:
    document = certificate(paying(price, count), 10)
    assert linear_bound(simple(count), document) == bound


def test_cards_of_nodes_that_are_gone_earn_nothing() -> None:
    problem = simple()
    problem["node_types"][0] |= {"count": 2, "unavailable": [1]}
    assert linear_bound(problem, certificate(paying(2, value=36 + 2 * (10 - 20)), 10)) == 2


def test_the_bound_is_a_sum_of_prices() -> None:
    problem = simple() | {"objective": "gpu_price"}
    problem["node_types"] += [node_type("b", gpu_price=9)]
    tree = paying(1) | {"capacity": [[1], [1]], "node": [[0], [0]]}
    tree |= {"gpu_node": [0, 0], "node_gpu": [0, 0]}
    assert linear_bound(problem, certificate(tree, 4)) == 6  # 18 / 4, in steps of three
    problem["node_types"][1]["gpu_price"] = 8
    assert linear_bound(problem, certificate(tree, 4)) == 5


def test_prices_of_nodes() -> None:
    problem = simple() | {"objective": "node_price"}
    # A node earns nothing from cards that are free only through the rows between them.
    tree = paying(1, gpu_node=[0], node_gpu=[10], value=18 + 6 * -20)
    assert linear_bound(problem, certificate(tree, 10)) == 0
    tree = paying(1, gpu_node=[10], node_gpu=[0], value=18)
    assert linear_bound(problem, certificate(tree, 3)) == 7  # a node of 21 gives 20
    tree["value"] = 18 + 3 * (14 - 20)
    assert linear_bound(problem, certificate(tree, 2)) == 0
    for unknown in ("watts", "euros"):
        with pytest.raises(ValueError, match="objective"):
            linear_bound(simple() | {"objective": unknown}, certificate(tree, 3))


def test_what_finds_no_room_on_free_cards_is_counted_in_ones() -> None:
    problem = simple(11, gpu_price=0) | {"objective": "gpu_price"}
    tree = paying(1, 11, value=11 * 6 - 6 * 10)
    assert linear_bound(problem, certificate(tree, 10)) == 1


def test_costs_and_prices_are_added() -> None:
    """Numbers that share digits in base two, on the sides of branches where they count."""
    problem = simple() | {"objective": "node_price"}
    cards = 6 * (7 - 3)
    left = leaf(demand=[0], node_gpu=[7], gpu_node=[3], value=-cards)
    right = left | {"value": 1 * (7 * 1 + 7 - 2 * 3) - cards}
    tree = {"on": ["z", 0], "at": 0, "left": left, "right": right}
    assert linear_bound(problem, certificate(tree, 1)) == 0
    problem = simple() | {"objective": "gpu_price"}
    left = leaf(demand=[0], node_gpu=[1], gpu_node=[3], value=3 * (1 - 2 * 3))
    right = left | {"value": left["value"] + 2 * (3 * 1 + 3 - 1)}
    tree = {"on": ["y", 0], "at": 1, "left": left, "right": right}
    assert linear_bound(problem, certificate(tree, 1)) == 0


def test_spread_on_cards_and_on_the_node_is_paid_together() -> None:
    wide = item("x", 1, alternative([2], [3]), max_per_gpu=1, max_per_node=1)
    prices = leaf(spread_gpu=[[0, 0, 23]], spread_node=[[0, 0, 29]])
    paid = 2 * 23 + 29
    tree = prices | {"demand": [paid], "value": paid - 29}  # a node costs nothing and earns 29
    assert linear_bound(instance([node_type()], [wide]), certificate(tree)) == 1


def test_free_cards_prove_nothing() -> None:
    problem = simple(gpu_price=0) | {"objective": "gpu_price"}
    assert linear_bound(problem, certificate(paying(0), 10)) == 0


def test_branches_keep_to_their_sides() -> None:
    """Up to two cards earn their cost and the demand is unpaid; three or more cost."""
    left = paying(2, value=36 + 1 * (10 - 20))
    right = paying(0, value=2 * 10)
    tree = {"on": ["y", 0], "at": 1, "left": left, "right": right}
    assert linear_bound(simple(), certificate(tree, 10)) == 2
    tree["left"] = paying(2, value=36 + 0 * (10 - 20))
    tree["at"] = 0
    tree["right"] = paying(0, value=10)
    assert linear_bound(simple(), certificate(tree, 10)) == 1


def test_branches_on_nodes_and_within_branches() -> None:
    problem = simple() | {"objective": "node_price"}

    def least(nodes: int) -> Document:
        return leaf(demand=[0], value=7 * 10 * nodes)

    inner = {"on": ["z", 0], "at": 1, "left": least(1), "right": least(2)}
    tree = {"on": ["z", 0], "at": 0, "left": least(0), "right": inner}
    assert linear_bound(problem, certificate(tree, 10)) == 0
    tree["left"] = least(0) | {"gpu_node": [1], "value": 0}
    assert linear_bound(problem, certificate(tree, 10)) == 0
    inner["left"] = least(0)
    with pytest.raises(ValueError, match="value of a leaf"):
        linear_bound(problem, certificate(tree, 10))


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"on": ["x", 0]}, "branching variable"),
        ({"at": 6}, "branching value"),
        ({"at": 7}, "branching value"),
        ({"at": -1}, "branching value"),
        ({"at": 1.0}, "branching"),
        ({"on": ["y", False]}, "branching"),
    ],
)
def test_branches_that_are_none(changes: Document, what: str) -> None:
    sides = {"left": paying(0), "right": paying(0, value=60)}
    tree = {"on": ["y", 0], "at": 5, **sides}
    assert linear_bound(simple(), certificate(tree, 10)) == 0
    with pytest.raises(ValueError, match=f"certificate's {what} does not"):
        linear_bound(simple(), certificate(tree | changes, 10))


def test_a_branch_may_not_widen_what_an_outer_one_narrowed() -> None:
    inner = {"on": ["y", 0], "at": 2, "left": paying(0), "right": paying(0)}
    tree = {"on": ["y", 0], "at": 2, "left": inner, "right": paying(0, value=30)}
    with pytest.raises(ValueError, match="branching value"):
        linear_bound(simple(), certificate(tree, 10))


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"capacity": [[-1]]}, "prices"),
        ({"node": [[1.0]]}, "prices"),
        ({"gpu_node": [-1]}, "prices"),
        ({"node_gpu": [True]}, "prices"),
        ({"functions": [-1]}, "prices"),
        ({"spread_gpu": [[0, 0, -1]]}, "prices"),
        ({"spread_node": [[0, 0, -1]]}, "prices"),
        ({"capacity": [[0], [0]]}, "rows per type"),
        ({"node": []}, "rows per type"),
        ({"capacity": [[0], [0]], "node": [[0], [0]]}, "rows per type"),
        ({"capacity": [], "node": []}, "rows per type"),
        ({"capacity": [[0, 0]]}, "dims"),
        ({"capacity": [[]]}, "dims"),
        ({"node": [[]]}, "dims"),
        ({"node": [[0, 0]]}, "dims"),
        ({"gpu_node": [0, 0]}, "rows per type"),
        ({"gpu_node": []}, "rows per type"),
        ({"node_gpu": [0, 0]}, "rows per type"),
        ({"node_gpu": []}, "rows per type"),
        ({"gpu_node": [0, 0], "node_gpu": [0, 0]}, "rows per type"),
        ({"gpu_node": [], "node_gpu": []}, "rows per type"),
        ({"functions": [0]}, "functions"),
    ],
)
def test_prices_of_the_wrong_form(changes: Document, what: str) -> None:
    assert linear_bound(simple(), certificate(paying(0))) == 0
    with pytest.raises(ValueError, match=f"certificate's {what} does not"):
        linear_bound(simple(), certificate(paying(0) | changes))


@pytest.mark.parametrize("scale", [0, -1, 1.0, True])
def test_scales_are_positive_whole_numbers(scale: Any) -> None:
    assert linear_bound(simple(), certificate(paying(0), 1)) == 0
    with pytest.raises(ValueError, match="scale"):
        linear_bound(simple(), certificate(paying(0), scale))


def pays(problem: Document, price: int, functions: Any = ()) -> bool:
    """Whether the one replica of a problem pays this where a unit of memory costs one."""
    types = len(problem["node_types"])
    prices = {"capacity": [[0 if functions else 1]] * types, "functions": [1] * len(functions)}
    tree = leaf(types, demand=[price], value=price) | prices
    try:
        linear_bound(problem, certificate(tree, MUCH, functions))
    except ValueError as refused:
        if "demand prices" not in str(refused):
            raise
        return False
    return True


@pytest.mark.parametrize(
    ("small", "fits"),
    [
        (alternative([10]), True),
        (alternative([11]), False),
        (alternative([5], [5]), True),
        (alternative([3], [3], [3]), False),
        (alternative([9], node=[100]), True),
        (alternative([9], node=[101]), False),
        (alternative([9], gpu_types=["A"]), True),
        (alternative([9], gpu_types=["B"]), False),
        (alternative([9], gpu_types=[]), True),
    ],
)
def test_places_that_count(small: Document, fits: bool) -> None:
    large = alternative([10], [10], node=[0])
    problem = instance([node_type()], [item("x", 1, small, large)])
    assert pays(problem, sum(share[0] for share in small["shares"]) if fits else 20)


def test_an_item_without_a_place_pays_nothing() -> None:
    assert pays(instance([node_type()], [item("x", 1, alternative([11]))]), 0)
    gone = node_type(unavailable=[0])
    assert pays(instance([gone], [item("x", 1, alternative([1]))]), 0)


@pytest.mark.parametrize(
    ("links", "cards", "fits"),
    [
        ([[0, 1], [2]], 2, True),
        ([[0], [1], [2]], 2, False),
        ([[0], [1], [2]], 1, True),
        ([[0, 1, 2]], 3, True),
        ([[0, 1], [1, 2]], 3, False),
        ([], 3, True),
    ],
)
@pytest.mark.parametrize("caps", [None, [[10], [10], [10]]])
def test_cards_within_one_link(links: Any, cards: int, fits: bool, caps: Any) -> None:
    joined = alternative(*[[2]] * cards, one_link=True)
    nodes = node_type(gpus=3, links=links, gpu_caps=caps)
    problem = instance([nodes], [item("x", 1, joined, alternative([7]))])
    assert pays(problem, 2 * cards if fits and 2 * cards < 7 else 7)


def test_one_card_is_within_any_link() -> None:
    """The larger card is in none."""
    nodes = node_type(gpu_cap=[12], gpu_caps=[[10], [12]], links=[[0]])
    assert pays(instance([nodes], [item("x", 1, alternative([12], one_link=True))]), 12)


@pytest.mark.parametrize(
    ("shares", "fits"),
    [
        ([[12], [3]], True),
        ([[3], [12]], True),
        ([[12], [4]], False),
        ([[4], [4]], False),
        ([[3], [3], [3]], False),
    ],
)
def test_unequal_cards_take_the_shares_in_any_order(shares: Any, fits: bool) -> None:
    nodes = node_type(gpu_cap=[12], gpu_caps=[[12], [3]])
    problem = instance([nodes], [item("x", 1, alternative(*shares))])
    assert pays(problem, sum(share[0] for share in shares) if fits else 0)


@pytest.mark.parametrize(
    ("family", "parameter", "share", "numerator", "denominator"),
    [
        ("fs", 1, 4, 0, 10),
        ("fs", 1, 5, 5, 10),
        ("fs", 1, 6, 10, 10),
        ("fs", 2, 7, 20, 20),
        ("fs", 3, 5, 15, 30),
        ("mt", 3, 2, 0, 10),
        ("mt", 3, 3, 3, 10),
        ("mt", 3, 7, 7, 10),
        ("mt", 3, 8, 10, 10),
        ("mt", 5, 5, 5, 10),
        ("ccm", 3, 4, 2, 6),
        ("ccm", 3, 5, 3, 6),
        ("ccm", 3, 6, 4, 6),
        ("ccm", 3, 8, 6, 6),
        ("ccm", 2, 6, 6, 10),
        ("ccm", 5, 5, 2, 4),
        ("ccm", 4, 3, 0, 4),
    ],
)
def test_dual_feasible_functions(
    family: str, parameter: int, share: int, numerator: int, denominator: int
) -> None:
    row = [0, 0, family, parameter]
    problem = instance([node_type()], [item("x", 1, alternative([share]))])
    assert pays(problem, numerator, [row])
    # Each of two cards costs four and earns the denominator.
    value = numerator + 2 * min(0, 4 - denominator)
    tree = leaf(functions=[1], demand=[numerator], value=value)
    assert linear_bound(problem, certificate(tree, 4, [row])) == (1 if value > 0 else 0)


@pytest.mark.parametrize(
    ("family", "parameter"), [("fs", 0), ("mt", 6), ("ccm", 6), ("mt", -1), ("fs", 1.0), ("f", 1)]
)
def test_functions_that_are_none(family: str, parameter: Any) -> None:
    problem = instance([node_type()], [item("x", 1, alternative([5]))])
    with pytest.raises(ValueError, match=r"function (parameter|family)"):
        linear_bound(problem, certificate(leaf(), MUCH, [[0, 0, family, parameter]]))


def test_a_function_counts_every_card_of_a_replica_on_its_type() -> None:
    """The largest card of a type is what the function is made for."""
    types = [node_type("a"), node_type("b", gpu_cap=[8], gpu_caps=[[8], [4]])]
    two = [item("x", 1, alternative([3], [4]))]
    assert pays(instance(types[1:], two), 3 + 8, [[0, 0, "mt", 3]]) is False
    assert pays(instance(types[1:], two), 3 + 4, [[0, 0, "mt", 3]])
    assert pays(instance(types, two), 0, [[1, 0, "mt", 3]])
    both = [[1, 0, "mt", 3], [0, 0, "mt", 4]]
    assert pays(instance(types, two), 4, both)
