"""Per workload: what was asked, what was refused, and what something better would take."""

from collections.abc import Sequence
from dataclasses import dataclass

from packer.plan.better_quantization import refused_alternatives, why_not_better, worst_rank
from packer.plan.demand_notes import decisions, served_band, served_demand
from packer.plan.plan import WorkloadSummary
from packer.plan.replica_choice import Trial, other_counts
from packer.solver.assignment import Assignment
from packer.solver.candidates import CandidateSet
from packer.solver.fleet_instance import FleetInstance
from packer.solver.instance import Instance
from packer.solver.narrowed import Narrowed, narrowed_objective
from packer.solver.outcome import Solution
from packer.solver.stopping import Limits

# Effort and number of searches are limited, not time: a plan must not depend on how fast the
# machine is.
_MOST_SEARCHES = 12
# Replicas of all questions together: fitting one in around a plan takes time for each.
_MOST_REPLICAS = 10_000


@dataclass
class Questions:
    """Asks what a plan would cost with fewer ways to run one workload; the first few by search.

    Attributes:
        packed: The instance of the plan.
        solution: The plan.
        searched: How many questions were searched so far.
        refitted: Replicas of the plans that all questions so far looked at.
    """

    packed: FleetInstance
    solution: Solution
    limits: Limits
    searched: int = 0
    refitted: int = 0

    @property
    def value(self) -> int:
        """Objective of the plan."""
        return self.solution.objective or 0

    def resolve(self, changed: Instance, workload: str) -> Narrowed | None:
        """What planning a narrower instance gives; None when enough were asked."""
        self.refitted += changed.replicas
        if self.refitted > max(_MOST_REPLICAS, changed.replicas):
            return None
        others = [one for one in self.solution.placed if one.item != workload]
        bound = self.solution.bound or 0
        found = narrowed_objective(changed, others, bound, self.limits, searches=False)
        if found.proven or self.searched == _MOST_SEARCHES:
            return found
        self.searched += 1
        return narrowed_objective(changed, others, bound, self.limits)


def summaries(
    sets: Sequence[CandidateSet],
    assignments: Sequence[Assignment],
    questions: Questions | None,
    trials: Sequence[Trial] = (),
) -> tuple[WorkloadSummary, ...]:
    """One summary per workload, in the order of the fleet; without questions, none is asked."""
    return tuple(_summary(one, assignments, questions, trials) for one in sets)


def _summary(
    one: CandidateSet,
    assignments: Sequence[Assignment],
    questions: Questions | None,
    trials: Sequence[Trial],
) -> WorkloadSummary:
    workload = one.workload
    mine = [each for each in assignments if each.candidate.workload == workload.name]
    rank = worst_rank(assignments, workload.name)
    default_available = max(0, workload.replicas - 1)
    asked = workload.min_available
    return WorkloadSummary(
        name=workload.name,
        model=workload.model,
        architecture=workload.variants[0].model.architecture,
        replicas=workload.replicas,
        quantizations=tuple(variant.quantization for variant in workload.variants),
        cache_types=workload.cache_types,
        context_per_slot=workload.context_per_slot,
        slots=max(each.candidate.estimate.slots for each in mine),
        spread=workload.spread,
        embedding=workload.embedding,
        reranking=workload.reranking,
        min_available=default_available if asked is None else asked,
        why_not_better=""
        if questions is None
        else why_not_better(one, rank, questions.packed, questions.value, questions.resolve),
        refused=refused_alternatives(one),
        demand=served_demand(workload),
        decisions=(*decisions(one, assignments), *other_counts(trials, workload)),
        band=served_band(workload),
    )
