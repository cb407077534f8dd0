"""Dual feasible functions: weights f(w) whose sum on any GPU stays within one, as extra rows.

Each function maps a share ``w`` of a capacity ``C`` to an integer numerator over a fixed
denominator; for shares that fit one GPU together the numerators sum to at most the denominator.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


class Family(StrEnum):
    """The families used.

    Source:
        Fekete and Schepers 2001 (rounding ``fs``, Martello-Toth threshold ``mt``);
        Carlier, Clautiaux and Moukrim 2007 (``ccm``).
    """

    ROUNDING = "fs"
    THRESHOLD = "mt"
    STEPS = "ccm"


@dataclass(frozen=True)
class DualFeasibleFunction:
    """One function: its family, its parameter and the capacity it is made for."""

    family: Family
    parameter: int
    capacity: int

    @property
    def denominator(self) -> int:
        """What the numerators on one GPU may sum to. Exact."""
        if self.family is Family.ROUNDING:
            return self.parameter * self.capacity
        if self.family is Family.THRESHOLD:
            return self.capacity
        return 2 * (self.capacity // self.parameter)

    def numerators(self, shares: Integers) -> Integers:
        """Numerator per share. Exact."""
        if self.family is Family.ROUNDING:
            return self._rounding(shares)
        if self.family is Family.THRESHOLD:
            return self._threshold(shares)
        return self._steps(shares)

    def _rounding(self, shares: Integers) -> Integers:
        """``w`` where (k+1)·w/C is whole, else floor((k+1)·w/C)/k."""
        k, capacity = self.parameter, self.capacity
        raised = (k + 1) * shares
        return np.where(raised % capacity == 0, k * shares, raised // capacity * capacity)

    def _threshold(self, shares: Integers) -> Integers:
        """1 above C-ε, 0 below ε, ``w`` between."""
        high = np.where(shares > self.capacity - self.parameter, self.capacity, shares)
        return np.where(shares < self.parameter, 0, high)

    def _steps(self, shares: Integers) -> Integers:
        """Multiples of ε counted from below under C/2, from above over C/2."""
        capacity, step = self.capacity, self.parameter
        whole = capacity // step
        over = 2 * (whole - (capacity - shares) // step)
        under = 2 * (shares // step)
        return np.where(2 * shares > capacity, over, np.where(2 * shares == capacity, whole, under))


def candidate_functions(shares: Integers, capacity: int, most: int) -> list[DualFeasibleFunction]:
    """Functions worth trying for these shares: roundings up to 1/20, thresholds at the shares."""
    roundings = [DualFeasibleFunction(Family.ROUNDING, k, capacity) for k in range(1, 20)]
    low = np.unique(shares[(shares > 0) & (2 * shares <= capacity)])
    if len(low) > most:
        low = low[np.linspace(0, len(low) - 1, most).astype(int)]
    thresholds = [DualFeasibleFunction(Family.THRESHOLD, int(share), capacity) for share in low]
    steps = [DualFeasibleFunction(Family.STEPS, int(share), capacity) for share in low]
    return roundings + thresholds + steps
