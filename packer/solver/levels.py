"""The levels of a small instance by the exact model: objective, moves, penalty, even headroom.

Each level keeps what the one before it reached.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from packer.solver.exact import ExactModel
from packer.solver.geometry import Geometry
from packer.solver.instance import Placed
from packer.solver.packing import Packing
from packer.solver.search import Search, run_search
from packer.solver.stopping import Clock

EXACT_VARIABLES = 60_000
"""Largest model that is searched as a whole."""


@dataclass(frozen=True)
class Reached:
    """Placements after the levels, and whether the objective alone was proven by search."""

    placed: tuple[Placed, ...]
    proven: bool


def whole_model(geometry: Geometry, kept: Sequence[Sequence[int]] | None = None) -> ExactModel:
    """The exact model of all replicas on all GPUs."""
    demand = {i: item.count for i, item in enumerate(geometry.instance.items) if item.count}
    exact = ExactModel(Packing(geometry), demand, range(len(geometry.gpu_node)), kept)
    exact.break_symmetry()
    return exact


def minimise_objective(
    exact: ExactModel,
    incumbent: Sequence[Placed] | None,
    bound: int,
    clock: Clock,
    effort: float,
    report: Callable[[int], None] | None = None,
) -> Search:
    """The first level: cost, stopped where it meets the bound."""
    if incumbent:
        exact.hint(incumbent)
    return run_search(exact, exact.cost(), clock, effort=effort, stop_at=bound, report=report)


def later_levels(
    geometry: Geometry,
    placed: tuple[Placed, ...],
    kept: Sequence[Sequence[int]],
    clock: Clock,
    effort: float,
) -> tuple[Placed, ...]:
    """Moves, penalties and even headroom at the cost already reached."""
    instance = geometry.instance
    if not _has_later_levels(geometry):
        return placed
    exact = whole_model(geometry, kept)
    cost = exact.cost()
    exact.model.add(cost <= Packing(geometry, placed).objective)
    levels: list[Callable[[], object]] = []
    if instance.current is not None:
        levels.append(lambda: _moves_cost(exact))
    if any(one.penalty for item in instance.items for one in item.alternatives):
        levels.append(exact.penalty)
    if instance.even_headroom:
        levels.append(exact.peak)
    for level in levels:
        expression = level()
        if isinstance(expression, int):
            continue
        exact.model.clear_hints()
        exact.hint(placed)
        found = run_search(exact, expression, clock, effort=effort)  # type: ignore[arg-type]
        if found.placed is None:
            break
        placed = tuple(found.placed)
        exact.model.add(expression <= found.value)  # type: ignore[operator]
    return placed


def _has_later_levels(geometry: Geometry) -> bool:
    instance = geometry.instance
    penalised = any(one.penalty for item in instance.items for one in item.alternatives)
    return instance.current is not None or penalised or instance.even_headroom


def _moves_cost(exact: ExactModel) -> object:
    """Cost of what does not stay, up to a constant."""
    current = exact.instance.current
    costs = {} if current is None else current.move_cost
    terms = [-costs.get(key[0], 1) * variable for key, variable in exact.kept().items()]
    return sum(terms) if terms else 0
