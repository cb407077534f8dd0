"""The packing engine: bound, first plan, better plans, levels, and an honest status."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from packer.solver.bound import ProvenBound, prove_bound
from packer.solver.card_classes import cost_of_everything
from packer.solver.certificate import certificate_document, search_document
from packer.solver.columns import build_columns
from packer.solver.dominance import undominated
from packer.solver.first_fit import FirstFit
from packer.solver.geometry import build_geometry
from packer.solver.infeasibility import Conflict, find_conflict
from packer.solver.instance import Instance, Placed
from packer.solver.later_levels import later_levels
from packer.solver.levels import minimise_objective, whole_model
from packer.solver.outcome import Change, Moves, Progress, Solution, Status
from packer.solver.packing import Packing
from packer.solver.relaxations import find_relaxations
from packer.solver.stopping import Clock, Limits

Report = Callable[[Progress], None]


def solve(
    instance: Instance, limits: Limits | None = None, progress: Report | None = None
) -> Solution:
    """Placements of an instance with a proven bound, or why there are none."""
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
        self.relaxations: tuple[Change, ...] = ()

    def run(self) -> Solution:
        try:
            self._search()
        except KeyboardInterrupt:
            if self.placed is None:
                raise
        return self._solution()

    def _search(self) -> None:
        self._prove(1)
        if self._bound_value() > cost_of_everything(self.instance) or self._homeless():
            self._explain()
            return
        packing = Packing(self.geometry)
        FirstFit(packing, self.columns).place_all()
        self._offer("first fit", packing)
        if not self._closed():
            self._prove(400)
        exact = whole_model(self.geometry, self.kept)
        if not self._closed():
            found = minimise_objective(
                exact, self.placed, self._bound_value(), self.clock, 20.0 * self.limits.effort
            )
            if found.placed is not None:
                self._offer("exact", Packing(self.geometry, found.placed))
            if found.infeasible:
                self._explain()
                return
            if found.finished:
                self.searched_bound = self.objective
        if self.placed is not None:
            kept = undominated(self.instance, ignore_penalty=False)
            self.placed = later_levels(
                self.geometry, self.placed, kept, self.clock, 4.0 * self.limits.effort
            )

    def _homeless(self) -> bool:
        """Whether an item fits no node at all."""
        placeable = set(self.columns.item.tolist())
        return any(item.count and i not in placeable for i, item in enumerate(self.instance.items))

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
        proven = prove_bound(
            self.instance,
            self.columns,
            most_leaves=most_leaves,
            target=self.objective,
            may_go_on=self.clock.has_time,
        )
        if self.bound is None or proven.value > self.bound.value:
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
            bound = None if self.bound is None else self.bound.value
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
            moves=count_moves(self.instance, placed) if placed else None,
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


def count_moves(instance: Instance, placed: tuple[Placed, ...]) -> Moves | None:
    """Replicas of the current state that stay, go, and what going costs. Exact."""
    if instance.current is None:
        return None
    before = Counter(one.key for one in instance.current.placed)
    after = Counter(one.key for one in placed)
    gone = before - after
    cost = sum(instance.current.move_cost.get(key[0], 1) * n for key, n in gone.items())
    return Moves((before & after).total(), gone.total(), cost)


def _penalty(instance: Instance, placed: tuple[Placed, ...]) -> int:
    items = instance.item_index
    return sum(instance.items[items[p.item]].alternatives[p.alternative].penalty for p in placed)
