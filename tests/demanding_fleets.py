"""Small workloads with traffic and goals."""

from typing import Any

from packer.domain.demand import Demand, Goals
from packer.domain.workload import Workload
from packer.performance.request_mix import lognormal_mix
from tests.small_fleets import workload

CONVERSATION = lognormal_mix(1020, 2735, 129, 424)


def demand(rate: float, burstiness: float = 1.0) -> Demand:
    """Traffic like a public trace of conversations."""
    return Demand(rate, CONVERSATION, burstiness, rate)


def demanding(
    name: str,
    rate: float,
    model_name: str = "llama-3.1-8b",
    *quantizations: str,
    decode: float | None = 20.0,
    first: float | None = 3.0,
    **options: Any,
) -> Workload:
    """A workload whose slots and replicas follow from its traffic and goals."""
    basic: dict[str, Any] = {
        "context_per_slot": 8192,
        "demand": demand(rate),
        "goals": Goals(decode, first),
        "derives_slots": True,
        "derives_replicas": True,
    }
    return workload(name, model_name, *(quantizations or ("Q4_K_M",)), **(basic | options))
