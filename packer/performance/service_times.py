"""How long a server takes for steps and prompts: what queueing needs to know of it."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

Knots = tuple[tuple[float, float], ...]
"""Points of a curve in ascending order; straight lines between them."""


@dataclass(frozen=True)
class ServiceTimes:
    """Seconds of one server's work.

    Attributes:
        steps: Slots that decode → seconds in which each of them gets one token.
        prompts: Tokens of a prompt → seconds to read it, nothing else running.
        batch_tokens: Tokens of prompts between two steps of the slots that decode, `--batch-size`.
    """

    steps: Knots
    prompts: Knots
    batch_tokens: int = 2048

    def step_seconds(self, slots: float) -> float:
        """Seconds per token of each of ``slots`` slots [s]."""
        return interpolated(self.steps, slots)

    def prompt_seconds(self, tokens: float) -> float:
        """Seconds of one prompt [s]."""
        return interpolated(self.prompts, tokens)

    def slowed(self, share: float) -> "ServiceTimes":
        """The same server with only a share of its cards' time."""
        return ServiceTimes(
            tuple((slots, seconds / share) for slots, seconds in self.steps),
            tuple((tokens, seconds / share) for tokens, seconds in self.prompts),
            self.batch_tokens,
        )


def interpolated(knots: Knots, at: float) -> float:
    """Value of a curve; its first and last line go on beyond its ends, but never below zero."""
    if len(knots) == 1:
        return knots[0][1]
    right = min(max(bisect_left(knots, (at,)), 1), len(knots) - 1)
    (low, low_value), (high, high_value) = knots[right - 1], knots[right]
    value = low_value + (high_value - low_value) * (at - low) / (high - low)
    return max(0.0, value)


def interpolated_along(knots: Knots, ascending: Iterable[float]) -> Iterator[float]:
    """Values of a curve at ascending places, each as ``interpolated`` gives it."""
    if len(knots) == 1:
        for _ in ascending:
            yield knots[0][1]
        return
    right, last = 1, len(knots) - 1
    (low, low_value), (high, high_value) = knots[0], knots[1]
    for at in ascending:
        while right < last and high < at:
            right += 1
            (low, low_value), (high, high_value) = knots[right - 1], knots[right]
        value = low_value + (high_value - low_value) * (at - low) / (high - low)
        yield value if value > 0.0 else 0.0
