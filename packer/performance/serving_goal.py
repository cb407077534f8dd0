"""Slots and part of a card's time with which a server reaches its goals."""

from collections.abc import Iterator
from dataclasses import dataclass

from packer.domain.demand import Goals
from packer.performance.queueing import ServerQueue
from packer.performance.request_load import RequestLoad

HIGHEST_UTILISATION = 0.85
"""A server this busy still catches up after a burst; closer to 1 waits grow without limit."""
_TAIL_SHARE = 0.05
_RARELY = 0.005
"""Chance of all slots being busy below which further ones change nothing."""
_STEPS = 7
_LADDER = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)


@dataclass(frozen=True)
class ServerDemand:
    """Traffic and goals of one server.

    Attributes:
        rate: Requests per second that reach it.
        burstiness: Variance over mean of its arrivals.
    """

    rate: float
    burstiness: float
    goals: Goals


def ladder(most: int) -> Iterator[int]:
    """Numbers of slots worth trying, ascending."""
    return (slots for slots in _LADDER if slots <= most)


def meets_goals(load: RequestLoad, demand: ServerDemand, slots: int, share: float = 1.0) -> bool:
    """Whether a server with a share of its cards' time reaches every goal.

    A server with half of the time is one with all of it whose clock runs at half speed.
    """
    rate = demand.rate / share
    if rate / load.leaving_rate(slots) > HIGHEST_UTILISATION:
        return False
    return _reaches(ServerQueue(load, rate, slots, demand.burstiness), demand.goals, share)


def _reaches(queue: ServerQueue, goals: Goals, share: float) -> bool:
    """Whether a server that is not too busy reaches every goal."""
    speed, wait = goals.decode_tokens_per_second, goals.first_token_p95_seconds
    if speed is not None and queue.decode_tokens_per_second * share < speed:
        return False
    return wait is None or queue.later_than(wait * share, _TAIL_SHARE) <= _TAIL_SHARE


def fewest_slots(
    load: RequestLoad, demand: ServerDemand, most: int, share: float = 1.0
) -> int | None:
    """Fewest slots that reach the goals with a share of the cards' time; None if no number does."""
    if _is_too_fast(load, demand.goals, share):
        return None
    rate = demand.rate / share
    for slots in ladder(most):
        if rate / load.leaving_rate(slots) > HIGHEST_UTILISATION:
            continue
        queue = ServerQueue(load, rate, slots, demand.burstiness)
        if _reaches(queue, demand.goals, share):
            return slots
        if queue.full_chance < _RARELY:
            return None  # more slots would stay empty
    return None


def _is_too_fast(load: RequestLoad, goals: Goals, share: float) -> bool:
    """Whether even a single slot is too slow."""
    speed = goals.decode_tokens_per_second
    return speed is not None and share / load.step_seconds(1) < speed


def least_share(load: RequestLoad, demand: ServerDemand, slots: int) -> float:
    """Smallest part of the cards' time that reaches the goals with these slots, to a percent.

    All of it must reach them.
    """
    low, high, leaving = 0.0, 1.0, load.leaving_rate(slots)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        rate = demand.rate / middle
        if rate / leaving > HIGHEST_UTILISATION:
            low = middle
        elif _reaches(ServerQueue(load, rate, slots, demand.burstiness), demand.goals, middle):
            high = middle
        else:
            low = middle
    return high


def shortfall(load: RequestLoad, demand: ServerDemand, slots: int, share: float = 1.0) -> str:
    """Why a number of slots does not reach the goals, with the figures that miss them."""
    queue = ServerQueue(load, demand.rate / share, slots, demand.burstiness)
    if queue.utilisation > HIGHEST_UTILISATION:
        most = queue.leaving_rate(slots) * HIGHEST_UTILISATION * share
        return f"{slots} slots serve {most:.2g} requests/s, {demand.rate:.2g} arrive"
    speed = demand.goals.decode_tokens_per_second
    reached = queue.decode_tokens_per_second * share
    if speed is not None and reached < speed:
        return f"{reached:.1f} tokens/s per slot with {queue.busy_slots} busy, {speed:g} are asked"
    wait = demand.goals.first_token_p95_seconds
    late = queue.first_token_seconds() / share
    if wait is None:
        return "no goal is missed"
    return f"first token within {late:.2g} s in 95 of 100 requests, {wait:g} s are asked"
