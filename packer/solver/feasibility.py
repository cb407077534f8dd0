"""Whether a part of an instance can be placed at all: heuristic, then relaxation, then search."""

from collections.abc import Sequence
from dataclasses import replace
from enum import Enum

from packer.solver.bound import prove_bound
from packer.solver.card_classes import cost_of_everything
from packer.solver.columns import Columns, build_columns
from packer.solver.dominance import undominated
from packer.solver.exact import ExactModel
from packer.solver.fill_style import FillStyle
from packer.solver.first_fit import FirstFit
from packer.solver.geometry import Geometry, build_geometry
from packer.solver.guided_fill import guided_fill
from packer.solver.instance import Instance
from packer.solver.packing import Packing
from packer.solver.requirements import Part
from packer.solver.room_pricing import RoomPricing
from packer.solver.search import run_search
from packer.solver.set_filling import SetFilling
from packer.solver.stopping import Clock

_STYLES = (
    FillStyle(sample=100),
    FillStyle(sample=100, spread_out=True, urgent_from=0.15),
    FillStyle(sample=200, balance_from=0.5),
)
_STEPS = 20
"""Steps of search for what guided fills leave over."""
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
    if not certain and _fills_work(geometry, kept, clock):
        return Answer.POSSIBLE
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


def _fills_work(geometry: Geometry, kept: Sequence[Sequence[int]], clock: Clock) -> bool:
    """Guided fills, and what they leave over brought in by a short search."""
    columns = build_columns(geometry.instance, kept)
    best: Packing | None = None
    for style in _STYLES:
        packing = guided_fill(geometry, columns, None, style, clock.has_time)
        if not packing.missing() and packing.affinity_holds():
            return True
        if best is None or _left(packing) < _left(best):
            best = packing
    return best is not None and _is_completed(best, columns, clock)


def _left(packing: Packing) -> int:
    return sum(packing.missing().values())


def _is_completed(best: Packing, columns: Columns, clock: Clock) -> bool:
    instance = best.instance
    pricing = RoomPricing(instance, columns, clock)
    nodes = [len(one.available) for one in instance.node_types]
    gpus = [n * one.gpus for n, one in zip(nodes, instance.node_types, strict=True)]
    prices = pricing.prices(gpus, nodes)
    if prices is None:
        return False
    usable = best.geometry.usable[best.geometry.gpu_node]
    begun = Packing(pricing.geometry, best.placed)
    filling = SetFilling(begun, usable, prices, clock, clock.limits.seed)
    return filling.improve(_STEPS, clock.has_time)


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
    if not clock.has_time():
        return Answer.UNKNOWN
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
