"""Speeds, goals and loads of a plan computed again from its command lines; part of the audit."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from packer.domain.server_options import ServerOptions
from packer.domain.workload import Workload
from packer.memory.result import MemoryEstimate
from packer.performance.replica_speed import (
    Replica,
    draft_work,
    replica_load,
    replica_work,
    server_demand,
)
from packer.performance.serving_goal import meets_goals, shortfall
from packer.performance.speculation import tokens_per_cycle
from packer.performance.speculation_choice import cycle_seconds
from packer.plan.audit_rules import Site
from packer.plan.audit_wishes import variant_of
from packer.plan.plan import Placement, Plan
from packer.plan.replica_figures import planned_speed, replica_of

_ROUNDING = 1.0001
"""Figures of a plan have five digits."""


def broken_speeds(
    plan: Plan,
    placements: Iterable[Placement],
    estimates: Mapping[tuple[str, int], MemoryEstimate],
    workloads: Mapping[str, Workload],
    sites: Mapping[str, Site],
    parse: Callable[[Sequence[str]], ServerOptions],
) -> Iterator[str]:
    """Every figure of speed that its command line does not give, every goal that is missed."""
    loads: Counter[tuple[str, int]] = Counter()
    for placement in placements:
        workload = workloads[placement.workload]
        if not workload.has_speed_wishes:
            continue
        who = f"{placement.workload}-{placement.replica}"
        variant = variant_of(placement, workload)
        assert variant is not None  # noqa: S101 — the references were checked
        options = parse(placement.argv)
        estimate = estimates[placement.workload, placement.replica]
        pool = sites[placement.node].pool
        build = plan.server.build
        replica = replica_of(workload, variant, options, estimate, pool, plan.calibration, build)
        permille = placement.speed.load_permille if placement.speed else 0
        if permille < 0 or (workload.demand and not permille):
            yield f"{who}: it is given no part of its cards' time"
            continue
        if placement.speed != planned_speed(replica, workload, permille):
            yield f"{who}: the plan's speed is not that of its argv"
        yield from (f"{who}: {one}" for one in _missed_goals(replica, workload, permille))
        for gpu in placement.gpus:
            loads[placement.node, gpu] += permille
    limit = plan.policy.load_limit_permille
    for (node, gpu), load in loads.items():
        if load > limit and load:
            yield f"{node} card {gpu}: {load} thousandths of its time are planned, {limit} allowed"


def _missed_goals(replica: Replica, workload: Workload, permille: int) -> Iterator[str]:
    demand, slots = workload.demand, replica.memory.slots
    if demand is None:
        yield from _too_slow(replica, workload)
        return
    load, share = replica_load(replica, demand, replica_work(replica)), permille / 1000
    asked = server_demand(demand, workload.goals, workload.replicas)
    if not meets_goals(load, asked, slots, share):
        yield f"its goals are missed: {shortfall(load, asked, slots, share)}"


def _too_slow(replica: Replica, workload: Workload) -> Iterator[str]:
    """Whether the stated slots reach the speed that is asked of each."""
    wanted = workload.goals.decode_tokens_per_second
    if wanted is None:
        return
    one, depth = replica.speculation, replica.context_per_slot // 2
    cycle = cycle_seconds(
        one,
        replica_work(replica),
        depth=depth,
        slots=replica.memory.slots,
        draft=draft_work(replica),
    )
    reached = tokens_per_cycle(one.acceptance, one.depth) / cycle
    if reached * _ROUNDING < wanted:
        yield f"{reached:.1f} tokens/s per slot, {wanted:g} are asked"
