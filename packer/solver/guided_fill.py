"""Filling GPU after GPU to the brim, guided by the prices of the relaxation.

Under the prices of the scarce capacity some ways to place a replica are as cheap as can be; only
those are used. Node types are taken in the order in which the prices want them full, largest
replicas first, and every GPU is completed by the fullest subset of a sample of what is left.
Where another dimension would run short in the end, replicas rich in it are preferred early.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from packer.solver.card_classes import CardClass, card_classes
from packer.solver.card_filling import CardFilling
from packer.solver.columns import Columns
from packer.solver.fill_style import FillState, FillStyle
from packer.solver.first_fit import FirstFit
from packer.solver.geometry import Geometry
from packer.solver.instance import Rule
from packer.solver.packing import Packing
from packer.solver.relaxation_result import RowPrices
from packer.solver.uniform_price import uniform_prices

Integers = NDArray[np.int64]


def guided_fill(
    geometry: Geometry,
    columns: Columns,
    prices: RowPrices | None,
    style: FillStyle,
    may_go_on: Callable[[], bool] = lambda: True,
    allowed: NDArray[np.bool_] | None = None,
    start: Packing | None = None,
) -> Packing:
    """A packing of all replicas, unless room or time runs out; then some are missing.

    Args:
        geometry: GPUs and nodes.
        columns: Ways to place.
        prices: Of the relaxation; None prices one dimension evenly.
        style: How to choose.
        may_go_on: Whether there is time.
        allowed: GPUs that may be used; None allows all.
        start: A packing to complete, changed in place; None starts empty.
    """
    fill = _Fill(start or Packing(geometry), columns, style, may_go_on, allowed)
    fill.run(prices)
    return fill.packing


class _Fill:
    def __init__(
        self,
        packing: Packing,
        columns: Columns,
        style: FillStyle,
        may_go_on: Callable[[], bool],
        allowed: NDArray[np.bool_] | None,
    ) -> None:
        geometry = packing.geometry
        self.geometry, self.columns, self.style = geometry, columns, style
        self.instance = geometry.instance
        self.may_go_on = may_go_on
        self.packing = packing
        self.state = FillState(packing, columns, style)
        self.left = self.state.left
        self.names = [item.name for item in self.instance.items]
        self.filled: set[int] = set()
        self.order: list[int] = []
        self.allowed = geometry.usable[geometry.gpu_node]
        if allowed is not None:
            self.allowed = self.allowed & allowed
        self.first_fit = FirstFit(self.packing, columns, self.allowed)

    def run(self, prices: RowPrices | None) -> None:
        self._place_partners()
        while self.left.any() and self.may_go_on():
            if prices is None:
                prices = self._prices_of_rest()
            t = self._next_type(prices)
            if t is None:
                break
            before = int(self.left.sum())
            self._fill_type(t, prices)
            self.filled.add(t)
            prices = prices if int(self.left.sum()) == before else None
        if self.may_go_on():
            rest = FirstFit(self.packing, self.columns, self.allowed)
            rest.place_all(may_go_on=self.may_go_on)

    def _place_partners(self) -> None:
        """Items bound by affinity come first, partners before who needs them."""
        bound = {
            name
            for one in self.instance.constraints
            if one.rule is Rule.AFFINITY
            for name in one.items
        }
        order = [i for i in self.first_fit.decreasing() if self.names[i] in bound]
        self.first_fit.place_all(order, self.may_go_on)
        for i in order:
            self.left[i] = 0

    def _prices_of_rest(self) -> RowPrices:
        classes = tuple(
            replace(one, count=self._unused(one))
            for one in card_classes(self.instance)
            if one.node_type not in self.filled
        )
        usable = ~np.isin(self.columns.node_type, sorted(self.filled))
        rest = _chosen(self.columns, usable & (self.left[self.columns.item] > 0))
        return uniform_prices(rest, self.left.astype(float), classes, len(self.instance.node_types))

    def _unused(self, one: CardClass) -> int:
        """GPUs of a class that may be used and are not yet."""
        free = self.allowed & (self.packing.gpu_replicas == 0)
        free &= self.geometry.gpu_type == one.node_type
        return int((self.geometry.gpu_capacity[free] == one.capacity).all(axis=1).sum())

    def _next_type(self, prices: RowPrices) -> int | None:
        """The type that earns most beyond its cost and still takes something."""
        ranked = []
        for one in card_classes(self.instance):
            t = one.node_type
            if t in self.filled or not len(self._pool(t, prices)):
                continue
            earned = float((prices.capacity[t] * np.array(one.capacity)).sum()) - one.cost
            size = one.capacity[0] if self.style.smallest_type_first else -one.capacity[0]
            relative = round(earned / max(1.0, one.cost), 6)
            ranked.append((-min(relative, 0.0), relative <= 0, size, t))
        self.order = [t for _, full, _, t in sorted(ranked) if not full or t == min(ranked)[3]]
        marginal = [t for rest, full, _, t in sorted(ranked) if full and rest == 0][:1]
        self.order += [t for t in marginal if t not in self.order]
        return min(ranked)[3] if ranked else None

    def later_types(self, t: int) -> list[int]:
        """Types the prices want filled after this one, the marginal one included."""
        return [other for other in self.order if other != t]

    def _pool(self, t: int, prices: RowPrices) -> Integers:
        """Columns of the type as cheap as any of their item on the types not yet filled."""
        columns = self.columns
        open_types = ~np.isin(columns.node_type, sorted(self.filled))
        wanted = open_types & (self.left[columns.item] > 0)
        paid = (columns.load * prices.capacity[columns.node_type]).sum(axis=1)
        if prices.node.size:
            paid = paid + (columns.node * prices.node[columns.node_type]).sum(axis=1)
        least = np.full(len(self.names), np.inf)
        np.minimum.at(least, columns.item[wanted], paid[wanted])
        cheap = wanted & (columns.node_type == t)
        cheap &= paid <= least[columns.item] * (1 + 1e-9) + 1e-12
        return np.flatnonzero(cheap)

    def _fill_type(self, t: int, prices: RowPrices) -> None:
        pool = self._pool(t, prices)
        self._place_wide(pool[self.columns.width[pool] > 1])
        single = pool[self.columns.width[pool] == 1]
        if not len(single):
            return
        elsewhere = self._counts_elsewhere(t, prices)
        bins = CardFilling(self.state, t, single, elsewhere, self.later_types(t))
        for gpu in self._gpus_in_order(t):
            if not self.may_go_on() or not bins.fill(int(self.geometry.gpu_node[gpu]), gpu):
                return

    def _gpus_in_order(self, t: int) -> list[int]:
        """GPUs of a type, node by node, or the first of every node before the second of any."""
        geometry = self.geometry
        gpus = np.flatnonzero((geometry.gpu_type == t) & self.allowed)
        if self.style.spread_out:
            gpus = gpus[np.lexsort((gpus, geometry.gpu_index[gpus]))]
        return [int(gpu) for gpu in gpus]

    def _counts_elsewhere(self, t: int, prices: RowPrices) -> NDArray[np.bool_]:
        """Whether an item is also as cheap on another type that is still to be filled."""
        also = np.zeros(len(self.names), dtype=bool)
        for other in range(len(self.instance.node_types)):
            if other != t and other not in self.filled:
                also[self.columns.item[self._pool(other, prices)]] = True
        return also

    def _place_wide(self, pool: Integers) -> None:
        """Replicas over several GPUs whose item has no cheap single-GPU way."""
        if not len(pool):
            return
        single = set(self.columns.item[self.columns.width == 1].tolist())
        items = [i for i in dict.fromkeys(self.columns.item[pool].tolist()) if i not in single]
        volume = self.columns.load[:, 0]
        wide = {i: int(volume[pool[self.columns.item[pool] == i]].max()) for i in items}
        placer = FirstFit(self.packing, _chosen(self.columns, pool), self.allowed)
        for i in sorted(wide, key=lambda i: (-wide[i], i)):
            while self.left[i]:
                choice = placer.find(i) if self.may_go_on() else None
                if choice is None:
                    break
                placer.take(choice)
                self.left[i] -= 1


def _chosen(columns: Columns, mask: NDArray[np.generic]) -> Columns:
    """Some of the columns."""
    return Columns(
        columns.item[mask],
        columns.alternative[mask],
        columns.node_type[mask],
        columns.shares[mask],
        columns.node[mask],
        columns.width[mask],
    )
