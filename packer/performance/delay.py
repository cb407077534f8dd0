"""Delays that are zero or exponential, and the sum of two of them."""

from dataclasses import dataclass
from math import exp

_ALIKE = 1e-6


@dataclass(frozen=True)
class Delay:
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

    def exceeds(self, seconds: float) -> float:
        """Probability that they exceed so many seconds, more than none."""
        first, second = exp(-seconds * self._first), exp(-seconds * self._second)
        late = self._one * first + self._two * second
        if self._is_alike:
            late += self._both * first * (1 + seconds * self._first)
        return late
