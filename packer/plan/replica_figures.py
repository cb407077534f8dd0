"""Speed figures of one placed replica, from its command line, its bytes and its node."""

from packer.domain.node import NodePool
from packer.domain.server_options import ServerOptions
from packer.domain.speculation import NO_SPECULATION, USUAL_ACCEPTANCE, Drafter, Speculation
from packer.domain.workload import Variant, Workload
from packer.memory.result import MemoryEstimate
from packer.performance.figure import Figure
from packer.performance.learnt import Learnt
from packer.performance.replica_speed import (
    Replica,
    replica_speed,
    server_demand,
)
from packer.performance.serving_goal import ServerDemand
from packer.plan.plan import PlannedFigure, PlannedSpeed

_DRAFTERS = {
    "draft-simple": Drafter.DRAFT,
    "draft-mtp": Drafter.MTP,
    "ngram-mod": Drafter.NGRAM,
}


def speculation_of(options: ServerOptions, workload: Workload) -> Speculation:
    """How a command line drafts, with the acceptance the workload expects of it."""
    drafters = [_DRAFTERS[name] for name in options.speculation if name in _DRAFTERS]
    if not drafters:
        return NO_SPECULATION
    drafter = drafters[0]
    depth = options.ngram_depth if drafter is Drafter.NGRAM else options.draft_depth or 0
    kept = [one.acceptance for one in workload.speculations if one.drafter is drafter]
    return Speculation(drafter, depth, kept[0] if kept else USUAL_ACCEPTANCE[drafter])


def replica_of(
    workload: Workload,
    variant: Variant,
    options: ServerOptions,
    memory: MemoryEstimate,
    pool: NodePool,
    learnt: Learnt | None,
    build: str,
) -> Replica:
    """The replica whose speed is asked."""
    gpu = pool.gpu
    return Replica(
        model=variant.model,
        options=options,
        gpu=gpu,
        memory=memory,
        context_per_slot=workload.context_per_slot,
        speculation=speculation_of(options, workload),
        draft=workload.draft.variant.model if workload.draft else None,
        host_bandwidth_bytes_per_second=pool.host_memory_bandwidth_bytes_per_second,
        calibration=learnt.speed(gpu.name, variant.model, build) if learnt else None,
    )


def planned_speed(replica: Replica, workload: Workload, load_permille: int) -> PlannedSpeed | None:
    """Figures of a replica for the plan; None where the fleet does not speak of speed.

    Args:
        replica: The server.
        workload: Its demand and goals, and how many replicas share them.
        load_permille: Part of its cards' time it is given; 0 is all.
    """
    if not workload.has_speed_wishes:
        return None
    demand = workload.demand
    asked = ServerDemand(0.0, 1.0, workload.goals)
    if demand is not None:
        asked = server_demand(demand, workload.goals, workload.replicas)
    speed = replica_speed(replica, demand, asked, (load_permille or 1000) / 1000)
    first = speed.first_token_p95_seconds
    return PlannedSpeed(
        decode_tokens_per_second=_figure(speed.decode),
        decode_aggregate_tokens_per_second=_figure(speed.aggregate),
        prefill_tokens_per_second=_figure(speed.prefill),
        depth=speed.depth,
        slots=speed.slots,
        first_token_p95_seconds=None if first is None else _rounded(first),
        load_permille=load_permille,
        requests_per_second=_rounded(asked.rate),
        overflow_probability=_rounded(speed.overflow_probability),
    )


def _figure(one: Figure) -> PlannedFigure:
    return PlannedFigure(_rounded(one.value), _rounded(one.low), _rounded(one.high), one.basis)


def _rounded(value: float) -> float:
    """Five digits: the last ones of exponentials differ between machines."""
    return float(f"{value:.5g}")
