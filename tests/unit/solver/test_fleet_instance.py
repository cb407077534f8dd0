"""A fleet on an inventory as a neutral instance: whole MiB, node types, prices, rules."""

from dataclasses import replace
from decimal import Decimal

import pytest

from packer.domain.node import Inventory, Price, Sharing
from packer.domain.workload import Fleet, Headroom, Objective, Spread
from packer.solver import instance as neutral
from packer.solver.candidates import find_candidates
from packer.solver.fleet_instance import FleetInstance, fleet_instance
from packer.solver.instance import Placed
from packer.solver.offers import offers_of
from packer.units import MIB
from tests.small_fleets import BUILD, fleet, gpu, inventory, pool, workload

CARD = gpu(3000)


def built(asked: Fleet, there: Inventory) -> FleetInstance:
    offers = offers_of(there, asked.headroom)
    sets = [find_candidates(one, offers, build=BUILD) for one in asked.workloads]
    return fleet_instance(asked, there, sets)


def test_shares_are_rounded_up_and_room_is_rounded_down() -> None:
    odd = replace(CARD, allocatable_bytes=3000 * MIB - 1)
    packed = built(fleet(workload("a")), inventory(pool("p", odd, host_memory_bytes=9 * MIB + 5)))
    (node_type,) = packed.instance.node_types
    assert node_type.gpu_cap == (2999,)
    assert node_type.node_cap == (9,)
    packed = built(fleet(workload("a")), inventory(pool("p", CARD)))
    (alternative,) = packed.instance.items[0].alternatives
    (candidate,) = packed.candidates["a"]
    ((share,),) = alternative.shares
    assert 0 <= share * MIB - candidate.shares_bytes[0] < MIB
    assert 0 <= alternative.node[0] * MIB - candidate.host_bytes < MIB


def test_nodes_differ_by_what_others_hold() -> None:
    taken = {"p-1": {1: 100 * MIB + 1}, "p-2": {0: 4000 * MIB}}
    there = inventory(pool("p", CARD, 2, 4, taken=taken, zones={"x": 1, "y": 3}))
    packed = built(fleet(workload("a"), headroom=Headroom(10 * MIB, 0)), there)
    first, second, third = packed.instance.node_types
    assert (first.count, first.gpu_caps, first.gpu_cap) == (2, (), (2990,))
    assert first.zones == (("x", 1), ("y", 1))
    assert second.gpu_caps == ((2990,), (2889,))
    assert third.gpu_caps == ((0,), (2990,))
    assert [nodes for _, nodes in packed.sites] == [(0, 3), (1,), (2,)]


def test_nodes_that_are_away_are_counted_within_their_type() -> None:
    there = inventory(
        pool("p", CARD, 1, 3, taken={"p-0": {0: 1}}, unavailable=("p-2",)),
        pool("q", CARD, 1, 0),
    )
    types = built(fleet(workload("a")), there).instance.node_types
    assert [one.unavailable for one in types] == [frozenset(), frozenset({1})]
    assert types[0].zones == ((neutral.DEFAULT_ZONE, 1),)


@pytest.mark.parametrize(
    ("prices", "scale", "integers"),
    [
        (("2.50", "1.2"), 10, [25, 12]),
        (("2.505", "10"), 1000, [2505, 10000]),
        (("7", "1E+1"), 1, [7, 10]),
        (("0.000001", None), 10**6, [1, 0]),
    ],
)
def test_money_is_scaled_to_whole_numbers(
    prices: tuple[str | None, ...], scale: int, integers: list[int]
) -> None:
    known = [Price(Decimal(one)) if one else Price(None) for one in prices]
    pools = [pool(f"p{i}", CARD, price=one) for i, one in enumerate(known)]
    packed = built(fleet(workload("a"), objective=Objective.PRICE), inventory(*pools))
    assert packed.instance.objective is neutral.Objective.NODE_PRICE
    assert packed.money_scale == scale
    assert [one.node_price for one in packed.instance.node_types] == integers
    assert packed.value(integers[0]) == Decimal(prices[0] or 0)


def test_cards_are_counted_as_they_are() -> None:
    packed = built(fleet(workload("a")), inventory(pool("p", CARD, price=Price(Decimal("0.5")))))
    assert packed.instance.objective is neutral.Objective.GPUS
    assert packed.value(7) == 7


def test_rules_become_limits_and_constraints() -> None:
    asked = fleet(
        workload("a", replicas=2, spread=Spread.NODE),
        workload("b", replicas=2, spread=Spread.ZONE),
        workload("c"),
        keep_apart=(("a", "b"),),
        keep_together=(("a", "c", "b"),),
    )
    packed = built(asked, inventory(pool("p", CARD)))
    limits = [
        (one.max_per_gpu, one.max_per_node, one.max_per_zone) for one in packed.instance.items
    ]
    assert limits == [(None, 1, None), (None, None, 1), (None, None, None)]
    apart, *together = packed.instance.constraints
    assert (apart.rule, apart.items) == (neutral.Rule.ANTI_AFFINITY, ("a", "b"))
    assert {one.rule for one in together} == {neutral.Rule.AFFINITY}
    assert [one.items for one in together] == [
        ("a", "c"),
        ("a", "b"),
        ("c", "a"),
        ("c", "b"),
        ("b", "a"),
        ("b", "c"),
    ]
    assert {one.scope for one in packed.instance.constraints} == {neutral.Scope.NODE}


def test_a_router_takes_one_replica_of_a_workload() -> None:
    there = inventory(pool("p", CARD, sharing=Sharing.WHOLE), pool("q", CARD))
    asked = fleet(workload("a", replicas=2), workload("b"))
    assert [one.max_per_gpu for one in built(asked, there).instance.items] == [1, None]


def test_a_split_stays_within_one_link_group() -> None:
    there = inventory(pool("p", gpu(1700), 4, link_groups=((0, 1), (2, 3))))
    packed = built(fleet(workload("a", context_per_slot=8192)), there)
    split = [one for one in packed.instance.items[0].alternatives if len(one.shares) > 1]
    assert split
    assert all(one.one_link for one in split)
    assert packed.instance.node_types[0].links == ((0, 1), (2, 3))


def test_placements_come_back_as_replicas_on_named_nodes() -> None:
    there = inventory(pool("p", CARD, 2, 3, taken={"p-0": {1: MIB}}))
    packed = built(fleet(workload("a", replicas=3)), there)
    placed = [
        Placed("a", 0, 1, 1, (0,)),
        Placed("a", 0, 0, 0, (0,)),
        Placed("a", 0, 1, 0, (1,)),
    ]
    found = [(one.replica, one.node_name, one.gpus) for one in packed.assignments(placed)]
    assert found == [(0, "p-0", (0,)), (1, "p-1", (1,)), (2, "p-2", (0,))]
