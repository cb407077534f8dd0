"""Chosen sets of GPUs or nodes: which there are, how they are priced, and how they are filled."""

import itertools
import random
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from packer.solver import set_filling
from packer.solver.branching import objective_grid
from packer.solver.budget import BudgetSearch
from packer.solver.certificate_check import verify_solution
from packer.solver.columns import build_columns
from packer.solver.geometry import build_geometry
from packer.solver.incumbent import Incumbent
from packer.solver.instance import Instance, Placed
from packer.solver.instance_document import parse_instance
from packer.solver.packing import Packing
from packer.solver.phase_steps import QUICK, complete, fill, first_fit
from packer.solver.phases import STYLES
from packer.solver.room_pricing import RoomPricing
from packer.solver.set_filling import SetFilling, improve_together
from packer.solver.solution_document import format_solution
from packer.solver.solve import solve
from packer.solver.squeeze import Squeeze
from packer.solver.stopping import Clock, Limits
from packer.solver.ware_sets import Ware, cost_of, most_room, sets_between, wares

PLENTY = Clock(Limits(time_seconds=86_400.0, workers=1))


def node_type(name: str, count: int, capacity: int, price: int, gpus: int = 2) -> dict[str, Any]:
    shape = {"name": name, "gpu_type": name, "count": count, "gpus": gpus, "gpu_cap": [capacity]}
    return {**shape, "node_cap": [], "gpu_price": price, "node_price": gpus * price}


def item(name: str, count: int, *shares: int) -> dict[str, Any]:
    way = {"name": "a", "shares": [[share] for share in shares], "node": [], "gpu_types": None}
    none = {"max_per_gpu": None, "max_per_node": None, "max_per_zone": None}
    return {"name": name, "count": count, "alts": [{**way, "one_link": False}], **none}


def document(
    types: list[dict[str, Any]], items: list[dict[str, Any]], objective: str
) -> dict[str, Any]:
    head = {"schema": "gpupack/1", "name": "sets", "dims": ["vram_mib"], "node_dims": []}
    return {**head, "objective": objective, "node_types": types, "items": items, "constraints": []}


def tight_fleet(seed: int, gpus: int, used: int) -> dict[str, Any]:
    """GPUs of 1000, so much of each cut into three pieces: not every fill meets that at once."""
    draw = random.Random(seed)
    items = []
    for gpu in range(gpus):
        cuts = sorted(draw.sample(range(200, used - 200), 2))
        pieces = np.diff([0, *cuts, used]).tolist()
        items += [item(f"{gpu}-{k}", 1, one) for k, one in enumerate(pieces)]
    return document([node_type("n", gpus, 1000, 1)], items, "gpus")


def all_sets(offered: list[Ware], low: int, high: int) -> list[tuple[int, ...]]:
    every = itertools.product(*(range(one.count + 1) for one in offered))
    return [one for one in every if low <= cost_of(offered, one) < high]


@pytest.mark.parametrize("seed", range(20))
def test_all_sets_of_a_price_range_are_found(seed: int) -> None:
    draw = random.Random(seed)
    offered = [
        Ware(t, draw.randint(1, 9), draw.randint(1, 50), draw.randint(0, 4)) for t in range(4)
    ]
    low = draw.randint(0, 40)
    high = low + draw.randint(1, 20)
    expected = all_sets(offered, low, high)
    found = sets_between(offered, low, high, 10_000)
    assert found is not None
    assert sorted(found) == sorted(expected)
    assert [cost_of(offered, one) for one in found] == sorted(
        cost_of(offered, one) for one in expected
    )
    if expected:
        assert sets_between(offered, low, high, len(expected) - 1) is None


def room_of(offered: list[Ware], counts: tuple[int, ...]) -> int:
    return sum(n * one.room for n, one in zip(counts, offered, strict=True))


