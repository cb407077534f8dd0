"""What a solve knows so far: the best placements, the best bound, or a conflict."""

from collections.abc import Callable

from packer.solver.branching import ProvenBound
from packer.solver.columns import build_columns
from packer.solver.dominance import undominated
from packer.solver.geometry import build_geometry
from packer.solver.infeasibility import Conflict, find_conflict
from packer.solver.instance import Instance, Placed
from packer.solver.outcome import Change, Progress
from packer.solver.packing import Packing
from packer.solver.patterns import PatternBound
from packer.solver.relaxations import find_relaxations
from packer.solver.stopping import Clock, Limits

Report = Callable[[Progress], None]

NEAR_ENOUGH = 0.02
"""Gap below which slow work for a little more is put off, and running replicas are left alone."""


class Incumbent:
    """The state of one solve; it lives outside of every phase, so an interruption loses nothing.

    Attributes:
        kept: Alternatives the objective may need, per item. columns: Their ways to be placed.
        searched_bound: Objective proven by exhausting a search.
        settled: Set by a phase after which nothing more is to be tried.
    """

    def __init__(self, instance: Instance, limits: Limits, progress: Report | None) -> None:
        self.instance, self.limits, self._progress = instance, limits, progress
        self.clock = Clock(limits)
        self.geometry = build_geometry(instance)
        self.kept = undominated(instance, ignore_penalty=True)
        self.columns = build_columns(instance, self.kept)
        self.placed: tuple[Placed, ...] | None = None
        self.objective: int | None = None
        self.bound: ProvenBound | None = None
        self.patterns: PatternBound | None = None
        self.searched_bound = 0
        self.settled = False
        self.conflict: Conflict | None = None
        self.relaxations: tuple[Change, ...] = ()

    @property
    def bound_value(self) -> int:
        """The best bound known."""
        compact = 0 if self.bound is None else self.bound.value
        patterns = 0 if self.patterns is None else self.patterns.value
        return max(compact, patterns, self.searched_bound)

    def is_within(self, gap: float) -> bool:
        """Whether there is a plan with at most this gap."""
        if self.objective is None or self.bound is None:
            return False
        return self.objective - self.bound_value <= gap * self.objective

    def is_closed(self) -> bool:
        """Whether the plan is as good as the bound, or as good as asked for."""
        return self.is_within(self.limits.gap)

    def is_done(self) -> bool:
        """Whether there is nothing left to do, or no time to do it."""
        answered = self.is_closed() or self.settled or self.conflict is not None
        return answered or not self.clock.has_time()

    def has_spots_up_to(self, most: int) -> bool:
        """Whether alternatives times GPUs are at most this many."""
        return sum(map(len, self.kept)) * len(self.geometry.gpu_node) <= most

    def all_alternatives(self) -> tuple[tuple[int, ...], ...]:
        """Every alternative: what runs now may be one that the objective never needs."""
        return tuple(tuple(range(len(item.alternatives))) for item in self.instance.items)

    def offer(self, phase: str, packing: Packing) -> None:
        """Take a complete packing where it is better."""
        if packing.missing() or not packing.affinity_holds():
            return
        if self.objective is None or packing.objective < self.objective:
            self.replace(packing)
            self._tell(phase)

    def replace(self, packing: Packing) -> None:
        """Take a complete packing, better or not."""
        self.placed, self.objective = tuple(packing.placed), packing.objective

    def take_bound(self, proven: ProvenBound) -> None:
        """Take a bound where it is at least as good."""
        if self.bound is None or proven.value >= self.bound.value:
            self.bound = proven
        self._tell("bound")

    def take_patterns(self, proven: PatternBound | None) -> None:
        """Take a configuration bound where it is better."""
        if proven is not None and proven.value > self.bound_value:
            self.patterns = proven
            self._tell("patterns")

    def explain(self) -> None:
        """Look for a minimal conflict, and for what would resolve it."""
        self.conflict = find_conflict(self.instance, self.clock)
        if self.conflict is not None:
            self.relaxations = find_relaxations(self.instance, self.conflict.ids, self.clock)

    def _tell(self, phase: str) -> None:
        if self._progress is not None:
            bound = None if self.bound is None else self.bound_value
            self._progress(Progress(phase, self.objective, bound, self.clock.seconds))
