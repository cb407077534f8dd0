"""Filling GPU after GPU to the brim, guided by the prices of the relaxation.

Under the prices of the scarce capacity some ways to place a replica are as cheap as can be; only
those are used. Node types are taken in the order in which the prices want them full, largest
replicas first, and every GPU is completed by the fullest subset of a sample of what is left.
Where another dimension would run short in the end, replicas rich in it are preferred early.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from packer.solver.card_classes import CardClass, card_classes
from packer.solver.columns import Columns
from packer.solver.first_fit import FirstFit
from packer.solver.geometry import Geometry
from packer.solver.instance import Placed, Rule
from packer.solver.packing import Packing
from packer.solver.relaxation import RowPrices
from packer.solver.subset_sum import fullest_subset, layered_sums
from packer.solver.uniform_price import uniform_prices

Integers = NDArray[np.int64]

MOST_LAYERS = 32
"""Steps of a second capacity while a GPU is completed; small capacities are tracked exactly."""


@dataclass(frozen=True)
class FillStyle:
    """How a fill chooses.

    Attributes:
        sample: Replicas offered to one GPU.
        largest: How many of them are the largest that fit; the others are spread over the sizes.
        smallest_type_first: Among types the prices want equally full.
        seed: Of the sampling.
    """

    sample: int = 40
    largest: int = 12
    smallest_type_first: bool = False
    spread_out: bool = False
    urgent_from: float = 0.8
    balance_from: float = 0.7
    finest: int = 4000
    tolerance: float = 0.002
    seed: int = 0


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
        self.random = random.Random(style.seed)  # noqa: S311 — not for secrets
        self.left = np.zeros(len(self.instance.items), dtype=np.int64)
        for i, missing in packing.missing().items():
            self.left[i] = missing
        self.names = [item.name for item in self.instance.items]
        self.watched = np.array([self.packing.is_watched(name) for name in self.names], dtype=bool)
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
        FirstFit(self.packing, self.columns, self.allowed).place_all()

    def _place_partners(self) -> None:
        """Items bound by affinity come first, partners before who needs them."""
        bound = {
            name
            for one in self.instance.constraints
            if one.rule is Rule.AFFINITY
            for name in one.items
        }
        order = [i for i in self.first_fit.decreasing() if self.names[i] in bound]
        self.first_fit.place_all(order)
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
        bins = _Bins(self, t, single, elsewhere)
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
                choice = placer.find(i)
                if choice is None:
                    break
                placer.take(choice)
                self.left[i] -= 1


class _Bins:
    """The GPUs of one type, filled one after the other from one pool of single-GPU columns."""

    def __init__(self, fill: _Fill, t: int, pool: Integers, elsewhere: NDArray[np.bool_]) -> None:
        self.fill_state, self.t = fill, t
        columns = fill.columns
        order = np.argsort(-columns.shares[pool, 0, 0], kind="stable")
        self.pool = pool[order]
        self.item = columns.item[self.pool]
        self.share = columns.shares[self.pool, 0]
        self.node = columns.node[self.pool]
        self.size = self.share[:, 0]
        self.elsewhere = elsewhere[self.item]
        # What stays behind must fit the tightest of the types filled later.
        later = [t, *fill.later_types(t)]
        capacity = np.array([fill.instance.node_types[one].gpu_cap for one in later], dtype=float)
        tightest = (capacity[:, :1] / np.maximum(capacity, 1)).max(axis=0)
        self.future = self.share * tightest
        self.placed: dict[int, int] = {}

    def fill(self, node: int, gpu: int) -> bool:
        """Fill one GPU; False where nothing is left to place."""
        fill = self.fill_state
        packing = fill.packing
        room = packing.free[gpu]
        fits = (fill.left[self.item] > 0) & (self.share <= room).all(axis=1)
        if self.node.shape[1]:
            fits &= (self.node <= packing.node_free[node]).all(axis=1)
        candidates = np.flatnonzero(fits)
        if not len(candidates):
            return bool((fill.left[self.item] > 0).any())
        candidates = self._welcome(candidates, node, gpu)
        if not len(candidates):
            return True
        forced = self._forced(candidates, node)
        self._place(forced, node, gpu)
        room = packing.free[gpu]
        candidates = candidates[
            (fill.left[self.item[candidates]] > 0) & (self.share[candidates] <= room).all(axis=1)
        ]
        if len(candidates):
            self._complete(candidates, node, gpu)
        return True

    def _complete(self, candidates: Integers, node: int, gpu: int) -> None:
        """Add the fullest subset of a sample."""
        room = self.fill_state.packing.free[gpu]
        scarce = self._scarce_dimension(candidates)
        offered = np.array(self._offer(candidates, scarce), dtype=np.int64)
        if scarce is None:
            sizes = self.size[offered].tolist()
            chosen = fullest_subset(sizes, int(room[0]), self.fill_state.style.finest)
            over = (self.share[offered[chosen]].sum(axis=0) > room).nonzero()[0]
            scarce = int(over[0]) if len(over) else None
        if scarce is not None:
            chosen = self._layered(offered, room, scarce)
        self._place(offered[chosen].tolist(), node, gpu)

    def _layered(self, offered: Integers, room: Integers, scarce: int) -> list[int]:
        """The fullest subset that also keeps the other capacities, rich in the scarce one."""
        style = self.fill_state.style
        layers = max(1, min(int(room[scarce]), MOST_LAYERS))
        steps = np.rint(self.share[offered, scarce] * (layers / max(1, room[scarce])))
        sums = layered_sums(
            self.size[offered].tolist(),
            steps.astype(int).tolist(),
            int(room[0]),
            layers,
            style.finest,
        )
        chosen: list[int] = []
        for tolerance in (style.tolerance, 0.02, 0.2):
            for chosen in sums.subsets(tolerance):
                if (self.share[offered[chosen]].sum(axis=0) <= room).all():
                    return chosen
        return chosen

    def _scarce_dimension(self, candidates: Integers) -> int | None:
        """The dimension that would run short first where the rest must go; None if none does."""
        weights = self.future[candidates] * self.fill_state.left[self.item[candidates]][:, None]
        scarce = weights.sum(axis=0) / max(1e-12, weights[:, 0].sum())
        dim = int(scarce.argmax())
        return dim if scarce[dim] > self.fill_state.style.balance_from and dim else None

    def _welcome(self, candidates: Integers, node: int, gpu: int) -> Integers:
        """Candidates no rule keeps off this GPU."""
        ruled = self.fill_state.watched[self.item[candidates]]
        if not ruled.any():
            return candidates
        fine: NDArray[np.bool_] = ~ruled
        for position in np.flatnonzero(ruled):
            fine[position] = self._allowed(int(candidates[position]), node, gpu)
        return np.asarray(candidates[fine])

    def _forced(self, candidates: Integers, node: int) -> list[int]:
        """The largest replica that must go to this type, and those that need every node left."""
        fill = self.fill_state
        t = self.t
        nodes = fill.instance.node_types[t].count
        ahead = fill.geometry.first_node[t] + nodes - node
        must = candidates[~self.elsewhere[candidates]]
        forced = [int((must if len(must) else candidates)[0])]
        for c in candidates[fill.watched[self.item[candidates]]].tolist():
            i = int(self.item[c])
            most = fill.instance.items[i].max_per_node
            if most is None or c in forced:
                continue
            if fill.style.spread_out:
                ahead = nodes - self.placed.get(i, 0) // most
            if fill.left[i] >= most * ahead * fill.style.urgent_from:
                forced.insert(0, c)
        return forced

    def _allowed(self, c: int, node: int, gpu: int) -> bool:
        fill = self.fill_state
        i = int(self.item[c])
        return not fill.watched[i] or fill.packing.allows(fill.names[i], node, (gpu,))

    def _offer(self, candidates: Integers, scarce: int | None) -> list[int]:
        """Replicas for one GPU, the ones to be preferred first."""
        fill, style = self.fill_state, self.fill_state.style
        must = candidates[~self.elsewhere[candidates]]
        if scarce is None:
            large = (must if len(must) else candidates)[: style.largest]
        else:
            density = self.future[candidates, scarce] / np.maximum(self.future[candidates, 0], 1e-9)
            large = candidates[np.argsort(-density, kind="stable")][: style.largest]
        rest = candidates[
            [self.fill_state.random.randrange(len(candidates)) for _ in range(style.sample)]
        ]
        rest = np.sort(rest)
        offered: list[int] = []
        used: dict[int, int] = {}
        for c in np.concatenate([large, rest]).tolist():
            i = int(self.item[c])
            if used.get(i, 0) < fill.left[i]:
                used[i] = used.get(i, 0) + 1
                offered.append(c)
        return offered

    def _place(self, chosen: list[int], node: int, gpu: int) -> None:
        fill = self.fill_state
        geometry, columns, packing = fill.geometry, fill.columns, fill.packing
        index = int(geometry.gpu_index[gpu])
        for c in chosen:
            room = (self.share[c] <= packing.free[gpu]).all()
            if not room or (self.node[c] > packing.node_free[node]).any():
                continue
            if not self._allowed(c, node, gpu):
                continue
            packing.place(
                Placed(
                    fill.names[int(self.item[c])],
                    int(columns.alternative[self.pool[c]]),
                    self.t,
                    int(geometry.node_index[node]),
                    (index,),
                )
            )
            fill.left[self.item[c]] -= 1
            self.placed[int(self.item[c])] = self.placed.get(int(self.item[c]), 0) + 1


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
