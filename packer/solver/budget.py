"""Filling within a budget: which GPUs or nodes to use is decided first, then everything must fit.

Where prices differ, the cheapest set of GPUs with enough room is a knapsack over a handful of
types. The budget is bisected between the bound and the incumbent; for each, the sets with most
room are tried, those first that the relaxation finds large enough.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from packer.solver.card_classes import node_cost
from packer.solver.columns import Columns
from packer.solver.fill_style import FillStyle
from packer.solver.geometry import Geometry
from packer.solver.guided_fill import guided_fill
from packer.solver.packing import Packing
from packer.solver.relaxation import Relaxation
from packer.solver.relaxation_result import RelaxationResult, RowPrices

TRIES = 12
"""Sets tried per budget."""
UNSERVED = 1e-6
"""Replicas without room from which the relaxation calls a set too small."""


@dataclass(frozen=True)
class Ware:
    """What can be bought: a GPU or a whole node of a type."""

    node_type: int
    cost: int
    room: int
    count: int


class BudgetSearch:
    """Looks for complete packings within smaller and smaller budgets."""

    def __init__(
        self,
        geometry: Geometry,
        columns: Columns,
        styles: Sequence[FillStyle],
        may_go_on: Callable[[], bool],
        seconds: float,
    ) -> None:
        self.geometry, self.columns = geometry, columns
        self.relaxation = Relaxation(geometry.instance, columns)
        self.relaxation.limit_time(seconds)
        self.styles, self.may_go_on = styles, may_go_on
        self.wares = _wares(geometry)
        types = len(geometry.instance.node_types)
        capacity = np.zeros((types, len(geometry.instance.dims)))
        # One price for room everywhere, so high that every type bought is to be filled.
        capacity[:, 0] = 1e6
        nothing = np.zeros(types)
        node = np.zeros((types, len(geometry.instance.node_dims)))
        self._prices = RowPrices(capacity, node, nothing, nothing, np.zeros(0))

    def run(self, low: int, high: int, grid: int) -> Iterator[Packing]:
        """Better and better packings, each cheaper than ``high`` was before it.

        Args:
            low: A proven bound.
            high: Objective of the incumbent.
            grid: All objectives are multiples of it.
        """
        low -= grid
        while high - low > grid and self.may_go_on():
            middle = low + max(grid, (high - low) // 2 // grid * grid)
            packing = self._within(middle)
            if packing is None:
                low = middle
            else:
                high = min(middle, packing.objective)
                yield packing

    def _within(self, budget: int) -> Packing | None:
        """A complete packing that costs at most the budget."""
        for counts in most_room(self.wares, budget, TRIES):
            if not self.may_go_on():
                return None
            relaxed = self._relaxed(counts)
            if relaxed is not None and float(relaxed.unserved.sum()) >= UNSERVED:
                continue
            packing = self._filled(self._bought(counts), relaxed)
            if packing is not None:
                return packing
        return None

    def _filled(
        self, allowed: NDArray[np.bool_], relaxed: RelaxationResult | None
    ) -> Packing | None:
        """A complete packing on some GPUs, guided by one price for room or by those of the set."""
        prices = [self._prices] if relaxed is None else [self._prices, relaxed.prices]
        for price, style in product(prices, self.styles):
            packing = guided_fill(
                self.geometry, self.columns, price, style, self.may_go_on, allowed
            )
            if not packing.missing() and packing.affinity_holds():
                return packing
        return None

    def _relaxed(self, counts: Sequence[int]) -> RelaxationResult | None:
        """What the relaxation places on what is bought; None where it ran out of time."""
        by_type = {ware.node_type: count for ware, count in zip(self.wares, counts, strict=True)}
        types = self.geometry.instance.node_types
        z = [(0, len(one.available)) for one in types]
        y = [(0, one.count) for one in self.relaxation.classes]
        if self.geometry.charges_nodes:
            z = [(0, by_type.get(t, 0)) for t in range(len(types))]
        else:
            y = [(0, min(one.count, by_type[one.node_type])) for one in self.relaxation.classes]
        self.relaxation.set_bounds(y, z)
        result = self.relaxation.solve()
        self.relaxation.set_bounds(
            [(0, one.count) for one in self.relaxation.classes],
            [(0, len(one.available)) for one in types],
        )
        return result

    def _bought(self, counts: Sequence[int]) -> NDArray[np.bool_]:
        """The GPUs of the set: the first of each type."""
        geometry = self.geometry
        allowed = np.zeros(len(geometry.gpu_node), dtype=bool)
        for ware, count in zip(self.wares, counts, strict=True):
            usable = (geometry.gpu_type == ware.node_type) & geometry.usable[geometry.gpu_node]
            if geometry.charges_nodes:
                nodes = np.unique(geometry.gpu_node[usable])[:count]
                allowed |= np.isin(geometry.gpu_node, nodes)
            else:
                allowed[np.flatnonzero(usable)[:count]] = True
        return allowed


def _wares(geometry: Geometry) -> list[Ware]:
    wares = []
    for t, one in enumerate(geometry.instance.node_types):
        nodes = len(one.available)
        room = sum(capacity[0] for capacity in one.capacities)
        if geometry.charges_nodes:
            wares.append(Ware(t, node_cost(geometry.instance, t), room, nodes))
        else:
            cost = int(geometry.gpu_cost[geometry.gpu_type == t].max(initial=0))
            wares.append(Ware(t, cost, room // one.gpus, nodes * one.gpus))
    return wares


def most_room(wares: Sequence[Ware], budget: int, most: int) -> list[tuple[int, ...]]:
    """Affordable counts per ware with the most room, the roomiest first: a bounded knapsack.

    Depth first over the wares by room per cost, cut where even a fraction of the rest would not
    reach the roomiest sets found so far.
    """
    order = sorted(range(len(wares)), key=lambda w: (wares[w].cost / max(1, wares[w].room), w))
    found: list[tuple[int, tuple[int, ...]]] = []
    counts = [0] * len(wares)

    def possible(depth: int, left: int) -> float:
        room = 0.0
        for w in order[depth:]:
            ware = wares[w]
            bought = min(float(ware.count), left / ware.cost) if ware.cost else float(ware.count)
            room += bought * ware.room
            left -= int(bought * ware.cost)
            if left <= 0:
                break
        return room

    def visit(depth: int, left: int, room: int) -> None:
        if len(found) == most and room + possible(depth, left) <= found[-1][0]:
            return
        if depth == len(order):
            found.append((room, tuple(counts)))
            found.sort(key=lambda one: (-one[0], one[1]))
            del found[most:]
            return
        w = order[depth]
        ware = wares[w]
        affordable = min(ware.count, left // ware.cost) if ware.cost else ware.count
        for count in range(affordable, -1, -1):
            counts[w] = count
            visit(depth + 1, left - count * ware.cost, room + count * ware.room)
        counts[w] = 0

    visit(0, budget, 0)
    return [one for _, one in found]
