"""The replicas of a packing that may change GPU one by one, and the GPUs they are on.

Replicas on several GPUs and those that a constraint speaks about stay where they are; their GPUs
have less room. Every other replica takes, on each node type, its least alternative there.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from packer.solver.columns import Columns
from packer.solver.instance import Placed, Scope
from packer.solver.packing import Packing

Vector = tuple[int, ...]


@dataclass(frozen=True)
class Way:
    """The least way an item runs on one GPU of a type."""

    alternative: int
    share: Vector
    node: Vector


@dataclass
class Bin:
    """A GPU: room for the replicas that may move, and those replicas by item position."""

    gpu: int
    node: int
    node_type: int
    room: Vector
    cost: int
    items: list[int]
    load: Vector
    has_fixed: bool

    @property
    def slack(self) -> int:
        """Free room in dimension 0."""
        return self.room[0] - self.load[0]


class MovableLoad:
    """GPUs in use with what may move between them.

    Attributes:
        bins: The GPUs. ways: Least way per item position and node type.
        wide: Replicas on several GPUs that no rule speaks about; the bins' room is without theirs.
        node_left: What every node still has to give, per node dimension; empty without any.
    """

    def __init__(self, packing: Packing, columns: Columns) -> None:
        self.instance, self.geometry = packing.instance, packing.geometry
        self.dims, self.node_dims = len(self.instance.dims), len(self.instance.node_dims)
        self.ways = _least_ways(columns)
        self._fixed: list[Placed] = []
        self.wide: list[Placed] = []
        self.limits = _spread_limits(packing)
        self._inside: Counter[tuple[Scope, int, int]] = Counter()
        self.bins = self._collect_bins(packing)
        self.node_left: dict[int, list[int]] = (
            dict(enumerate(packing.node_free.tolist())) if packing.node_free.shape[1] else {}
        )

    def _collect_bins(self, packing: Packing) -> list[Bin]:
        geometry = self.geometry
        movable: dict[int, list[int]] = {}
        taken: dict[int, np.ndarray[tuple[int], np.dtype[np.int64]]] = {}
        fixed_on: set[int] = set()
        for one in packing.placed:
            first = int(geometry.first_gpu[geometry.node_number(one.node_type, one.node)])
            i = packing.instance.item_index[one.item]
            free = len(one.gpus) == 1 and (i in self.limits or not packing.is_watched(one.item))
            if i in self.limits:
                node = geometry.node_number(one.node_type, one.node)
                self._inside.update((scope, unit, i) for scope, unit in self._units(node))
            if free and (i, one.node_type) in self.ways:
                gpu = first + one.gpus[0]
                movable.setdefault(gpu, []).append(i)
                share = np.array(packing.alternative(one).shares[0])
                taken[gpu] = taken.get(gpu, 0) + share
            else:
                wide = len(one.gpus) > 1 and not packing.is_watched(one.item)
                (self.wide if wide else self._fixed).append(one)
                fixed_on.update(first + gpu for gpu in one.gpus)
        bins = []
        for gpu in sorted(movable.keys() | fixed_on):
            items = movable.get(gpu, [])
            t = int(geometry.gpu_type[gpu])
            room = tuple((packing.free[gpu] + taken.get(gpu, 0)).tolist())
            load = self.load(items, t)
            cost = int(geometry.gpu_cost[gpu])
            bins.append(
                Bin(gpu, int(geometry.gpu_node[gpu]), t, room, cost, items, load, gpu in fixed_on)
            )
        return bins

    def fits(self, items: Sequence[int], t: int) -> bool:
        """Whether all items have a way to run on a GPU of a type."""
        return all((i, t) in self.ways for i in items)

    def load(self, items: Sequence[int], t: int) -> Vector:
        """What items take of a GPU of a type."""
        if not items:
            return (0,) * self.dims
        return tuple(map(sum, zip(*(self.ways[i, t].share for i in items), strict=True)))

    def node_need(self, items: Sequence[int], t: int) -> Vector:
        """What items take of a node of a type."""
        if not items:
            return (0,) * self.node_dims
        return tuple(map(sum, zip(*(self.ways[i, t].node for i in items), strict=True)))

    def put(self, bins: Sequence[Bin], fillings: Sequence[Sequence[int]]) -> bool:
        """Give GPUs other items, all at once; False, with nothing changed, where a node can not."""
        change = self._spread_change(bins, fillings)
        if change is None or (self.node_left and not self._take_from_nodes(bins, fillings)):
            return False
        self._inside.update(change)
        for one, items in zip(bins, fillings, strict=True):
            one.items, one.load = list(items), self.load(items, one.node_type)
        return True

    def clashes(self, items: Sequence[int], node: int) -> int:
        """How many items are on a node as often as they may be already."""
        return sum(
            self._inside[Scope.NODE, node, i] >= self.limits[i].get(Scope.NODE, len(self.bins))
            for i in items
            if i in self.limits
        )

    def _units(self, node: int) -> tuple[tuple[Scope, int], ...]:
        return (Scope.NODE, node), (Scope.ZONE, int(self.geometry.node_zone[node]))

    def _spread_change(
        self, bins: Sequence[Bin], fillings: Sequence[Sequence[int]]
    ) -> Counter[tuple[Scope, int, int]] | None:
        """More of limited items per node and zone; None where there would be too many."""
        change: Counter[tuple[Scope, int, int]] = Counter()
        if not self.limits:
            return change
        for one, items in zip(bins, fillings, strict=True):
            limited = Counter(i for i in items if i in self.limits)
            if any(n > self.limits[i].get(Scope.GPU, n) for i, n in limited.items()):
                return None
            limited.subtract(i for i in one.items if i in self.limits)
            for i, n in limited.items():
                for scope, unit in self._units(one.node):
                    change[scope, unit, i] += n
        for (scope, unit, i), more in change.items():
            most = self.limits[i].get(scope)
            if most is not None and more > 0 and self._inside[scope, unit, i] + more > most:
                return None
        return change

    def _take_from_nodes(self, bins: Sequence[Bin], fillings: Sequence[Sequence[int]]) -> bool:
        left = {one.node: list(self.node_left[one.node]) for one in bins}
        for one, items in zip(bins, fillings, strict=True):
            for sign, those in ((1, one.items), (-1, items)):
                for e, amount in enumerate(self.node_need(those, one.node_type)):
                    left[one.node][e] += sign * amount
        if any(amount < 0 for amounts in left.values() for amount in amounts):
            return False
        self.node_left.update(left)
        return True

    def packing(self) -> Packing:
        """The packing as it is now."""
        packing = Packing(self.geometry, [*self._fixed, *self.wide])
        geometry = self.geometry
        for one in self.bins:
            node = int(geometry.gpu_node[one.gpu])
            for i in one.items:
                way = self.ways[i, one.node_type]
                packing.place(
                    Placed(
                        self.instance.items[i].name,
                        way.alternative,
                        one.node_type,
                        int(geometry.node_index[node]),
                        (int(geometry.gpu_index[one.gpu]),),
                    )
                )
        return packing


def _least_ways(columns: Columns) -> dict[tuple[int, int], Way]:
    """Per item and type the single-GPU column of least volume."""
    ways: dict[tuple[int, int], Way] = {}
    single = np.flatnonzero(columns.width == 1)
    for c in single[np.argsort(columns.load[single, 0], kind="stable")].tolist():
        key = int(columns.item[c]), int(columns.node_type[c])
        share = tuple(columns.shares[c, 0].tolist())
        ways.setdefault(
            key, Way(int(columns.alternative[c]), share, tuple(columns.node[c].tolist()))
        )
    return ways


def _spread_limits(packing: Packing) -> dict[int, dict[Scope, int]]:
    """Most replicas per GPU, node and zone, of items that no constraint speaks about."""
    instance = packing.instance
    constrained = {name for constraint in instance.constraints for name in constraint.items}
    limits = {}
    for i, item in enumerate(instance.items):
        most = {scope: item.most_per(scope) for scope in Scope}
        limited = {scope: amount for scope, amount in most.items() if amount is not None}
        if limited and item.name not in constrained:
            limits[i] = limited
    return limits
