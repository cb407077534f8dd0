"""What a plan would cost with fewer ways to run one of its items: asked of the plan, not anew.

Everything else stays where the plan has it at first; what lost its place is taken in around it,
and short searches look for a plan as cheap as the one there is, for none can be cheaper.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from packer.solver.bound import quick_bound
from packer.solver.card_classes import cost_of_everything
from packer.solver.geometry import build_geometry
from packer.solver.incumbent import Incumbent
from packer.solver.instance import Current, Instance, Placed
from packer.solver.packing import Packing
from packer.solver.phase_steps import (
    QUICK,
    complete,
    improve,
    is_refused_by_search,
    prove,
    squeeze,
)
from packer.solver.repack import repaired
from packer.solver.stopping import Limits

SEARCHED_SPOTS = 10_000
"""Alternatives times GPUs up to which the whole model is searched."""
SEARCH = 0.5
"""Deterministic time of that search."""
STEPS = 20
"""Steps of a search on some GPUs at a time."""
NODE_STEPS = 3
"""Steps where nodes are paid for: each takes ten times as long."""


@dataclass(frozen=True)
class Narrowed:
    """What was found.

    Attributes:
        objective: None without any plan.
        proven: Whether no plan is cheaper, or without a plan, whether there is none.
    """

    objective: int | None
    proven: bool


def narrowed_objective(
    instance: Instance,
    placed: Sequence[Placed],
    bound: int,
    limits: Limits,
    *,
    searches: bool = True,
) -> Narrowed:
    """Least objective of an instance with fewer alternatives than the one a plan was made for.

    Args:
        instance: The narrower problem; nothing runs yet.
        placed: The plan of the wider one, but for the replicas that lost their alternatives.
        bound: No plan of the wider one is cheaper.
        limits: Seed, threads and time; the effort is fixed.
        searches: Off leaves it at what fits around the plan, which takes milliseconds.
    """
    run = Incumbent(instance, replace(limits, effort=1.0, gap=0.0), None)
    run.take_bound(quick_bound(instance, run.columns))
    run.searched_bound = bound
    everything = cost_of_everything(instance)
    for phase in _phases(run, placed, searches):
        if run.is_done() or run.bound_value > everything:
            break
        if phase():
            return Narrowed(None, proven=True)
    if run.objective is None:
        return Narrowed(None, run.bound_value > everything)
    return Narrowed(run.objective, run.objective == run.bound_value)


def _phases(
    run: Incumbent, placed: Sequence[Placed], searches: bool
) -> Iterator[Callable[[], bool | None]]:
    """What to do, in order; one that answers True has shown that there is no plan."""
    around = build_geometry(replace(run.instance, current=Current(tuple(placed))))
    packing = repaired(around, run.columns, QUICK, run.clock.has_time)
    run.offer("repair", Packing(run.geometry, packing.placed))
    yield partial(prove, run, 1)
    if not searches:
        return
    if run.has_spots_up_to(SEARCHED_SPOTS):
        yield partial(is_refused_by_search, run, SEARCH)
    yield partial(complete, run, STEPS, packing.placed)
    yield partial(squeeze, run, STEPS)
    yield partial(improve, run, NODE_STEPS)
