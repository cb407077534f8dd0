"""What a plan costs with fewer ways to run an item, against trying everything."""

import copy
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from packer.solver import narrowed
from packer.solver.instance import Placed
from packer.solver.instance_document import parse_instance
from packer.solver.narrowed import Narrowed, narrowed_objective
from packer.solver.solve import solve
from packer.solver.stopping import Limits
from tests.packing_brute_force import optimum
from tests.packing_strategies import Document, tiny_instances
from tests.tiny_packing import alternative, instance, item, node_type

LIMITS = Limits(time_seconds=600, workers=1)


def asked(wide: Document, name: str, kept: int, *, searches: bool = True) -> Narrowed:
    """The question of one item with one of its alternatives alone."""
    problem = parse_instance(wide)
    plan = solve(problem, LIMITS)
    assert plan.objective is not None
    items = tuple(
        replace(one, alternatives=(one.alternatives[kept],)) if one.name == name else one
        for one in problem.items
    )
    others = [one for one in plan.placed if one.item != name]
    narrow = replace(problem, items=items)
    return narrowed_objective(narrow, others, plan.bound or 0, LIMITS, searches=searches)


@given(tiny_instances(), st.data())
@settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
def test_answers_are_those_of_trying_everything(wide: Document, data: st.DataObject) -> None:
    assume(optimum(wide) is not None)
    position = data.draw(st.integers(0, len(wide["items"]) - 1))
    ways = wide["items"][position]["alts"]
    kept = data.draw(st.integers(0, len(ways) - 1))
    narrow = copy.deepcopy(wide)
    narrow["items"][position]["alts"] = [ways[kept]]
    best = optimum(narrow)
    answer = asked(wide, wide["items"][position]["name"], kept)
    assert answer == Narrowed(best, proven=True)
    quick = asked(wide, wide["items"][position]["name"], kept, searches=False)
    assert quick.objective is None or (best is not None and quick.objective >= best)
    assert not quick.proven or quick.objective == best


def wide_or_narrow(count: int = 2) -> Document:
    """``a`` needs a card of its own in its better way, and leaves half of one in its other."""
    ways = (alternative([10]), alternative([5]))
    items = [item("a", 1, *ways), item("b", count, alternative([5], [5]), alternative([5]))]
    return instance([node_type(gpus=3)], items)


def test_what_fits_beside_the_plan_needs_no_search() -> None:
    assert asked(wide_or_narrow(), "a", 1, searches=False) == Narrowed(2, proven=True)


def test_what_opens_a_card_is_proven_by_a_bound_of_its_own() -> None:
    assert asked(wide_or_narrow(1), "a", 0, searches=False) == Narrowed(2, proven=True)


@pytest.mark.parametrize(
    ("objective", "least"), [("gpus", 2), ("gpu_price", 6), ("node_price", 14)]
)
def test_searches_of_some_gpus_at_a_time_exchange_what_the_plan_placed(
    objective: str, least: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(narrowed, "SEARCHED_SPOTS", 0)
    if objective != "node_price":
        monkeypatch.setattr(narrowed, "NODE_STEPS", 0)
    # A ten and a six on each card: the seven has room only where both sixes are.
    items = [
        item("a", 1, alternative([7])),
        item("b", 2, alternative([10])),
        item("c", 2, alternative([6])),
    ]
    problem = parse_instance(
        instance([node_type(count=4, gpus=1, gpu_cap=[20])], items, objective=objective)
    )
    placed = [Placed(name, 0, 0, node, (0,)) for name in "bc" for node in (0, 1)]
    quick = narrowed_objective(problem, placed, least, LIMITS, searches=False)
    assert quick == Narrowed(least * 3 // 2, proven=False)
    assert narrowed_objective(problem, placed, least, LIMITS) == Narrowed(least, proven=True)
    dearer = least * 3 // 2
    known = narrowed_objective(problem, placed, dearer, LIMITS, searches=False)
    assert known == Narrowed(dearer, proven=True)
