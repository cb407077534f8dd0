"""Budgets: halved down to the bound, each with the roomiest sets it buys, by few enough steps."""

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import pytest

from packer.solver import budget, set_filling
from packer.solver.branching import objective_grid
from packer.solver.budget import BudgetSearch
from packer.solver.columns import build_columns
from packer.solver.geometry import build_geometry
from packer.solver.instance import Instance, Placed
from packer.solver.instance_document import parse_instance
from packer.solver.packing import Packing
from packer.solver.phase_steps import QUICK
from packer.solver.room_pricing import RoomPricing
from packer.solver.search import Search, run_search
from packer.solver.set_filling import SetFilling
from packer.solver.stopping import Clock, Limits
from tests.tiny_packing import Document, alternative, instance, item, node_type

PLENTY = Clock(Limits(time_seconds=86_400.0, workers=1))


def one_each(name: str, count: int, capacity: int, price: int) -> Document:
    return node_type(name, count=count, gpus=1, gpu_cap=[capacity], node_price=price)


def paid_by_node(types: list[Document], sizes: Sequence[int]) -> Instance:
    items = [item(f"i{k}", 1, alternative([size])) for k, size in enumerate(sizes)]
    return parse_instance(instance(types, items, objective="node_price"))


def found_between(
    given: Instance, low: int, high: int, effort: float, most: int = 40
) -> list[Packing]:
    search = BudgetSearch(build_geometry(given), build_columns(given), [QUICK], PLENTY)
    return list(islice(search.run(low, high, objective_grid(given), effort), most))


def pieces(seed: int, gpus: int, used: int) -> list[int]:
    """So much of each GPU cut into three."""
    draw = random.Random(seed)
    cuts = [sorted(draw.sample(range(200, used - 200), 2)) for _ in range(gpus)]
    return [piece for cut in cuts for piece in np.diff([0, *cut, used]).tolist()]


@pytest.fixture
def many_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every instance has more sets than are looked at one by one."""
    monkeypatch.setattr(budget, "MOST_SETS", 0)


@pytest.mark.usefixtures("many_sets")
@pytest.mark.parametrize("below", range(9))
@pytest.mark.parametrize("needed", [1, 4, 7])
def test_halving_budgets_ends_at_the_least_that_is_enough(needed: int, below: int) -> None:
    """The roomiest set of a budget is of roomy nodes as far as it goes, and fits at once."""
    types = [one_each("roomy", 9, 100, 8), one_each("cheap", 9, 95, 7)]
    given = paid_by_node(types, [95] * needed)
    least = 7 * needed
    costs = [one.objective for one in found_between(given, least - below, 90, effort=0.0)]
    assert costs[-1:] == [least]
    assert costs == sorted(set(costs), reverse=True), "each cheaper than the one before"


@pytest.mark.usefixtures("many_sets")
@pytest.mark.parametrize("seed", [4, 5])
def test_the_next_cheaper_sets_are_searched_where_no_fill_is_complete(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sets as dear as the incumbent have more room, and must not take the only try."""
    monkeypatch.setattr(budget, "TRIES", 1)
    types = [one_each("n", 15, 1000, 7), one_each("dear", 1, 1000, 14)]
    given = paid_by_node(types, pieces(seed, 12, 990))
    assert not found_between(given, 84, 91, effort=0.0), "a fill did it: this shows nothing"
    assert [one.objective for one in found_between(given, 84, 91, effort=0.3)] == [84]


def test_steps_of_all_sets_together_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten sets nearly full, each worth 13 steps in three rounds; 30 are allowed."""
    taken: list[SetFilling] = []

    class Counted(SetFilling):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            taken.append(self)

    monkeypatch.setattr(budget, "SetFilling", Counted)
    types = [one_each("n", 10, 1000, 10), one_each("dear", 10, 1000, 11)]
    given = paid_by_node(types, pieces(1, 10, 995))
    assert not found_between(given, 100, 110, effort=0.01)
    assert len(taken) == 10
    steps = sum(one.steps for one in taken)
    assert 30 <= steps < 30 + 9, steps


def two_wide(rules: list[Document]) -> Instance:
    """Two nodes of two GPUs; ``wide`` takes both of one."""
    types = [node_type("n", count=2, gpus=2, gpu_cap=[10])]
    items = [item("wide", 1, alternative([6], [6])), item("a", 1, alternative([4]))]
    return parse_instance(instance(types, items, constraints=rules))


def test_only_replicas_with_all_their_gpus_inside_are_within() -> None:
    packing = Packing(build_geometry(two_wide([])))
    wide, single = Placed("wide", 0, 0, 0, (0, 1)), Placed("a", 0, 0, 1, (1,))
    for one in (wide, single):
        packing.place(one)
    assert packing.within([0]) == []
    assert packing.within([1, 2]) == []
    assert packing.within([0, 1]) == [wide]
    assert packing.within([3]) == [single]
    assert packing.within([1, 3]) == [single]


def test_a_set_is_not_complete_before_those_that_belong_together_are() -> None:
    together = {"type": "affinity", "items": ["a", "wide"], "scope": "node"}
    given = two_wide([together])
    pricing = RoomPricing(given, build_columns(given), PLENTY)
    prices = pricing.prices((4,), (2,))
    assert prices is not None
    for node, is_complete in ((1, False), (0, True)):
        placed = [Placed("wide", 0, 0, 0, (0, 1)), Placed("a", 0, 0, node, (0,))]
        start = Packing(pricing.geometry, placed)
        filling = SetFilling(start, np.ones(4, dtype=bool), prices, PLENTY, 0)
        assert not filling.packing.missing()
        assert filling.is_complete() is is_complete
        assert filling.improve(3, lambda: True) is is_complete


def test_steps_of_a_set_run_on_one_thread_within_the_time_of_the_solve(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Several threads would find other placements each time, and starting them takes longer."""
    clocks: list[Clock] = []

    def watched(exact: Any, minimise: Any, clock: Clock, **named: Any) -> Search:
        clocks.append(clock)
        return run_search(exact, minimise, clock, **named)

    monkeypatch.setattr(set_filling, "run_search", watched)
    given = paid_by_node([one_each("n", 10, 1000, 10)], pieces(1, 10, 995))
    clock = Clock(replace(PLENTY.limits, workers=4), reserved=100.0, started=PLENTY.started - 50.0)
    pricing = RoomPricing(given, build_columns(given), clock)
    prices = pricing.prices((10,), (10,))
    assert prices is not None
    SetFilling(Packing(pricing.geometry), np.ones(10, dtype=bool), prices, clock, 0).improve(
        2, lambda: True
    )
    assert [one.limits.workers for one in clocks] == [1, 1]
    assert {(one.reserved, one.started) for one in clocks} == {(100.0, clock.started)}
