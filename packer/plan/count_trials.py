"""Packing with several numbers of replicas, and a bound that holds for all of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from packer.domain.node import Inventory
from packer.domain.workload import Fleet
from packer.plan.moves import running_replicas
from packer.plan.replica_choice import (
    Counts,
    Trial,
    proven_bound,
    relaxed_instance,
    with_counts,
)
from packer.plan.running import Running
from packer.solver.candidate import CandidateSet
from packer.solver.fleet_instance import FleetInstance, fleet_instance
from packer.solver.outcome import Progress, Solution, Status
from packer.solver.running_state import current_state
from packer.solver.short_menu import solve_rentals
from packer.solver.solve import solve
from packer.solver.stopping import Limits

_NOTHING = Solution(Status.INFEASIBLE)


@dataclass(frozen=True)
class Weighing:
    """What every combination of counts is packed with."""

    inventory: Inventory
    limits: Limits
    current: tuple[Running, ...]
    move_weight: float | None

    def packed(
        self,
        fleet: Fleet,
        sets: Sequence[CandidateSet],
        current: tuple[Running, ...] | None = None,
    ) -> FleetInstance:
        """The instance that prefers what runs now, or what is given."""
        weighs = self.move_weight is not None
        packed = fleet_instance(fleet, self.inventory, sets, weighs_moves=weighs)
        return _from_current(packed, self.current if current is None else current)

    def limits_for(self, packed: FleetInstance, trials: int) -> Limits:
        """The solver's limits, its time shared by several trials."""
        limits = self.limits
        if trials > 1:
            limits = replace(limits, time_seconds=limits.time_seconds / trials)
        if self.move_weight is None:
            return limits
        return replace(limits, move_weight=round(self.move_weight * packed.money_scale))


def packed_counts(
    fleet: Fleet,
    counts: Counts,
    weigh: Weighing,
    progress: Callable[[Progress], None] | None,
) -> list[Trial]:
    """Every combination of numbers of replicas, packed; only one where all are stated."""
    trials = []
    for sets in counts.tried:
        counted = with_counts(fleet, sets)
        packed = weigh.packed(counted, sets)
        if all(one.candidates for one in sets):
            limits = weigh.limits_for(packed, len(counts.tried))
            told = None if progress is None else partial(_tell, progress, packed.money_scale)
            solution = solve_rentals(packed.instance, limits, told)
        else:
            stuck = tuple(f"count:{one.workload.name}" for one in sets if not one.candidates)
            solution = replace(_NOTHING, conflict=stuck)
        trials.append(Trial(counted, sets, packed, solution))
    return trials


def _tell(progress: Callable[[Progress], None], scale: int, one: Progress) -> None:
    """Pass progress on with what its integers are worth."""
    progress(replace(one, scale=scale))


def over_all_counts(
    best: Trial,
    trials: Sequence[Trial],
    families: Sequence[Sequence[CandidateSet]],
    counts: Counts,
    weigh: Weighing,
) -> Solution:
    """The best solution with a bound that holds for every number of replicas thought of."""
    relaxed = None
    if not counts.is_complete:
        relaxed = _relaxed(best.fleet, families, weigh).bound or 0
    solution = best.solution
    bound = min(proven_bound(trials, relaxed), solution.objective or 0)
    status = Status.OPTIMAL if bound == solution.objective else Status.FEASIBLE
    return replace(solution, bound=bound, status=status)


def none_has_a_plan(
    trials: Sequence[Trial],
    families: Sequence[Sequence[CandidateSet]],
    counts: Counts,
    weigh: Weighing,
) -> bool:
    """Whether it is proven that no number of replicas thought of has a plan."""
    if any(trial.solution.status != Status.INFEASIBLE for trial in trials):
        return False
    if counts.is_complete or not all(any(one.candidates for one in each) for each in families):
        return True
    return _relaxed(trials[0].fleet, families, weigh).status == Status.INFEASIBLE


def _relaxed(fleet: Fleet, families: Sequence[Sequence[CandidateSet]], weigh: Weighing) -> Solution:
    """The solution of all numbers of replicas together: its bound, or its lack, is theirs."""
    every = [one for family in families for one in family if one.candidates]
    instance = relaxed_instance(weigh.packed(fleet, every, current=()).instance)
    return solve(instance, replace(weigh.limits, max_moves=None), None)


def _from_current(packed: FleetInstance, current: tuple[Running, ...]) -> FleetInstance:
    """The instance that prefers what runs now."""
    if not current:
        return packed
    state = current_state(packed, running_replicas(current))
    return replace(packed, instance=replace(packed.instance, current=state))