@pytest.mark.parametrize("seed", range(40))
def test_the_roomiest_sets_are_those_that_trying_every_set_finds(seed: int) -> None:
    draw = random.Random(seed)
    offered = [
        Ware(t, draw.randint(1, 9), draw.randint(1, 50), draw.randint(0, 4)) for t in range(4)
    ]
    budget = draw.randint(0, 60)
    rooms = sorted(
        (room_of(offered, one) for one in all_sets(offered, 0, budget + 1)), reverse=True
    )
    for most in (1, 2, 5):
        found = most_room(offered, budget, most)
        assert [room_of(offered, one) for one in found] == rooms[:most]
        assert all(cost_of(offered, one) <= budget for one in found)


@pytest.mark.parametrize(
    ("objective", "expected"),
    [
        ("gpu_price", [Ware(0, 4, 100, 6), Ware(1, 11, 300, 4)]),
        ("node_price", [Ware(0, 8, 200, 3), Ware(1, 22, 600, 2)]),
    ],
)
def test_what_is_paid_for_is_what_is_bought(objective: str, expected: list[Ware]) -> None:
    types = [node_type("a", 3, 100, 4), node_type("c", 2, 300, 11)]
    geometry = build_geometry(parse_instance(document(types, [item("i", 1, 60)], objective)))
    assert wares(geometry) == expected


def test_looking_for_sets_ends_where_hardly_any_meets_the_price() -> None:
    offered = [Ware(t, 20 + 2 * t, 10, 60) for t in range(4)]
    assert sets_between(offered, 2_001, 2_002, 10) is None, "211,000 looks, and none at all"
    assert sets_between(offered[:2], 2_001, 2_002, 10) == []


def test_wares_without_a_price_are_bought_whole() -> None:
    offered = [Ware(0, 0, 10, 3), Ware(1, 5, 10, 2)]
    assert sets_between(offered, 0, 6, 9) == [(3, 0), (3, 1)]


def test_a_set_is_priced_by_the_room_it_needs() -> None:
    types = [node_type("small", 2, 100, 1), node_type("large", 2, 300, 9)]
    instance = parse_instance(document(types, [item("a", 3, 90), item("b", 2, 250)], "node_price"))
    pricing = RoomPricing(instance, build_columns(instance), PLENTY)
    assert pricing.room_needed((4, 0), (2, 0)) is None, "b fits on no small GPU"
    assert pricing.room_needed((0, 2), (0, 1)) is None, "770 of 600"
    needed = pricing.room_needed((4, 2), (2, 1))
    assert needed == pytest.approx(770)
    prices = pricing.prices((4, 2), (2, 1))
    assert prices is not None
    assert prices.room == pytest.approx(770)
    first, second = prices.weights
    assert 0 < first < second
    assert 3 * first + 2 * second >= prices.room - 1e-6, "what they pay covers the room"


def test_ways_about_as_cheap_as_any_are_kept_for_the_filling() -> None:
    ways = item("a", 9, 200)
    ways["alts"] += item("a", 9, 203)["alts"] + item("a", 9, 230)["alts"]
    types = [node_type("n", 3, 1000, 1, gpus=1)]
    instance = parse_instance(document(types, [ways, item("b", 3, 300)], "gpus"))
    prices = RoomPricing(instance, build_columns(instance), PLENTY).prices((3,), (3,))
    assert prices is not None
    assert prices.kept == ((0, 1), (0,))


def test_gpus_of_a_set_are_on_as_many_nodes_as_it_has() -> None:
    types = [node_type("n", 2, 100, 1)]
    instance = parse_instance(document(types, [item("a", 3, 90)], "node_price"))
    pricing = RoomPricing(instance, build_columns(instance), PLENTY)
    assert pricing.room_needed((4,), (2,)) == pytest.approx(270)
    assert pricing.room_needed((4,), (1,)) is None


def test_large_pieces_rule_a_set_out_that_has_room_by_volume() -> None:
    """Three pieces of 60 need three GPUs of 100, though their sum needs only two."""
    types = [node_type("n", 3, 100, 1, gpus=1)]
    instance = parse_instance(document(types, [item(f"i{k}", 1, 60) for k in range(3)], "gpus"))
    pricing = RoomPricing(instance, build_columns(instance), PLENTY)
    assert pricing.room_needed((2,), (3,)) == pytest.approx(180)
    assert pricing.prices((2,), (3,)) is None
    assert pricing.prices((3,), (3,)) is not None


