"""The packing engine: bound, first plan, better plans, levels, and an honest status."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from packer.solver.bound import ProvenBound, objective_grid, prove_bound, quick_bound
from packer.solver.budget import BudgetSearch
from packer.solver.card_classes import cost_of_everything
from packer.solver.certificate import certificate_document, search_document
from packer.solver.columns import build_columns
from packer.solver.consolidation import Consolidation
from packer.solver.dominance import undominated
from packer.solver.fill_style import FillStyle
from packer.solver.first_fit import FirstFit
from packer.solver.geometry import build_geometry
from packer.solver.guided_fill import guided_fill
from packer.solver.infeasibility import Conflict, find_conflict
from packer.solver.instance import Instance, Placed
from packer.solver.later_levels import later_levels
from packer.solver.levels import minimise_objective, whole_model
from packer.solver.moving import count_moves
from packer.solver.neighbourhood import NeighbourhoodSearch
from packer.solver.outcome import Change, Progress, Solution, Status
from packer.solver.packing import Packing
from packer.solver.relaxations import find_relaxations
from packer.solver.repack import repaired
from packer.solver.stopping import Clock, Limits

Report = Callable[[Progress], None]

EXACT_SPOTS = 60_000
"""Alternatives times GPUs up to which the whole problem is searched at once."""
FEW_COLUMNS = 3000
"""Columns up to which branching for a better bound takes less than a second."""
MOST_ITEMS = 4000
"""Items above which the relaxation takes long and is solved only for a wide gap."""
NEAR_ENOUGH = 0.02
"""Gap at which a large re-planned fleet stops moving replicas for fewer cards."""
QUICK = FillStyle(sample=100)
STYLES = (
    FillStyle(sample=100, spread_out=True, urgent_from=0.15),
    FillStyle(sample=200, balance_from=0.5),
    FillStyle(sample=60, largest=30, finest=200_000, tolerance=0.0),
    FillStyle(sample=100, smallest_type_first=True),
    FillStyle(sample=100, balance_from=0.5, spread_out=True, urgent_from=0.05),
)


def solve(
    instance: Instance, limits: Limits | None = None, progress: Report | None = None
) -> Solution:
    """Placements of an instance with a proven bound, or why there are none.

    Args:
        instance: The packing problem.
        limits: What may be spent.
        progress: Told about every better plan and bound.
    """
    return _Solve(instance, limits or Limits(), progress).run()


class _Solve:
    """One run; the incumbent and the bound live here, so an interruption loses neither."""

    def __init__(self, instance: Instance, limits: Limits, progress: Report | None) -> None:
        self.instance, self.limits, self.progress = instance, limits, progress
        self.clock = Clock(limits)
        self.geometry = build_geometry(instance)
        self.kept = undominated(instance, ignore_penalty=True)
        self.columns = build_columns(instance, self.kept)
        self.placed: tuple[Placed, ...] | None = None
        self.objective: int | None = None
        self.bound: ProvenBound | None = None
        self.searched_bound: int | None = None
        self.conflict: Conflict | None = None
        self.settled = False
        self.relaxations: tuple[Change, ...] = ()

    def run(self) -> Solution:
        """All phases, until the gap is closed or a limit is reached."""
        try:
            if self._is_possible():
                for phase in self._phases():
                    phase()
                    if self._closed() or self.conflict or self.settled or not self.clock.has_time():
                        break
                self._finish()
        except KeyboardInterrupt:
            if self.placed is None and self.bound is None:
                raise
        return self._solution()

    def _is_possible(self) -> bool:
        """Whether the bound leaves any hope; explains where it does not."""
        self._take_bound(quick_bound(self.instance, self.columns))
        placeable = set(self.columns.item.tolist())
        homeless = any(
            item.count and i not in placeable for i, item in enumerate(self.instance.items)
        )
        if homeless or self._bound_value() > cost_of_everything(self.instance):
            self._explain()
        return not homeless and self.conflict is None

    def _phases(self) -> Iterator[Callable[[], None]]:
        if self.instance.current is not None:
            yield from self._replanning_phases()
        yield lambda: self._fill(QUICK)
        yield lambda: self._prove(1)
        if self._bound_value() > cost_of_everything(self.instance):
            yield self._explain
        for style in STYLES:
            yield lambda style=style: self._fill(style)  # type: ignore[misc]
        if self._is_small(40 * EXACT_SPOTS):
            yield self._first_fit
        if len(self.columns) <= FEW_COLUMNS:
            yield lambda: self._prove(self._affordable_leaves())
        yield self._buy
        yield lambda: self._gather(8_000, None)
        if len(self.columns) > FEW_COLUMNS:
            yield lambda: self._prove(self._affordable_leaves())
        if self._is_small(EXACT_SPOTS):
            yield self._search_whole
        for style in (QUICK, *STYLES):
            yield lambda style=style: self._gather(15_000, style)  # type: ignore[misc]
        yield self._improve
        yield lambda: self._gather(200_000, None)
        yield self._first_fit

    def _affordable_leaves(self) -> int:
        """Leaves of the branching, each of which solves the relaxation again."""
        return min(400, 1_000_000 // max(1, len(self.columns)))

    def _gather(self, steps: int, style: FillStyle | None) -> None:
        """Consolidate the slack of the incumbent, or of a fresh fill."""
        if self.geometry.charges_nodes or self.placed is None:
            return
        if style is None:
            packing = Packing(self.geometry, self.placed)
        else:
            packing = guided_fill(self.geometry, self.columns, None, style, self.clock.has_time)
            if packing.missing() or not packing.affinity_holds():
                return
        slack = Consolidation(packing, self.columns, self.limits.seed)
        left = round(steps * self.limits.effort)
        while left > 0 and not self._closed() and self.clock.has_time():
            if slack.run(min(left, 2000), self.clock.has_time):
                self._offer("consolidation", slack.packing())
            else:
                left -= 2000

    def _replanning_phases(self) -> Iterator[Callable[[], None]]:
        """What runs now comes first; a plan from scratch only where that ends far worse."""
        yield self._repair
        yield lambda: self._prove(1)
        if self.placed is None:
            return
        if self._is_small(EXACT_SPOTS // 2):
            # What runs is often the best already, and then the proof is all there is to do.
            yield self._search_whole
        yield self._improve_with_few_moves
        yield self._settle

    def _improve_with_few_moves(self) -> None:
        """Cards down step by step, then moves back; large plans stop two percent off the bound."""
        if self.placed is None:
            return
        packing = Packing(self.geometry, self.placed)
        search = NeighbourhoodSearch(packing, self._all_kept(), self.clock, 0.3)
        steps = round(80 * self.limits.effort)
        tolerance = 0.0 if self._is_small(EXACT_SPOTS // 2) else NEAR_ENOUGH

        def near_enough() -> bool:
            return packing.objective - self._bound_value() <= tolerance * packing.objective

        search.run(steps, near_enough, lambda packing: self._offer("neighbourhood", packing))
        search.move_back(steps)
        self.placed, self.objective = tuple(packing.placed), packing.objective

    def _settle(self) -> None:
        """Where things run, a plan from scratch is worth its moves only if it is much cheaper."""
        self.settled = self._is_near()

    def _all_kept(self) -> tuple[tuple[int, ...], ...]:
        """Every alternative: what runs now may be one that is never needed."""
        return tuple(tuple(range(len(item.alternatives))) for item in self.instance.items)

    def _repair(self) -> None:
        packing = repaired(self.geometry, self.columns, QUICK, self.clock.has_time)
        self._offer("repair", packing)

    def _is_small(self, most: int) -> bool:
        return sum(map(len, self.kept)) * len(self.geometry.gpu_node) <= most

    def _finish(self) -> None:
        """The levels after the objective."""
        if self.placed is None or not self._is_small(4 * EXACT_SPOTS):
            return
        kept = undominated(self.instance, ignore_penalty=False)
        if self.instance.current is not None:
            kept = self._all_kept()
        self.placed = later_levels(
            self.geometry, self.placed, kept, self.clock, 3.0 * self.limits.effort
        )

    def _fill(self, style: FillStyle) -> None:
        prices = None if self.bound is None else self.bound.root.prices
        packing = guided_fill(self.geometry, self.columns, None, style, self.clock.has_time)
        self._offer("fill", packing)
        if packing.missing() and prices is not None:
            retry = guided_fill(self.geometry, self.columns, prices, style, self.clock.has_time)
            self._offer("fill", retry)

    def _first_fit(self) -> None:
        packing = Packing(self.geometry)
        FirstFit(packing, self.columns).place_all()
        self._offer("first fit", packing)

    def _buy(self) -> None:
        """Budget search, where GPUs or nodes have different prices."""
        costs = np.unique(np.concatenate([self.geometry.gpu_cost, self.geometry.node_cost]))
        if self.bound is None or self.objective is None or len(costs[costs > 0]) < 2:
            return
        styles = (QUICK, FillStyle(sample=100, smallest_type_first=True))
        search = BudgetSearch(self.geometry, self.columns, styles, self.clock.has_time)
        grid = objective_grid(self.instance)
        for packing in search.run(self._bound_value(), self.objective, grid):
            self._offer("budget", packing)

    def _search_whole(self) -> None:
        """The exact model of everything: may prove what the bound does not."""
        exact = whole_model(self.geometry, self.kept)
        found = minimise_objective(
            exact, self.placed, self._bound_value(), self.clock, 8.0 * self.limits.effort
        )
        if found.placed is not None:
            self._offer("exact", Packing(self.geometry, found.placed))
        if found.infeasible:
            self._explain()
        elif found.finished:
            self.searched_bound = self.objective

    def _improve(self) -> None:
        if self.placed is None:
            return
        search = NeighbourhoodSearch(
            Packing(self.geometry, self.placed), self.kept, self.clock, 0.3
        )
        steps = round(150 * self.limits.effort)
        search.run(steps, self._closed, lambda packing: self._offer("neighbourhood", packing))

    def _explain(self) -> None:
        """Find a minimal conflict, and what would resolve it."""
        self.conflict = find_conflict(self.instance, self.clock)
        if self.conflict is not None:
            self.relaxations = find_relaxations(self.instance, self.conflict.ids, self.clock)

    def _bound_value(self) -> int:
        proven = 0 if self.bound is None else self.bound.value
        return max(proven, self.searched_bound or 0)

    def _closed(self) -> bool:
        """Whether the incumbent is as good as the bound, or good enough."""
        if self.objective is None or self.bound is None:
            return False
        return self.objective - self._bound_value() <= self.limits.gap * self.objective

    def _prove(self, most_leaves: int) -> None:
        if most_leaves and (len(self.instance.items) <= MOST_ITEMS or not self._is_near()):
            self._prove_fully(most_leaves)

    def _is_near(self) -> bool:
        """Whether the gap is so small that the whole relaxation of a huge instance can wait."""
        if self.objective is None:
            return False
        return self.objective - self._bound_value() <= NEAR_ENOUGH * self.objective

    def _prove_fully(self, most_leaves: int) -> None:
        self._take_bound(
            prove_bound(
                self.instance,
                self.columns,
                most_leaves=most_leaves,
                target=self.objective,
                may_go_on=self.clock.has_time,
            )
        )

    def _take_bound(self, proven: ProvenBound) -> None:
        if self.bound is None or proven.value >= self.bound.value:
            self.bound = proven
        self._tell("bound")

    def _offer(self, phase: str, packing: Packing) -> None:
        """Take a complete packing as incumbent where it is better."""
        if packing.missing() or not packing.affinity_holds():
            return
        if self.objective is None or packing.objective < self.objective:
            self.placed, self.objective = tuple(packing.placed), packing.objective
            self._tell(phase)

    def _tell(self, phase: str) -> None:
        if self.progress is not None:
            bound = None if self.bound is None else self._bound_value()
            self.progress(Progress(phase, self.objective, bound, self.clock.seconds))

    def _solution(self) -> Solution:
        if self.conflict is not None:
            return self._infeasible(self.conflict)
        status = Status.UNKNOWN
        if self.objective is not None:
            status = Status.OPTIMAL if self.objective == self._bound_value() else Status.FEASIBLE
        placed = self.placed or ()
        return Solution(
            status,
            tuple(sorted(placed)),
            self.objective,
            self._bound_value(),
            certificate=self._certificate(),
            moves=count_moves(self.instance, placed) if self.placed is not None else None,
            penalty=_penalty(self.instance, placed),
            seed=self.limits.seed,
            seconds=self.clock.seconds,
        )

    def _infeasible(self, conflict: Conflict) -> Solution:
        return Solution(
            Status.INFEASIBLE,
            conflict=conflict.ids,
            relaxations=self.relaxations,
            certificate=search_document(self.instance, bound=None, conflict=conflict.ids),
            seed=self.limits.seed,
            seconds=self.clock.seconds,
        )

    def _certificate(self) -> dict[str, Any]:
        if self.bound is None or self._bound_value() > self.bound.value:
            return search_document(self.instance, bound=self._bound_value())
        return certificate_document(self.instance, self.bound.certificate)


def _penalty(instance: Instance, placed: tuple[Placed, ...]) -> int:
    items = instance.item_index
    return sum(instance.items[items[p.item]].alternatives[p.alternative].penalty for p in placed)
