"""Sizes of requests as a few weighted classes, and their moments."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from math import erf, exp, log, sqrt
from statistics import NormalDist

from packer.domain.demand import Demand, RequestClass
from packer.memory.identity_cache import derived_once

CLASSES = 64
"""Classes of a mix made from quantiles: enough that its p95 is that of the distribution."""
_STRIDE, _OFFSET = 27, 17
_Z95 = NormalDist().inv_cdf(0.95)


def lognormal_mix(
    input_p50: float, input_p95: float, output_p50: float, output_p95: float
) -> tuple[RequestClass, ...]:
    """Classes of independent lognormal prompts and answers with these quantiles. Estimate.

    Every class stands for an equal part of all prompts and of all answers, by the mean of that
    part, so the means are exact; a low-discrepancy pairing makes the two independent.
    """
    inputs = _lognormal_parts(input_p50, input_p95)
    outputs = _lognormal_parts(output_p50, output_p95)
    return tuple(
        RequestClass(inputs[index], outputs[_paired(index)], 1 / CLASSES)
        for index in range(CLASSES)
    )


def _lognormal_parts(p50: float, p95: float) -> list[float]:
    """Mean of each of ``CLASSES`` equally likely parts of a lognormal distribution."""
    if p95 <= p50:
        return [float(p50)] * CLASSES
    sigma = log(p95 / p50) / _Z95
    normal, mean = NormalDist(), p50 * exp(sigma * sigma / 2)
    ends = [normal.inv_cdf(part / CLASSES) for part in range(1, CLASSES)]
    below = [0.0, *(_phi(end - sigma) for end in ends), 1.0]
    return [mean * (high - low) * CLASSES for low, high in pairwise(below)]


def _phi(z: float) -> float:
    return (1 + erf(z / sqrt(2))) / 2


def _paired(index: int) -> int:
    """Answer's part for a prompt's part: a lattice in which the two are uncorrelated."""
    return (index * _STRIDE + _OFFSET) % CLASSES


def mean_of(mix: Sequence[RequestClass], value: Callable[[RequestClass], float]) -> float:
    """Mean of something over a mix. Exact for its classes."""
    return sum(one.weight * value(one) for one in mix)


def quantile_of(
    mix: Sequence[RequestClass], value: Callable[[RequestClass], float], share: float
) -> float:
    """Smallest value that ``share`` of all requests do not exceed. Exact for the classes."""
    ranked = sorted((value(one), one.weight) for one in mix)
    total = 0.0
    for found, weight in ranked:
        total += weight
        if total >= share - 1e-9:
            return found
    return ranked[-1][0]


def within_context(demand: Demand, context_tokens: int) -> tuple[Demand, float]:
    """The demand as a slot of this context can serve it, and the share of requests cut short.

    A prompt longer than the context is refused by llama-server, and an answer ends where the
    context does; both are counted at the context's length. Remembered as long as the demand lives.
    """
    known = _fitted(demand)
    if context_tokens not in known:
        known[context_tokens] = _cut(demand, context_tokens)
    return known[context_tokens]


@derived_once
def _fitted(_: Demand) -> dict[int, tuple[Demand, float]]:
    """A demand by the contexts it was fitted to."""
    return {}


def _cut(demand: Demand, context_tokens: int) -> tuple[Demand, float]:
    cut, fitted = 0.0, []
    for one in demand.mix:
        prompt = min(one.input_tokens, float(context_tokens))
        answer = min(one.output_tokens, max(1.0, context_tokens - prompt))
        if prompt < one.input_tokens or answer < one.output_tokens:
            cut += one.weight
        fitted.append(RequestClass(prompt, answer, one.weight))
    return replace(demand, mix=tuple(fitted)), cut


def between(demand: Demand, above_tokens: int, most_tokens: int) -> Demand | None:
    """The part of a demand whose prompts lie in a band; None if there is none.

    Classes are not cut: one belongs to the band its own length lies in.
    """
    inside = [one for one in demand.mix if above_tokens < one.input_tokens <= most_tokens]
    share = sum(one.weight for one in inside)
    if not share:
        return None
    return replace(
        demand,
        requests_per_second=demand.requests_per_second * share,
        mean_requests_per_second=demand.mean_requests_per_second * share,
        mix=tuple(replace(one, weight=one.weight / share) for one in inside),
        # Independently picked requests are less bursty by the share that is picked.
        burstiness=1 + (demand.burstiness - 1) * share,
    )