def filling_of(instance: Instance, gpus: int, seed: int) -> SetFilling:
    pricing = RoomPricing(instance, build_columns(instance), PLENTY)
    prices = pricing.prices((gpus,), (len(instance.node_types[0].available),))
    assert prices is not None
    allowed = np.arange(len(pricing.geometry.gpu_node)) < gpus
    return SetFilling(Packing(pricing.geometry), allowed, prices, PLENTY, seed)


@pytest.mark.parametrize("seed", range(4))
def test_search_alone_brings_everything_in(seed: int) -> None:
    filling = filling_of(parse_instance(tight_fleet(seed, 10, 970)), 10, seed)
    before = filling.left_over()
    assert not filling.improve(1, lambda: True)
    assert 0 < filling.left_over() < before
    assert filling.improve(800, lambda: True), filling.left_over()
    assert filling.left_over() == 0
    assert not filling.packing.missing()
    assert (filling.packing.free >= 0).all()
    assert not filling.packing.gpu_replicas[10:].any(), "outside of the set"


@pytest.mark.parametrize("seed", [1, 7])
def test_what_stays_left_over_weighs_more_and_more(seed: int) -> None:
    """A thousandth of the room is spare in three: by equal weights 240 steps are not enough."""
    filling = filling_of(parse_instance(tight_fleet(seed, 6, 997)), 6, seed)
    assert filling.improve(60, lambda: True), filling.left_over()


@pytest.mark.parametrize("seed", [1, 2])
def test_search_does_not_stand_still_where_nothing_gets_better(seed: int) -> None:
    """Among steps that leave the same over, some move what is placed."""
    filling = filling_of(parse_instance(tight_fleet(seed, 6, 997)), 6, seed)
    states = [(filling.packing.missing(), sorted(filling.packing.placed))]
    while not filling.improve(1, lambda: True):
        states.append((filling.packing.missing(), sorted(filling.packing.placed)))
    moved = [
        before != after
        for (missing, before), (still, after) in itertools.pairwise(states)
        if missing == still
    ]
    assert any(moved)


def test_sets_side_by_side_end_as_they_do_one_by_one() -> None:
    instance = parse_instance(tight_fleet(2, 10, 970))
    alone = [filling_of(instance, 10, seed) for seed in (3, 4)]
    together = [filling_of(instance, 10, seed) for seed in (3, 4)]
    for one in alone:
        one.improve(5, lambda: True)
    improve_together(together, 5, lambda: True)
    assert [one.packing.placed for one in together] == [one.packing.placed for one in alone]
    assert [one.steps for one in together] == [one.steps for one in alone]
    assert all(one.steps > 1 for one in together)


def test_an_error_in_one_set_ends_the_others() -> None:
    instance = parse_instance(tight_fleet(2, 10, 970))
    broken, endless = (filling_of(instance, 10, seed) for seed in (3, 4))
    asked = 0

    def fail_at_once() -> bool:
        nonlocal asked
        asked += 1
        if asked == 4:
            raise KeyboardInterrupt
        return True

    with pytest.raises(KeyboardInterrupt):
        improve_together([broken, endless], 10**6, fail_at_once)
    assert broken.steps + endless.steps < 300


def test_ctrl_c_while_sets_are_handed_out_ends_those_at_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Pressed(ThreadPoolExecutor):
        def submit(self, *arguments: Any, **named: Any) -> Future[Any]:
            super().submit(*arguments, **named)
            raise KeyboardInterrupt

    monkeypatch.setattr(set_filling, "ThreadPoolExecutor", Pressed)
    instance = parse_instance(tight_fleet(0, 10, 995))
    fillings = [filling_of(instance, 10, seed) for seed in (3, 4)]
    with pytest.raises(KeyboardInterrupt):
        improve_together(fillings, 1000, lambda: True)
    assert sum(one.steps for one in fillings) < 30


class CountingClock(Clock):
    """A clock that counts how often it is asked, and in the end says that time is up."""

    asked = 0

    def has_time(self) -> bool:
        self.asked += 1
        return self.asked < 2000


