"""The levels after the objective: moves, then penalties, then even headroom.

Each level keeps what the ones before it reached. A level is first searched on the GPUs in use, by
the plan or by what runs now, where the model is a fraction of the whole and the answer is usually
found, then on all.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from packer.solver.exact import ExactModel
from packer.solver.exact_spots import Expression
from packer.solver.geometry import Geometry
from packer.solver.instance import Instance, Placed
from packer.solver.levels import EXACT_VARIABLES
from packer.solver.moving import kept_cost, kept_replicas, places_now
from packer.solver.packing import Packing
from packer.solver.repack import still_valid
from packer.solver.search import run_search
from packer.solver.stopping import Clock

Level = Callable[[ExactModel], Expression]


@dataclass(frozen=True)
class _Stage:
    """One level, what a packing is worth in it, and its shares of effort on GPUs in use and all."""

    level: Level
    worth: Callable[[Packing], int]
    on_used: float
    on_all: float


def later_levels(
    geometry: Geometry,
    placed: tuple[Placed, ...],
    kept: Sequence[Sequence[int]],
    clock: Clock,
    effort: float,
) -> tuple[Placed, ...]:
    """Placements of the same cost with fewer moves, then lower penalty, then more even headroom.

    Args:
        geometry: The instance as arrays.
        placed: A complete packing.
        kept: Alternatives to consider, per item.
        clock: Wall time.
        effort: Deterministic time of all levels together.
    """
    cost = Packing(geometry, placed).objective
    reached: list[tuple[Level, int]] = [(ExactModel.cost, cost)]
    stages = list(_stages(geometry))
    total = sum(stage.on_used + stage.on_all for stage in stages)
    for stage in stages:
        value = stage.worth(Packing(geometry, placed))
        for gpus, share in (
            (_used(geometry, placed), stage.on_used),
            (range(len(geometry.gpu_node)), stage.on_all),
        ):
            if not share or not clock.has_time():
                continue
            exact = _model(geometry, kept, gpus, reached)
            if exact is None:
                continue
            exact.hint(placed)
            expression = stage.level(exact)
            found = run_search(exact, expression, clock, effort=effort * share / total)
            if found.placed is not None and found.value < value:
                placed, value = tuple(found.placed), found.value
        reached.append((stage.level, value))
    return placed


def has_later_levels(instance: Instance) -> bool:
    """Whether anything is asked for after the objective."""
    moves = instance.current is not None and bool(instance.current.placed)
    penalties = any(one.penalty for item in instance.items for one in item.alternatives)
    return moves or penalties or instance.even_headroom


def _stages(geometry: Geometry) -> Iterator[_Stage]:
    instance = geometry.instance
    if instance.current is not None and instance.current.placed:
        yield _Stage(_moves_cost, _moves_now, 1.0, 1.0)
    if any(one.penalty for item in instance.items for one in item.alternatives):
        yield _Stage(ExactModel.penalty, _penalty_now, 1.0, 0.5)
    if instance.even_headroom:
        yield _Stage(ExactModel.peak, _peak_now, 0.3, 0.0)


def _moves_now(packing: Packing) -> int:
    """What staying saves, as a negative cost. Exact."""
    current = packing.instance.current
    if current is None:
        return 0
    return -kept_cost(current, kept_replicas(places_now(packing.instance), packing.placed))


def _penalty_now(packing: Packing) -> int:
    """Summed penalties of the alternatives in use. Exact."""
    return sum(packing.alternative(one).penalty for one in packing.placed)


def _peak_now(packing: Packing) -> int:
    """Thousandths of the fullest GPU in dimension 0, rounded up. Exact."""
    capacity = packing.geometry.gpu_capacity[:, 0]
    taken = capacity - packing.free[:, 0]
    full = capacity > 0
    return int((-(-1000 * taken[full] // capacity[full])).max(initial=0))


def _used(geometry: Geometry, placed: Sequence[Placed]) -> list[int]:
    """GPUs of the plan, and those where something of the current state can stay."""
    planned, running = Packing(geometry, placed), still_valid(geometry)
    in_use = (planned.gpu_replicas > 0) | (running.gpu_replicas > 0)
    return [gpu for gpu, is_used in enumerate(in_use.tolist()) if is_used]


def _model(
    geometry: Geometry,
    kept: Sequence[Sequence[int]],
    gpus: Iterable[int],
    reached: Sequence[tuple[Level, int]],
) -> ExactModel | None:
    """The exact model on some GPUs, held to what was reached; None if it is too large."""
    demand = {i: item.count for i, item in enumerate(geometry.instance.items) if item.count}
    exact = ExactModel(Packing(geometry), demand, gpus, kept)
    if len(exact.model.proto.variables) > EXACT_VARIABLES:
        return None
    for level, value in reached:
        expression = level(exact)
        if not isinstance(expression, int):
            exact.model.add(expression <= value)
    return exact


def _moves_cost(exact: ExactModel) -> Expression:
    """Cost of what does not stay, up to a constant."""
    current = exact.instance.current
    costs = {} if current is None else current.move_cost
    terms = [-costs.get(key[0], 1) * variable for key, variable in exact.kept().items()]
    return sum(terms) if terms else 0
