"""Re-planning: what runs stays where it can, and moves only for a reason."""

from dataclasses import replace

import pytest

from packer.solver.columns import build_columns
from packer.solver.geometry import build_geometry
from packer.solver.incumbent import Incumbent
from packer.solver.instance import Alternative, Current, Instance, Item, NodeType, Objective, Placed
from packer.solver.instance_document import parse_instance
from packer.solver.moving import count_moves
from packer.solver.outcome import Moves
from packer.solver.packing import Packing
from packer.solver.phase_steps import QUICK, bring_back
from packer.solver.repack import repaired, still_valid
from packer.solver.solve import solve
from packer.solver.stopping import Limits
from tests.packing_instances import packing_document

LIMITS = Limits(time_seconds=600, workers=1, effort=0.1)


def replan() -> Instance:
    return parse_instance(packing_document("replan-d100-64"))


def test_far_fewer_moves_than_from_scratch_at_about_the_same_cost() -> None:
    instance = replan()
    solution = solve(instance, replace(LIMITS, effort=0.4))
    scratch = solve(replace(instance, current=None), LIMITS)
    moves = count_moves(instance, scratch.placed)
    assert solution.moves is not None
    assert moves is not None
    assert solution.moves.moved < 0.5 * moves.moved
    assert (solution.objective or 0) <= (scratch.objective or 0) + 3


def test_a_plan_from_scratch_brings_back_what_need_not_move() -> None:
    instance = replan()
    scratch = solve(replace(instance, current=None), LIMITS)
    run = Incumbent(instance, LIMITS, None)
    run.placed, run.objective = scratch.placed, scratch.objective
    before = count_moves(instance, scratch.placed)
    bring_back(run)
    after = count_moves(instance, run.placed)
    assert before is not None
    assert after is not None
    assert before.moved > before.kept
    assert after.moved < before.moved - 20
    assert run.objective == scratch.objective


def test_few_moves_are_left_as_they_are() -> None:
    instance = replan()
    run = Incumbent(instance, LIMITS, None)
    repaired_plan = repaired(run.geometry, run.columns, QUICK, lambda: True)
    run.replace(repaired_plan)
    placed = run.placed
    bring_back(run)
    assert run.placed is placed


def test_the_first_plan_is_a_repair() -> None:
    instance = replan()
    geometry = build_geometry(instance)
    packing = repaired(geometry, build_columns(instance), QUICK, lambda: True)
    moves = count_moves(instance, packing.placed)
    assert not packing.missing()
    assert (packing.free >= 0).all()
    assert moves is not None
    assert moves.moved <= 40


def test_nothing_moves_where_nothing_changed() -> None:
    instance = replace(parse_instance(packing_document("fleet-d100-64")))
    before = solve(instance, LIMITS)
    again = solve(replace(instance, current=Current(before.placed)), LIMITS)
    assert again.moves == Moves(len(before.placed), 0, 0)
    assert again.objective == before.objective


def test_nothing_moves_even_where_the_levels_have_no_effort_left() -> None:
    instance = parse_instance(packing_document("fleet-d20-8"))
    before = solve(instance, LIMITS)
    running = replace(instance, current=Current(before.placed))
    again = solve(running, replace(LIMITS, effort=1e-5))
    assert again.moves == Moves(len(before.placed), 0, 0)


def item(name: str, size: int, count: int = 1) -> Item:
    return Item(name, count, (Alternative("a", ((size,),)),))


def two_cards(*items: Item, current: tuple[Placed, ...]) -> Instance:
    kind = NodeType("t", "G", 2, 1, (10,), ())
    return Instance(
        "i", ("vram",), (), Objective.GPUS, (kind,), items, (), Current(current, {"a": 5, "b": 1})
    )


def test_what_is_unknown_refused_or_too_much_cannot_stay() -> None:
    current = (
        Placed("a", 0, 0, 0, (0,)),
        Placed("a", 0, 0, 0, (0,)),
        Placed("gone", 0, 0, 0, (0,)),
        Placed("b", 3, 0, 0, (0,)),
        Placed("b", 0, 7, 0, (0,)),
        Placed("b", 0, 0, 9, (0,)),
        Placed("b", 0, 0, 0, (4,)),
    )
    instance = two_cards(item("a", 6), item("b", 5), current=current)
    packing = still_valid(build_geometry(instance))
    assert packing.placed == [Placed("a", 0, 0, 0, (0,))]


def test_the_dearer_replica_stays_where_two_collide() -> None:
    current = (Placed("b", 0, 0, 0, (0,)), Placed("a", 0, 0, 0, (0,)))
    instance = two_cards(item("a", 7), item("b", 6), current=current)
    solution = solve(instance, LIMITS)
    assert solution.objective == 2
    assert solution.moves == Moves(1, 1, 1)


def test_cards_come_before_moves() -> None:
    current = (Placed("a", 0, 0, 0, (0,)), Placed("b", 0, 0, 1, (0,)))
    instance = two_cards(item("a", 5), item("b", 5), current=current)
    solution = solve(instance, LIMITS)
    assert solution.objective == 1
    assert solution.moves == Moves(1, 1, 1)


@pytest.mark.parametrize(("most", "objective"), [(0, 2), (1, 1)])
def test_moves_can_be_limited(most: int, objective: int) -> None:
    current = (Placed("a", 0, 0, 0, (0,)), Placed("b", 0, 0, 1, (0,)))
    instance = two_cards(item("a", 5), item("b", 5), current=current)
    solution = solve(instance, replace(LIMITS, max_moves=most))
    assert solution.objective == objective
    assert solution.moves is not None
    assert solution.moves.moved <= most


@pytest.mark.parametrize(("weight", "objective"), [(0, 1), (3, 2)])
def test_moves_can_be_weighed_against_cards(weight: int, objective: int) -> None:
    current = (Placed("a", 0, 0, 0, (0,)), Placed("b", 0, 0, 1, (0,)))
    instance = two_cards(item("a", 5), item("b", 5), current=current)
    assert solve(instance, replace(LIMITS, move_weight=weight)).objective == objective


def test_a_failed_node_is_left() -> None:
    instance = replan()
    solution = solve(instance, replace(LIMITS, effort=0.02))
    for one in solution.placed:
        assert one.node not in instance.node_types[one.node_type].unavailable
    packing = Packing(build_geometry(instance), solution.placed)
    assert (packing.free >= 0).all()