@pytest.mark.parametrize("seed", [0, 1])
def test_squeezing_ends_by_its_steps(seed: int) -> None:
    """Ten GPUs are enough and nine are not: without a limit it goes on until no try is left."""
    fleet = tight_fleet(seed, 10, 990)
    random.Random(seed).shuffle(fleet["items"])
    instance = parse_instance(fleet)
    start, clock = next_fit(instance), CountingClock(PLENTY.limits)
    assert start.objective == 12
    list(Squeeze(start, build_columns(instance), clock).run(0, 8))
    assert clock.asked < 30


def test_a_fill_is_kept_only_where_it_leaves_less_over() -> None:
    instance = parse_instance(tight_fleet(1, 10, 970))
    filling = filling_of(instance, 10, 0)
    assert filling.fill(build_columns(instance), [None], [QUICK])
    complete = filling.packing
    assert filling.fill(build_columns(instance), [None], [QUICK])
    assert filling.packing is complete


def test_search_takes_no_step_when_told_so() -> None:
    filling = filling_of(parse_instance(tight_fleet(1, 10, 970)), 10, 0)
    assert not filling.improve(5, lambda: False)
    assert not filling.packing.placed


def two_capacities(seed: int, gpus: int, used: int) -> dict[str, Any]:
    """As the tight fleet, with a second capacity cut up by itself."""
    draw = random.Random(seed)
    items = []
    for gpu in range(gpus):
        cuts = [sorted(draw.sample(range(100, used - 100), 2)) for _ in range(2)]
        first, second = (np.diff([0, *cut, used]).tolist() for cut in cuts)
        for k in range(3):
            items.append(item(f"{gpu}-{k}", 1, 0))
            items[-1]["alts"][0]["shares"] = [[first[k], second[k]]]
    fleet = document([node_type("n", gpus // 2, 1000, 1)], items, "gpus")
    fleet["node_types"][0]["gpu_cap"] = [1000, 1000]
    return {**fleet, "dims": ["vram_mib", "bw_gbps"]}


def test_search_finds_a_first_plan_where_no_fill_does() -> None:
    found = 0
    for seed in range(6):
        run = Incumbent(parse_instance(two_capacities(seed, 8, 930)), PLENTY.limits, None)
        for style in (QUICK, *STYLES):
            fill(run, style)
        first_fit(run)
        if run.placed is not None:
            continue
        complete(run, 0)
        assert run.placed is None, "no steps, no plan"
        complete(run, 300)
        assert run.objective == 8
        before = run.placed
        complete(run, 300)
        assert run.placed is before, "only where there is none"
        found += 1
    assert found >= 3, "fills did it alone: this test shows nothing"


def next_fit(instance: Instance) -> Packing:
    """One GPU after another, in the order of the items: far from full."""
    packing = Packing(build_geometry(instance))
    gpu = 0
    for one in instance.items:
        (share,) = one.alternatives[0].shares[0]
        gpu += share > packing.free[gpu, 0]
        packing.place(Placed(one.name, 0, 0, gpu // 2, (gpu % 2,)))
    return packing


@pytest.mark.parametrize("seed", range(3))
def test_gpus_are_given_up_and_what_they_ran_finds_room(seed: int) -> None:
    fleet = tight_fleet(seed, 10, 940)
    random.Random(seed).shuffle(fleet["items"])
    instance = parse_instance(fleet)
    start = next_fit(instance)
    assert start.objective > 11
    found = list(Squeeze(start, build_columns(instance), PLENTY).run(10, 3000))
    assert [one.objective for one in found] == list(range(start.objective - 1, 9, -1))
    assert not found[-1].missing()
    assert (found[-1].free >= 0).all()


def test_two_gpus_are_given_up_for_a_larger_one() -> None:
    """Two pieces of 90 need two small GPUs or a large one; leaving one small GPU out never fits."""
    types = [node_type("small", 2, 100, 3, gpus=1), node_type("large", 1, 200, 5, gpus=1)]
    instance = parse_instance(document(types, [item("a", 2, 90)], "gpu_price"))
    geometry, columns = build_geometry(instance), build_columns(instance)
    start = solve_on_small(instance)
    assert start.objective == 6
    found = list(Squeeze(Packing(geometry, start.placed), columns, PLENTY).run(5, 3000))
    assert [one.objective for one in found] == [5]


def solve_on_small(instance: Instance) -> Packing:
    geometry = build_geometry(instance)
    small = geometry.gpu_type == 0
    pricing = RoomPricing(instance, build_columns(instance), PLENTY)
    prices = pricing.prices((2, 0), (2, 0))
    assert prices is not None
    filling = SetFilling(Packing(pricing.geometry), small, prices, PLENTY, 0)
    assert filling.improve(50, lambda: True)
    return Packing(geometry, filling.packing.placed)


def mixed_nodes(seed: int) -> dict[str, Any]:
    draw = random.Random(seed)
    types = [node_type("a", 3, 100, 4), node_type("b", 3, 170, 6), node_type("c", 2, 300, 11)]
    items = [item(f"i{k}", draw.randint(1, 2), draw.randint(20, 95)) for k in range(6)]
    items.append(item("wide", 1, 90, 80))
    return document(types, items, "node_price")


@pytest.mark.parametrize("seed", range(12))
def test_the_cheapest_nodes_are_those_that_trying_every_set_finds(seed: int) -> None:
    instance = parse_instance(mixed_nodes(seed))
    geometry, columns = build_geometry(instance), build_columns(instance)
    dearest = int(geometry.node_cost.sum()) + 1
    search = BudgetSearch(geometry, columns, [QUICK], PLENTY)
    found = list(search.run(0, dearest, objective_grid(instance), 0.05))
    assert [one.objective for one in found] == sorted({one.objective for one in found})[::-1]
    exact = solve(instance, Limits(time_seconds=60.0))
    assert exact.objective == exact.bound
    assert found[-1].objective == exact.objective
    assert not found[-1].missing()
    assert (found[-1].free >= 0).all()


def test_a_set_of_nodes_is_taken_from_every_zone_alike() -> None:
    nodes = node_type("n", 6, 100, 7, gpus=1) | {"zones": {"z0": 2, "z1": 2, "z2": 2}}
    dear = node_type("dear", 1, 100, 9, gpus=1)
    items = [item("a", 3, 60) | {"max_per_zone": 1}]
    instance = parse_instance(document([nodes, dear], items, "node_price"))
    geometry = build_geometry(instance)
    search = BudgetSearch(geometry, build_columns(instance), [QUICK], PLENTY)
    found = list(search.run(0, 28, objective_grid(instance), 0.05))
    assert [one.objective for one in found] == [21], "the incumbent has a node more"


def test_sets_without_room_are_proven_to_have_none() -> None:
    """LP room costs next to nothing where a hair is missing; the bound is the next set's price."""
    types = [node_type("n", 5, 1000, 40, gpus=1), node_type("dear", 2, 1000, 47, gpus=1)]
    items = [item("i", 1, 1000), item("j", 1, 1000), item("k", 1, 1000), item("hair", 1, 1)]
    given = document(types, items, "node_price")
    instance = parse_instance(given)
    solution = solve(instance, Limits(time_seconds=20.0))
    assert (solution.objective, solution.bound) == (160, 160)
    written = format_solution(solution)
    assert verify_solution(given, written).objective == 160


def told(given: dict[str, Any], gap: float) -> tuple[list[str], int | None]:
    """Phases of a solve that found something better, and what came of it."""
    phases: list[str] = []
    limits = Limits(time_seconds=300.0, workers=1, gap=gap)
    solution = solve(parse_instance(given), limits, lambda one: phases.append(one.phase))
    return phases, solution.objective


def test_a_solve_looks_for_a_first_plan_by_search() -> None:
    """26 GPUs are too many for the exact model of everything to come first."""
    phases, objective = told(two_capacities(0, 26, 940), 0.05)
    assert objective == 26
    assert [one for one in phases if one != "bound"] == ["search"]


def test_a_solve_gives_up_a_gpu_by_search() -> None:
    given = two_capacities(0, 26, 900)
    random.Random(0).shuffle(given["items"])
    phases, objective = told(given, 0.05)
    assert objective == 25
    assert [one for one in phases if one != "bound"] == ["first fit", "squeeze"]
