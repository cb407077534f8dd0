"""Names clients ask for, and the workloads that answer: one each, or several by prompt length."""

from dataclasses import dataclass

from packer.plan.plan import Plan, WorkloadSummary


@dataclass(frozen=True)
class Route:
    """One model name.

    Attributes:
        model: What clients send as ``model``.
        backends: Workloads behind it, the shortest prompts first.
    """

    model: str
    backends: tuple[WorkloadSummary, ...]

    @property
    def widest(self) -> WorkloadSummary:
        """The workload that takes every prompt."""
        return self.backends[-1]


def routes(plan: Plan) -> tuple[Route, ...]:
    """Every name of a plan: its workloads, and the names that workloads share by prompt length."""
    shared: dict[str, list[WorkloadSummary]] = {}
    for workload in plan.workloads:
        if workload.band:
            shared.setdefault(workload.band.route, []).append(workload)
    own = tuple(Route(w.name, (w,)) for w in plan.workloads if w.name not in shared)
    return (*own, *(Route(name, tuple(sorted(s, key=_longest))) for name, s in shared.items()))


def _longest(workload: WorkloadSummary) -> int:
    return workload.band.max_prompt_tokens if workload.band else workload.context_per_slot
