"""What a reader must know about demand: requests that are cut, risks of shared caches, traces."""

from collections.abc import Iterator, Sequence

from packer.domain.demand import CachePool
from packer.domain.workload import Fleet, Workload
from packer.performance.request_mix import quantile_of, within_context
from packer.plan.plan import Alternative, ServedBand, ServedDemand
from packer.solver.assignment import Assignment
from packer.solver.candidate import CandidateSet

_SHOWN = 0.001
"""Shares of requests below this are not spoken of."""


def demand_notes(fleet: Fleet, assignments: Sequence[Assignment]) -> Iterator[str]:
    """One line per thing a reader of the plan must know about its demand."""
    for workload in fleet.workloads:
        if workload.demand is None:
            continue
        _, cut = within_context(workload.demand, workload.context_per_slot)
        if cut >= _SHOWN:
            yield (
                f"{workload.name}: {cut:.1%} of its requests do not fit a context of "
                f"{workload.context_per_slot} tokens and are cut"
            )
        if workload.cache_pool is CachePool.SHARED:
            cells = [
                one.candidate.estimate.context_cells
                for one in assignments
                if one.candidate.workload == workload.name
            ]
            yield (
                f"{workload.name}: slots share {min(cells)} cells; the tokens in flight exceed "
                f"them in at most {1 - workload.cache_pool_quantile:.2g} of all moments, and "
                "requests then wait or fail"
            )
    if any(workload.demand is not None for workload in fleet.workloads):
        yield (
            "waits for a first token are upper estimates of a queueing formula, for requests "
            "spread over replicas at random"
        )


def counts_note(counts: Sequence[tuple[str, tuple[int, ...]]]) -> Iterator[str]:
    """For which numbers of replicas the bound holds."""
    chosen = [(name, tried) for name, tried in counts if len(tried) > 1]
    if chosen:
        words = "; ".join(f"{name} {', '.join(map(str, tried))}" for name, tried in chosen)
        yield f"numbers of replicas considered, for all of which the bound holds: {words}"


def served_demand(workload: Workload) -> ServedDemand | None:
    """A workload's traffic for the plan; None if it states none."""
    demand, goals = workload.demand, workload.goals
    if demand is None:
        return None

    def inputs(share: float) -> int:
        return round(quantile_of(demand.mix, lambda one: one.input_tokens, share))

    def outputs(share: float) -> int:
        return round(quantile_of(demand.mix, lambda one: one.output_tokens, share))

    return ServedDemand(
        requests_per_second=float(f"{demand.requests_per_second:.6g}"),
        input_p50=inputs(0.5),
        input_p95=inputs(0.95),
        output_p50=outputs(0.5),
        output_p95=outputs(0.95),
        burstiness=float(f"{demand.burstiness:.6g}"),
        goal_decode_tokens_per_second=goals.decode_tokens_per_second or 0.0,
        goal_first_token_p95_seconds=goals.first_token_p95_seconds or 0.0,
    )


def served_band(workload: Workload) -> ServedBand | None:
    """Requests a workload serves by their length; None if it serves all."""
    band = workload.band
    if band is None:
        return None
    return ServedBand(
        route=band.route,
        above_prompt_tokens=band.above_prompt_tokens,
        max_prompt_tokens=band.max_prompt_tokens,
        max_tokens=workload.context_per_slot,
    )


def decisions(one: CandidateSet, assignments: Sequence[Assignment]) -> Iterator[Alternative]:
    """What was chosen beyond file and cards, and the verdict on every way to draft."""
    workload = one.workload
    if not workload.has_speed_wishes:
        return
    chosen = [each.candidate for each in assignments if each.candidate.workload == workload.name]
    for way in dict.fromkeys(each.way for each in chosen):
        if way.load_permille:
            slots = way.slots or workload.slots
            yield Alternative(
                f"{workload.replicas} × {slots} slots",
                f"reach the goals with {way.load_permille / 10:.1f} % of their cards' time",
            )
    weighed = {(each.variant, each.options.cache_type_k, each.gpu) for each in chosen}
    drafting = {str(each.way.speculation) for each in chosen if each.way.speculation}
    for verdict in one.considered:
        if (verdict.variant, verdict.cache_type, verdict.gpu) in weighed:
            mark = "chosen: " if verdict.choice in drafting else ""
            yield Alternative(f"{verdict.choice} on {verdict.gpu}", f"{mark}{verdict.reason}")
