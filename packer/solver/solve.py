"""The packing engine: bound, first plan, better plans, levels, and an honest status."""

from typing import Any

from packer.solver.bound import quick_bound
from packer.solver.card_classes import cost_of_everything
from packer.solver.certificate_document import (
    certificate_document,
    pattern_document,
    search_document,
)
from packer.solver.dominance import undominated
from packer.solver.incumbent import Incumbent, Report
from packer.solver.infeasibility import Conflict
from packer.solver.instance import Instance, Placed
from packer.solver.later_levels import has_later_levels, later_levels
from packer.solver.moving import count_moves
from packer.solver.outcome import Solution, Status
from packer.solver.phase_steps import EXACT_SPOTS, bring_back
from packer.solver.phases import phases
from packer.solver.stopping import Limits

LATER_SHARE = 0.2
"""Share of the time limit kept for the levels after the objective, where there are any."""
WRITING_SECONDS = 4e-5
"""Time kept per replica for the answer and its certificate [s]."""


def solve(
    instance: Instance, limits: Limits | None = None, progress: Report | None = None
) -> Solution:
    """Placements of an instance with a proven bound, or why there are none.

    An interruption (KeyboardInterrupt) returns the best placements so far with their bound.

    Args:
        instance: The packing problem.
        limits: What may be spent.
        progress: Told about every better plan and bound.

    Raises:
        KeyboardInterrupt: An interruption before there was any placement, or a proof of none.
    """
    run = Incumbent(instance, limits or Limits(), progress)
    refined = has_later_levels(instance) and run.has_spots_up_to(4 * EXACT_SPOTS)
    total = run.limits.time_seconds
    writing = min(0.1 * total, WRITING_SECONDS * instance.replicas)
    run.clock.reserved = writing + LATER_SHARE * total * refined
    try:
        if _is_possible(run):
            _run_phases(run)
            run.clock.reserved = writing
            bring_back(run)
            if refined:
                _refine(run)
    except KeyboardInterrupt:
        if run.placed is None and run.conflict is None:
            raise
    return _solution(run)


def _is_possible(run: Incumbent) -> bool:
    """Whether the quick bound leaves any hope; explains where it does not."""
    run.take_bound(quick_bound(run.instance, run.columns))
    placeable = set(run.columns.item.tolist())
    homeless = any(item.count and i not in placeable for i, item in enumerate(run.instance.items))
    if homeless or run.bound_value > cost_of_everything(run.instance):
        run.explain()
    return not homeless and run.conflict is None


def _run_phases(run: Incumbent) -> None:
    for phase in phases(run):
        phase()
        if run.is_done():
            break
    if run.placed is None and run.conflict is None and run.clock.has_time():
        run.explain()


def _refine(run: Incumbent) -> None:
    """The levels after the objective."""
    if run.placed is None:
        return
    kept = undominated(run.instance, ignore_penalty=False)
    if run.instance.current is not None:
        kept = run.all_alternatives()
    run.placed = later_levels(run.geometry, run.placed, kept, run.clock, 3.0 * run.limits.effort)


def _solution(run: Incumbent) -> Solution:
    if run.conflict is not None:
        return _infeasible(run, run.conflict)
    status = Status.UNKNOWN
    if run.objective is not None:
        status = Status.OPTIMAL if run.objective == run.bound_value else Status.FEASIBLE
    placed = run.placed or ()
    return Solution(
        status,
        tuple(sorted(placed)),
        run.objective,
        run.bound_value,
        certificate=_certificate(run),
        moves=count_moves(run.instance, placed) if run.placed is not None else None,
        penalty=_penalty(run.instance, placed),
        seed=run.limits.seed,
        seconds=run.clock.seconds,
    )


def _infeasible(run: Incumbent, conflict: Conflict) -> Solution:
    return Solution(
        Status.INFEASIBLE,
        conflict=conflict.ids,
        relaxations=run.relaxations,
        certificate=search_document(run.instance, bound=None, conflict=conflict.ids),
        seed=run.limits.seed,
        seconds=run.clock.seconds,
    )


def _certificate(run: Incumbent) -> dict[str, Any]:
    if run.bound is not None and run.bound.value == run.bound_value:
        return certificate_document(run.instance, run.bound.certificate)
    if run.patterns is not None and run.patterns.value == run.bound_value:
        return pattern_document(run.instance, run.patterns)
    return search_document(run.instance, bound=run.bound_value)


def _penalty(instance: Instance, placed: tuple[Placed, ...]) -> int:
    items = instance.item_index
    return sum(instance.items[items[p.item]].alternatives[p.alternative].penalty for p in placed)
