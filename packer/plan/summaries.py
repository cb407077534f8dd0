"""Per workload: what was asked, what was refused, and what something better would take."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from packer.plan.better_quantization import (
    Answer,
    refused_alternatives,
    why_not_better,
    worst_rank,
)
from packer.plan.demand_notes import decisions, served_band, served_demand
from packer.plan.plan import WorkloadSummary
from packer.plan.replica_choice import Trial, other_counts
from packer.solver.assignment import Assignment
from packer.solver.candidates import CandidateSet
from packer.solver.fleet_instance import FleetInstance
from packer.solver.instance import Instance
from packer.solver.outcome import Status
from packer.solver.solve import solve
from packer.solver.stopping import Limits

# A question is a small solve of its own. Effort and number are limited, not time: a plan must not
# depend on how fast the machine is.
_QUESTION_EFFORT = 0.02
_MOST_QUESTIONS = 12


@dataclass
class Questions:
    """Asks the solver about changed instances, within a limit of effort each and number in all.

    Attributes:
        packed: The instance of the plan.
        value: Its objective.
        asked: How many questions were answered so far.
    """

    packed: FleetInstance
    value: int
    limits: Limits
    asked: int = 0

    def resolve(self, changed: Instance) -> Answer | None:
        """What planning a changed instance gives; None when enough were asked."""
        if self.asked == _MOST_QUESTIONS:
            return None
        self.asked += 1
        found = solve(changed, replace(self.limits, effort=_QUESTION_EFFORT, max_moves=None))
        return Answer(found.objective, found.status in (Status.OPTIMAL, Status.INFEASIBLE))


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
