"""The configuration bound: prices under which no pattern that fits a GPU earns more than it costs.

Column generation over patterns, priced by a knapsack in one dimension, in units so coarse that it
is quick; shares and capacities are rounded down to them, so whatever fits still does. It is often
the optimum rounded up where the compact relaxation is one or two short. The prices are rounded
down to integers and every GPU is priced again exactly: no floating-point number is trusted.

Source: Gilmore and Gomory 1961.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ortools.linear_solver import pywraplp

from packer.solver.branching import objective_grid
from packer.solver.card_classes import card_classes
from packer.solver.instance import Instance

MOST_UNITS = 1_500
"""Units the largest capacity is divided into."""
MOST_ITEMS = 300
"""Items beyond which the knapsacks take too long."""
MOST_ROUNDS = 600
SCALE = 10**6
Pattern = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class PatternBound:
    """A proven bound with its integer prices.

    Attributes:
        unit: What shares and capacities are counted in.
        prices: Per item, in units of 1/SCALE. earned: Most a pattern earns, per node type.
    """

    value: int
    dim: int
    unit: int
    prices: tuple[int, ...]
    earned: tuple[int, ...]


def pattern_bound(instance: Instance, may_go_on: Callable[[], bool]) -> PatternBound | None:
    """The bound of patterns in dimension 0; None where the instance is not of that kind.

    Only where every replica takes one GPU, and of no more than ``MOST_ITEMS`` kinds.
    """
    capacities = [max(one.capacities)[0] for one in instance.node_types]
    costs = [card.cost for card in card_classes(instance)]
    several = any(len(way.shares) > 1 for item in instance.items for way in item.alternatives)
    if several or not 0 < len(instance.items) <= MOST_ITEMS:
        return None
    if not all(costs) or len(costs) != len(instance.node_types):
        return None
    master = _Master(instance, capacities, costs)
    master.run(may_go_on)
    return master.bound()


class _Master:
    """The restricted program over the patterns found so far."""

    def __init__(self, instance: Instance, capacities: list[int], costs: list[int]) -> None:
        self._instance, self._costs = instance, costs
        self._unit = -(-max(capacities) // MOST_UNITS) or 1
        self._capacities = [capacity // self._unit for capacity in capacities]
        self._shares = [_smallest_shares(instance, t, self._unit) for t in range(len(costs))]
        self._prices = np.zeros(len(instance.items))
        self._counts = [item.count for item in instance.items]
        self._solver: Any = pywraplp.Solver.CreateSolver("GLOP")  # type: ignore[no-untyped-call]
        infinity = self._solver.infinity()
        self._solver.Objective().SetMinimization()
        self._demand = [self._solver.Constraint(count, infinity) for count in self._counts]
        self._supply = [
            self._solver.Constraint(-len(one.available) * one.gpus, infinity)
            for one in instance.node_types
        ]
        for row in self._demand:
            missing = self._solver.NumVar(0, infinity, "")
            row.SetCoefficient(missing, 1)
            self._solver.Objective().SetCoefficient(missing, 4.0 * sum(costs) + 4.0)

    def run(self, may_go_on: Callable[[], bool]) -> None:
        """Add patterns until none pays, and keep the prices that proved most on the way."""
        most = 0.0
        for _ in range(MOST_ROUNDS):
            if not may_go_on() or self._solver.Solve() != pywraplp.Solver.OPTIMAL:
                return
            prices = np.array([max(0.0, row.dual_value()) for row in self._demand])
            rents = [max(0.0, row.dual_value()) for row in self._supply]
            paying, feasible = [], 1.0
            for t, (cost, rent) in enumerate(zip(self._costs, rents, strict=True)):
                earned, pattern = self._best_pattern(t, prices)
                if earned > cost + rent + 1e-7 * max(1.0, cost):
                    paying.append((t, pattern))
                    feasible = min(feasible, (cost + rent) / earned)
            proven = feasible * float(self._solver.Objective().Value())
            if proven > most:
                most, self._prices = proven, feasible * prices
            if not paying:
                return
            for t, pattern in paying:
                self._add(t, pattern)

    def _add(self, t: int, pattern: Pattern) -> None:
        variable = self._solver.NumVar(0, self._solver.infinity(), "")
        self._solver.Objective().SetCoefficient(variable, self._costs[t])
        self._supply[t].SetCoefficient(variable, -1)
        for i, amount in pattern:
            self._demand[i].SetCoefficient(variable, amount)

    def bound(self) -> PatternBound:
        """What the prices prove, in whole numbers."""
        prices = [math.floor(price * SCALE) for price in self._prices.tolist()]
        exact = np.array(prices, dtype=np.int64)
        earned = [int(self._best_pattern(t, exact)[0]) for t in range(len(self._costs))]
        total = sum(price * count for price, count in zip(prices, self._counts, strict=True))
        for one, most, cost in zip(self._instance.node_types, earned, self._costs, strict=True):
            total -= len(one.available) * one.gpus * max(0, most - SCALE * cost)
        step = SCALE * objective_grid(self._instance)
        value = max(0, -(-total // step) * objective_grid(self._instance))
        return PatternBound(value, 0, self._unit, tuple(prices), tuple(earned))

    def _best_pattern(self, t: int, prices: NDArray[Any]) -> tuple[Any, Pattern]:
        """The pattern of most worth on a GPU of a type: a bounded knapsack."""
        capacity, best = self._capacities[t], np.zeros(self._capacities[t] + 1, prices.dtype)
        taken: list[tuple[int, int, int, NDArray[np.bool_]]] = []
        for i, share in enumerate(self._shares[t]):
            if share > capacity or not prices[i] > 0:
                continue
            most = capacity // share if share else self._counts[i]
            for amount in _parts(min(self._counts[i], most)):
                size = amount * share
                other = best.copy()
                other[size:] = best[: capacity + 1 - size] + amount * prices[i]
                better = other > best
                taken.append((i, amount, size, better))
                best = np.where(better, other, best)
        pattern: dict[int, int] = {}
        left = capacity
        for i, amount, size, better in reversed(taken):
            if better[left]:
                pattern[i] = pattern.get(i, 0) + amount
                left -= size
        return best[capacity], tuple(pattern.items())


def _parts(count: int) -> list[int]:
    """Powers of two and a rest whose sums are all numbers up to the count."""
    parts, part = [], 1
    while count > 0:
        parts.append(min(part, count))
        count -= parts[-1]
        part *= 2
    return parts


def _smallest_shares(instance: Instance, t: int, unit: int) -> list[int]:
    """Least share per item on a type, in units; beyond every capacity where none is allowed.

    Whether it fits in other dimensions does not matter for a bound, and the judge does not ask.
    """
    gpu_type = instance.node_types[t].gpu_type
    return [
        min(
            (
                one.shares[0][0] // unit
                for one in item.alternatives
                if one.gpu_types is None or gpu_type in one.gpu_types
            ),
            default=MOST_UNITS + 1,
        )
        for item in instance.items
    ]
