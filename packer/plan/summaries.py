"""Per workload: what was asked, what was refused, and what something better would take."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from packer.plan.better_quantization import refused_alternatives, why_not_better, worst_rank
from packer.plan.plan import WorkloadSummary
from packer.solver.assignment import Assignment
from packer.solver.candidates import CandidateSet
from packer.solver.fleet_instance import FleetInstance
from packer.solver.instance import Instance
from packer.solver.solve import solve
from packer.solver.stopping import Limits

# A question is a small solve of its own; both limits keep a plan's explanation shorter than it.
_QUESTION_EFFORT = 0.05
_ALL_QUESTIONS_SECONDS = 20.0


@dataclass(frozen=True)
class Questions:
    """Asks the solver about changed instances, within a limit of effort each and time in all.

    Attributes:
        packed: The instance of the plan. value: Its objective.
    """

    packed: FleetInstance
    value: int
    limits: Limits
    _started: float = field(default_factory=time.monotonic)

    def resolve(self, changed: Instance) -> tuple[int, bool] | None:
        """Objective of a changed instance and whether it is proven; None if unknown."""
        left = _ALL_QUESTIONS_SECONDS - (time.monotonic() - self._started)
        if left <= 0:
            return None
        limits = replace(self.limits, time_seconds=left, effort=_QUESTION_EFFORT)
        found = solve(changed, limits)
        if found.objective is None:
            return None
        return found.objective, found.status == "optimal"


def summaries(
    sets: Sequence[CandidateSet], assignments: Sequence[Assignment], questions: Questions
) -> tuple[WorkloadSummary, ...]:
    """One summary per workload, in the order of the fleet."""
    return tuple(_summary(one, assignments, questions) for one in sets)


def _summary(
    one: CandidateSet, assignments: Sequence[Assignment], questions: Questions
) -> WorkloadSummary:
    workload = one.workload
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
        slots=workload.slots,
        spread=workload.spread,
        embedding=workload.embedding,
        reranking=workload.reranking,
        min_available=default_available if asked is None else asked,
        why_not_better=why_not_better(
            one, rank, questions.packed, questions.value, questions.resolve
        ),
        refused=refused_alternatives(one),
    )
