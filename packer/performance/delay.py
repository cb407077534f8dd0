"""Delays that are zero or exponential, and whom the sum of two of them makes late."""

from collections.abc import Sequence
from math import exp, inf
from typing import NamedTuple

from packer.performance.request_load import PromptSize

_ALIKE = 1e-6


class Delay(NamedTuple):
    """A delay that is zero or exponential: P(delay > t) = chance · e^(−t ÷ mean)."""

    chance: float
    mean: float


class TwoDelays:
    """Two independent delays together. Exact."""

    def __init__(self, one: Delay, two: Delay) -> None:
        """The sum of two delays."""
        self._first, self._second = 1 / one.mean, 1 / two.mean
        both = one.chance * two.chance
        self._is_alike = abs(one.mean - two.mean) < _ALIKE * one.mean
        if self._is_alike:
            self._one, self._two, self._both = one.chance - both, two.chance - both, both
            return
        apart = both / (one.mean - two.mean)
        self._one = one.chance - both + apart * one.mean
        self._two = two.chance - both - apart * two.mean
        self._both = 0.0

    def late(
        self, prompts: Sequence[PromptSize], seconds: float, step: float, most: float = inf
    ) -> float:
        """Share of requests that the delays and their own prompt make later than some seconds.

        Args:
            prompts: Their sizes.
            seconds: From arrival on.
            step: Seconds of a step, one of which follows every batch of a prompt.
            most: Share from which on more need not be told apart: any above it is the answer then.
        """
        first, second, one, two = self._first, self._second, self._one, self._two
        late = 0.0
        for weight, own, batches in prompts:
            rest = seconds - own - batches * step
            if rest <= 0:
                late += weight
            elif self._is_alike:
                gone = exp(-rest * first)
                both = self._both * gone * (1 + rest * first)
                late += weight * (one * gone + two * exp(-rest * second) + both)
            else:
                late += weight * (one * exp(-rest * first) + two * exp(-rest * second))
            if late > most:
                break
        return late
