"""The first level of a small instance by the exact model: its objective."""

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
