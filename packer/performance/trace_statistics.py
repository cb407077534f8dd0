"""What a trace of requests says about demand: its busiest minute, its bursts, its sizes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from packer.domain.demand import Demand, RequestClass

_MINUTE = 60.0
_FEW = 100
"""A stretch holds at least this many requests on average, or its busiest one is mere chance."""
_PARTS = 6
"""A stretch is cut into as many windows to see how bursty arrivals are within it."""
_PROMPT_GROUPS, _ANSWER_GROUPS = 16, 8


@dataclass(frozen=True)
class TracedRequest:
    """One request of a trace."""

    seconds: float
    input_tokens: int
    output_tokens: int


def demand_of_trace(
    requests: Sequence[TracedRequest], *, scale: float = 1.0, origin: str = ""
) -> Demand:
    """Demand of a trace. Exact for the trace; it is as good as the trace is typical.

    The rate is that of the busiest minute (or longer, where a minute holds few requests), so that a
    plan holds then too; burstiness is what is left within such stretches. Requests without an
    answer count as one token.

    Args:
        requests: In order of time, at least one.
        scale: How much faster the trace is played: 2 halves the time between arrivals.
        origin: Name of the trace.
    """
    start = requests[0].seconds
    times = [(one.seconds - start) / scale for one in requests]
    length = max(times[-1], _MINUTE)
    stretch = min(length, max(_MINUTE, _FEW * length / len(times)))
    per_stretch = Counter(int(time / stretch) for time in times)
    return Demand(
        requests_per_second=max(per_stretch.values()) / stretch,
        mix=_mix(requests),
        burstiness=_burstiness(times, stretch),
        mean_requests_per_second=len(requests) / length,
        origin=origin,
    )


def _burstiness(times: Sequence[float], stretch: float) -> float:
    """Variance over mean of arrivals in a sixth of a stretch, around the stretch's own mean."""
    parts = Counter(int(time * _PARTS / stretch) for time in times)
    squares = 0.0
    for number, total in Counter(int(time / stretch) for time in times).items():
        inside = range(number * _PARTS, (number + 1) * _PARTS)
        squares += sum((parts[part] - total / _PARTS) ** 2 for part in inside)
    return max(1.0, squares * _PARTS / (_PARTS - 1) / len(times))


def _mix(requests: Sequence[TracedRequest]) -> tuple[RequestClass, ...]:
    """Requests grouped by prompt, and each group by answer; a class is the mean of its requests."""
    ranked = sorted(requests, key=lambda one: one.input_tokens)
    classes = []
    for alike in _parts(ranked, _PROMPT_GROUPS):
        by_answer = sorted(alike, key=lambda one: one.output_tokens)
        classes += [_class(part, len(ranked)) for part in _parts(by_answer, _ANSWER_GROUPS)]
    return tuple(classes)


def _parts(ranked: Sequence[TracedRequest], most: int) -> list[Sequence[TracedRequest]]:
    """Consecutive parts of about equal size."""
    count, size = min(most, len(ranked)), len(ranked)
    ends = [index * size // count for index in range(count + 1)]
    return [ranked[low:high] for low, high in pairwise(ends)]


def _class(group: Sequence[TracedRequest], everyone: int) -> RequestClass:
    inputs = sum(max(1, one.input_tokens) for one in group) / len(group)
    outputs = sum(max(1, one.output_tokens) for one in group) / len(group)
    return RequestClass(inputs, outputs, len(group) / everyone)
