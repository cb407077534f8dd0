"""Whether a part of an instance can be placed at all: heuristic, then relaxation, then search."""

from collections.abc import Sequence
from dataclasses import replace
from enum import Enum

from packer.solver.bound import prove_bound
from packer.solver.card_classes import cost_of_everything
from packer.solver.columns import build_columns
from packer.solver.dominance import undominated
from packer.solver.exact import ExactModel
from packer.solver.first_fit import FirstFit
from packer.solver.geometry import Geometry, build_geometry
from packer.solver.instance import Instance
from packer.solver.packing import Packing
from packer.solver.requirements import Part
from packer.solver.search import run_search
from packer.solver.stopping import Clock

MOST_SPOTS = 400_000
"""Alternatives times GPUs above which a part is not searched."""


class Answer(Enum):
    """What is known about a part."""

    POSSIBLE = "possible"
    IMPOSSIBLE = "impossible"
    UNKNOWN = "unknown"


def can_be_placed(part: Part, clock: Clock, effort: float, *, certain: bool = False) -> Answer:
    """Whether all required replicas of a part fit.

    Args:
        part: The instance with what may be left out.
        clock: Wall time left.
        effort: Deterministic time of the search.
        certain: Search without presolve and with one thread, for the final word.
    """
    instance = part.instance
    if not instance.items:
        return Answer.POSSIBLE
    kept = undominated(instance, ignore_penalty=True)
    required = _without(instance, part.optional)
    if _has_homeless_item(required, clock):
        return Answer.IMPOSSIBLE
    geometry = build_geometry(instance)
    if _first_fit_works(geometry, kept, clock):
        return Answer.POSSIBLE
    if not certain and _relaxation_refuses(required):
        return Answer.IMPOSSIBLE
    return _search(part, geometry, kept, clock, effort, certain)


def _without(instance: Instance, dropped: frozenset[str]) -> Instance:
    items = tuple(item for item in instance.items if item.name not in dropped)
    constraints = tuple(one for one in instance.constraints if not set(one.items) & dropped)
    return replace(instance, items=items, constraints=constraints)


def _has_homeless_item(instance: Instance, clock: Clock) -> bool:
    columns = build_columns(instance)
    placeable = set(columns.item.tolist())
    return any(item.count and i not in placeable for i, item in enumerate(instance.items))


def _first_fit_works(geometry: Geometry, kept: Sequence[Sequence[int]], clock: Clock) -> bool:
    packing = Packing(geometry)
    FirstFit(packing, build_columns(geometry.instance, kept)).place_all(may_go_on=clock.has_time)
    return not packing.missing() and packing.affinity_holds()


def _relaxation_refuses(instance: Instance) -> bool:
    if not instance.items:
        return False
    return prove_bound(instance).value > cost_of_everything(instance)


def _search(
    part: Part,
    geometry: Geometry,
    kept: Sequence[Sequence[int]],
    clock: Clock,
    effort: float,
    certain: bool,
) -> Answer:
    instance = part.instance
    gpus = len(geometry.gpu_node)
    if sum(map(len, kept)) * gpus > MOST_SPOTS:
        return Answer.UNKNOWN
    demand = {i: item.count for i, item in enumerate(instance.items) if item.count}
    optional = {instance.item_index[name] for name in part.optional}
    exact = ExactModel(Packing(geometry), demand, range(gpus), kept, optional)
    exact.break_symmetry()
    found = run_search(exact, None, clock, effort=effort, presolve=not certain)
    if found.placed is not None:
        return Answer.POSSIBLE
    return Answer.IMPOSSIBLE if found.infeasible else Answer.UNKNOWN
