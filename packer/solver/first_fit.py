"""First-fit-decreasing: the baseline every plan is compared with, and the first valid plan."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from packer.solver.columns import Columns, build_columns
from packer.solver.geometry import Geometry
from packer.solver.instance import Instance, Placed, Rule
from packer.solver.packing import Packing

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Choice:
    """A place for one replica: alternative and GPUs by number, in the order of the shares."""

    item: int
    alternative: int
    node: int
    gpus: tuple[int, ...]


def first_fit_decreasing(instance: Instance) -> tuple[Placed, ...] | None:
    """Placements of plain first-fit-decreasing, or None where it leaves a replica out.

    Items largest first; each replica goes to the first GPU in use that takes any of its
    alternatives, else opens the GPU type with the most room for its price.
    """
    from packer.solver.geometry import build_geometry

    packing = Packing(build_geometry(instance))
    FirstFit(packing, build_columns(instance)).place_all()
    if packing.missing() or not packing.affinity_holds():
        return None
    return tuple(packing.placed)


class FirstFit:
    """Places replicas one after the other into a packing."""

    def __init__(
        self,
        packing: Packing,
        columns: Columns,
        allowed: NDArray[np.bool_] | None = None,
    ) -> None:
        self.packing, self.columns = packing, columns
        self.geometry: Geometry = packing.geometry
        self.instance = packing.instance
        self._by_item = _positions_by_item(columns, len(self.instance.items))
        self._size = _relative_size(self.instance, columns)
        types = range(len(self.instance.node_types))
        order = sorted(types, key=self._opening_rank)
        self._rank = {t: rank for rank, t in enumerate(order)}
        # Used GPUs come first in the order of opening, then unused ones by rank of their type.
        self._opened = np.full(len(packing.free), 2**40, dtype=np.int64)
        ranks = np.array([self._rank[t] for t in types], dtype=np.int64)
        self._opened += ranks[self.geometry.gpu_type] * 2**30 + np.arange(len(packing.free))
        self._opened[~self.geometry.usable[self.geometry.gpu_node]] = 2**62
        if allowed is not None:
            self._opened[~allowed] = 2**62
        for clock, gpu in enumerate(np.flatnonzero(packing.gpu_replicas)):
            self._opened[gpu] = clock
        self._clock = int((packing.gpu_replicas > 0).sum())

    def _opening_rank(self, t: int) -> tuple[float, int]:
        """Cheapest room first; where GPUs are counted, the largest."""
        node_type = self.instance.node_types[t]
        price = max(1, self.geometry.gpu_cost[self.geometry.gpu_type == t].max(initial=0))
        if self.geometry.charges_nodes:
            price = max(1, node_type.node_price) / node_type.gpus
        return float(price) / max(1, node_type.gpu_cap[0]), t

    def decreasing(self) -> list[int]:
        """Item positions, largest first; partners of an affinity before who needs them."""
        size = {
            i: float(self._size[chosen].min()) if len(chosen) else 9e9
            for i, chosen in enumerate(self._by_item)
        }
        wanted = {
            self.instance.item_index[one.items[1]]
            for one in self.instance.constraints
            if one.rule is Rule.AFFINITY
        }
        return sorted(size, key=lambda i: (i not in wanted, -size[i], i))

    def place_all(
        self,
        order: Iterable[int] | None = None,
        may_go_on: Callable[[], bool] = lambda: True,
    ) -> None:
        """Place every missing replica that finds room, while there is time."""
        missing = self.packing.missing()
        for i in self.decreasing() if order is None else order:
            for _ in range(missing.get(i, 0)):
                choice = self.find(i) if may_go_on() else None
                if choice is None:
                    break
                self.take(choice)

    def take(self, choice: Choice) -> None:
        """Place a found choice."""
        geometry = self.geometry
        first = int(geometry.first_gpu[choice.node])
        self.packing.place(
            Placed(
                self.instance.items[choice.item].name,
                choice.alternative,
                int(geometry.node_type[choice.node]),
                int(geometry.node_index[choice.node]),
                tuple(gpu - first for gpu in choice.gpus),
            )
        )
        for gpu in choice.gpus:
            if self._opened[gpu] >= 2**40:
                self._opened[gpu] = self._clock
                self._clock += 1

    def find(self, i: int) -> Choice | None:
        """The first place for one more replica of an item, over its alternatives."""
        best: tuple[int, float, Choice] | None = None
        for column in self._by_item[i]:
            found = (
                self._find_single(column)
                if self.columns.width[column] == 1
                else self._find_several(column)
            )
            if found is None:
                continue
            first, choice = found
            rank = (first, float(self._size[column]), choice)
            if best is None or rank[:2] < best[:2]:
                best = rank
        return None if best is None else best[2]

    def _find_single(self, column: int) -> tuple[int, Choice] | None:
        packing, columns = self.packing, self.columns
        i, t = int(columns.item[column]), int(columns.node_type[column])
        start, stop = self._gpu_range(t)
        room = (packing.free[start:stop] >= columns.shares[column, 0]).all(axis=1)
        nodes = self.geometry.gpu_node[start:stop]
        room &= (packing.node_free[nodes] >= columns.node[column]).all(axis=1)
        room &= self._opened[start:stop] < 2**62
        candidates = start + np.flatnonzero(room)
        name = self.instance.items[i].name
        if not packing.is_watched(name):
            candidates = (
                candidates[np.argmin(self._opened[candidates])][None]
                if len(candidates)
                else candidates
            )
        for gpu in candidates[np.argsort(self._opened[candidates], kind="stable")]:
            node = int(self.geometry.gpu_node[gpu])
            if packing.allows(name, node, (int(gpu),)) and self._affinity_allows(
                i, node, (int(gpu),)
            ):
                choice = Choice(i, int(columns.alternative[column]), node, (int(gpu),))
                return int(self._opened[gpu]), choice
        return None

    def _gpu_range(self, t: int) -> tuple[int, int]:
        node_type = self.instance.node_types[t]
        first = self.geometry.first_node[t]
        start = int(self.geometry.first_gpu[first])
        return start, start + node_type.count * node_type.gpus

    def _find_several(self, column: int) -> tuple[int, Choice] | None:
        """The node where the replica opens the fewest GPUs, then the first such node."""
        packing, columns = self.packing, self.columns
        i, t, width = (
            int(columns.item[column]),
            int(columns.node_type[column]),
            int(columns.width[column]),
        )
        node_type = self.instance.node_types[t]
        start, stop = self._gpu_range(t)
        shares = columns.shares[column, :width]
        largest = shares.max(axis=0)
        room = (packing.free[start:stop] >= largest).all(axis=1).reshape(node_type.count, -1)
        opened = self._opened[start:stop].reshape(node_type.count, -1)
        first = self.geometry.first_node[t]
        fits_node = (
            packing.node_free[first : first + node_type.count] >= columns.node[column]
        ).all(axis=1)
        room &= (fits_node & self.geometry.usable[first : first + node_type.count])[:, None]
        alternative = self.instance.items[i].alternatives[int(columns.alternative[column])]
        groups = node_type.link_groups if alternative.one_link else (tuple(range(node_type.gpus)),)
        best: tuple[int, int, tuple[int, ...]] | None = None
        name = self.instance.items[i].name
        for group in groups:
            if len(group) < width:
                continue
            within = list(group)
            keys = np.where(room[:, within], opened[:, within], 2**62)
            order = np.argsort(keys, axis=1, kind="stable")[:, :width]
            chosen = np.take_along_axis(keys, order, axis=1)
            last = chosen[:, -1]
            fresh = (chosen >= 2**40).sum(axis=1)
            for position in np.lexsort((last, fresh)):
                if last[position] >= 2**62:
                    continue
                node = first + int(position)
                base = int(self.geometry.first_gpu[node])
                gpus = tuple(base + within[int(g)] for g in order[position])
                if packing.allows(name, node, gpus) and self._affinity_allows(i, node, gpus):
                    rank = int(fresh[position]) * 2**40 + int(last[position]) % 2**40
                    if best is None or rank < best[0]:
                        best = rank, node, gpus
                    break
        if best is None:
            return None
        return best[0], Choice(i, int(columns.alternative[column]), best[1], best[2])

    def _affinity_allows(self, i: int, node: int, gpus: tuple[int, ...]) -> bool:
        """Whether the partners this item needs are already in the unit."""
        name = self.instance.items[i].name
        for one in self.instance.constraints:
            if one.rule is not Rule.AFFINITY or one.items[0] != name or one.items[1] == name:
                continue
            units = {"gpu": gpus, "node": (node,), "zone": (int(self.geometry.node_zone[node]),)}
            inside = self.packing.inside[one.scope]
            if any(inside[unit][one.items[1]] == 0 for unit in units[one.scope]):
                return False
        return True


def _positions_by_item(columns: Columns, items: int) -> list[Integers]:
    starts = np.searchsorted(columns.item, np.arange(items + 1))
    return [np.arange(a, b) for a, b in pairwise(starts)]


def _relative_size(instance: Instance, columns: Columns) -> NDArray[np.float64]:
    """Largest share of any dimension over the GPUs a replica takes, in GPUs of the largest type."""
    largest = np.array([one.gpu_cap for one in instance.node_types], dtype=float).max(
        axis=0, initial=1
    )
    return np.asarray((columns.load / largest).max(axis=1, initial=0))
