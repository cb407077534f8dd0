"""Traffic, goals and ways to speculate of one workload as the domain's values."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from packer.domain.demand import NO_GOALS, CachePool, Demand, Goals, PartialOffload
from packer.domain.speculation import (
    MTP_DEPTHS,
    NGRAM_DEPTH,
    NO_SPECULATION,
    USUAL_ACCEPTANCE,
    Drafter,
    Speculation,
)
from packer.domain.workload import Draft, Workload
from packer.errors import InvalidInput, Problem
from packer.performance.request_mix import lognormal_mix
from packer.performance.trace_statistics import demand_of_trace
from packer.spec.demand_schema import DemandEntry, GoalsEntry, SpeculationEntry
from packer.spec.traces import read_trace
from packer.spec.workload_options import OptionsInFile

_STATED = ("requests_per_second", "input_tokens", "output_tokens")
_WORDS = {
    "requests_per_second": "requestsPerSecond",
    "input_tokens": "inputTokens",
    "output_tokens": "outputTokens",
    "burstiness": "burstiness",
}


class DemandReader:
    """Reads each trace once, however many workloads share it."""

    def __init__(self, folder: Path, problems: list[Problem]) -> None:
        """Relative paths begin at the folder; problems are added to the list given."""
        self._folder = folder
        self._problems = problems
        self._traces: dict[tuple[str, float], Demand | None] = {}

    def demand(self, options: OptionsInFile) -> Demand | None:
        """The demand of a workload; None if it has none, or after a problem."""
        entry = options.entry.demand
        if entry is None:
            return None
        problems = list(_contradictions(entry, options))
        self._problems += problems
        if problems:
            return None
        if entry.trace is not None:
            return self._of_trace(entry.trace, entry.scale or 1.0, options)
        return _stated(entry)

    def _of_trace(self, trace: str, scale: float, options: OptionsInFile) -> Demand | None:
        if (trace, scale) not in self._traces:
            self._traces[trace, scale] = None
            try:
                requests = read_trace(self._folder / trace, trace)
                self._traces[trace, scale] = demand_of_trace(requests, scale=scale, origin=trace)
            except InvalidInput as error:
                where = options.where("demand", "trace")
                self._problems += [
                    problem if problem.where else replace(problem, where=where)
                    for problem in error.problems
                ]
        return self._traces[trace, scale]


def with_wishes(workload: Workload, options: OptionsInFile, demand: Demand | None) -> Workload:
    """A workload with what it says about speed, quality and memory."""
    entry = options.entry
    has_demand = entry.demand is not None
    pool = CachePool(entry.kv or CachePool.GUARANTEED)
    quantile = entry.kv_quantile
    return replace(
        workload,
        demand=demand,
        goals=_goals(entry.goals),
        derives_slots=has_demand and entry.slots is None,
        derives_replicas=has_demand and entry.replicas is None,
        cache_pool=pool,
        cache_pool_quantile=workload.cache_pool_quantile if quantile is None else quantile,
        kv_unified=workload.kv_unified or pool is CachePool.SHARED,
        speculations=tuple(_speculations(entry.speculation, workload.draft, workload)),
        is_high_fidelity=entry.fidelity == "high",
        min_bits_per_weight=entry.min_bits_per_weight or 0.0,
        partial_offload=PartialOffload(entry.partial_offload or PartialOffload.NONE),
    )


def has_nextn(workload: Workload) -> bool:
    """Whether any file of a workload has blocks for multi-token prediction."""
    files = (variant.model for variant in workload.variants)
    return any(model.number("nextn_predict_layers", 0) for model in files)


def _goals(entry: GoalsEntry | None) -> Goals:
    if entry is None:
        return NO_GOALS
    first = entry.first_token_seconds
    return Goals(entry.decode_tokens_per_second, first.p95 if first else None)


def _stated(entry: DemandEntry) -> Demand:
    rate, inputs, outputs = entry.requests_per_second, entry.input_tokens, entry.output_tokens
    assert rate is not None and inputs is not None and outputs is not None  # noqa: PT018, S101
    return Demand(
        requests_per_second=rate,
        mix=lognormal_mix(inputs.p50, inputs.p95, outputs.p50, outputs.p95),
        burstiness=entry.burstiness or 1.0,
        mean_requests_per_second=rate,
    )


def _contradictions(entry: DemandEntry, options: OptionsInFile) -> Iterator[Problem]:
    """Values of one demand that are fine alone but not together."""
    where = options.where("demand")
    given = [word for key, word in _WORDS.items() if getattr(entry, key) is not None]
    if entry.trace is not None and given:
        why = f"{', '.join(given)} would say the same again"
        yield Problem("P1106", "a demand is stated or read from a trace, not both", where, why)
    missing = [_WORDS[key] for key in _STATED if getattr(entry, key) is None]
    if entry.trace is None and missing:
        help_ = "add it, or name a trace: file.csv"
        yield Problem("P1106", f"the demand has no {', '.join(missing)}", where, "", help_)
    if entry.trace is None and entry.scale is not None:
        why = "there is no trace to play faster"
        yield Problem("P1106", "scale is for traces", options.where("demand", "scale"), why)
    for key in ("input_tokens", "output_tokens"):
        quantiles = getattr(entry, key)
        if quantiles is not None and quantiles.p95 < quantiles.p50:
            place = options.where("demand", _WORDS[key], "p95")
            why = f"half of them are longer than {quantiles.p50}"
            yield Problem("P1108", "the p95 is below the p50", place, why, "swap them")


def _speculations(
    entry: SpeculationEntry | None, draft: Draft | None, workload: Workload
) -> Iterator[Speculation]:
    """Ways to draft that the files allow; the checks refuse what is named and is not there."""
    if entry is None:
        return
    for name in dict.fromkeys(entry.allow):
        drafter = Drafter(name)
        kept = USUAL_ACCEPTANCE.get(drafter, 0.0) if entry.acceptance is None else entry.acceptance
        if drafter is Drafter.NONE:
            yield NO_SPECULATION
        elif drafter is Drafter.DRAFT and draft is not None:
            yield Speculation(drafter, draft.depth, kept)
        elif drafter is Drafter.NGRAM:
            yield Speculation(drafter, NGRAM_DEPTH, kept)
        elif drafter is Drafter.MTP and has_nextn(workload):
            yield from (Speculation(drafter, depth, kept) for depth in entry.depths or MTP_DEPTHS)
