"""A packing under construction: what is placed where, what is still free, and which rules bind."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable

import numpy as np

from packer.solver.geometry import Geometry
from packer.solver.instance import Alternative, Placed, Rule, Scope


class Packing:
    """Mutable placements with free capacity kept up to date; every change is cheap."""

    def __init__(self, geometry: Geometry, placed: Iterable[Placed] = ()) -> None:
        self.geometry = geometry
        self.instance = geometry.instance
        self.free = geometry.gpu_capacity.copy()
        self.node_free = geometry.node_capacity.copy()
        self.gpu_replicas = np.zeros(len(self.free), dtype=np.int64)
        self.node_replicas = np.zeros(len(self.node_free), dtype=np.int64)
        self.members: list[list[Placed]] = [[] for _ in self.node_free]
        self.count: Counter[str] = Counter()
        self.inside: dict[Scope, dict[int, Counter[str]]] = {
            scope: defaultdict(Counter) for scope in Scope
        }
        self._watched = watched_items(geometry)
        for one in placed:
            self.place(one)

    def units(self, placed: Placed, scope: Scope) -> list[int]:
        """Numbers of the GPUs, node or zone a replica touches."""
        node = self.geometry.node_number(placed.node_type, placed.node)
        if scope is Scope.GPU:
            first = int(self.geometry.first_gpu[node])
            return [first + gpu for gpu in placed.gpus]
        if scope is Scope.NODE:
            return [node]
        return [int(self.geometry.node_zone[node])]

    def alternative(self, placed: Placed) -> Alternative:
        """The alternative a replica takes."""
        item = self.instance.items[self.instance.item_index[placed.item]]
        return item.alternatives[placed.alternative]

    def place(self, placed: Placed) -> None:
        """Add a replica, unchecked."""
        self._change(placed, 1)
        self.members[self.geometry.node_number(placed.node_type, placed.node)].append(placed)

    def remove(self, placed: Placed) -> None:
        """Take a replica away."""
        self.members[self.geometry.node_number(placed.node_type, placed.node)].remove(placed)
        self._change(placed, -1)

    def _change(self, placed: Placed, sign: int) -> None:
        node = self.geometry.node_number(placed.node_type, placed.node)
        first = int(self.geometry.first_gpu[node])
        alternative = self.alternative(placed)
        for gpu, share in zip(placed.gpus, alternative.shares, strict=True):
            self.free[first + gpu] -= np.multiply(sign, share)
            self.gpu_replicas[first + gpu] += sign
        if alternative.node:
            self.node_free[node] -= np.multiply(sign, alternative.node)
        self.node_replicas[node] += sign
        self.count[placed.item] += sign
        if placed.item in self._watched:
            for scope in Scope:
                for unit in self.units(placed, scope):
                    self.inside[scope][unit][placed.item] += sign

    @property
    def placed(self) -> list[Placed]:
        """All replicas, by node."""
        return [one for members in self.members for one in members]

    def within(self, gpus: Collection[int]) -> list[Placed]:
        """Replicas all of whose GPUs are among these, given by number."""
        region, first_gpu = set(gpus), self.geometry.first_gpu
        nodes = sorted({int(self.geometry.gpu_node[gpu]) for gpu in gpus})
        return [
            one
            for node in nodes
            for one in self.members[node]
            if all(int(first_gpu[node]) + gpu in region for gpu in one.gpus)
        ]

    @property
    def objective(self) -> int:
        """What the packing costs. Exact."""
        geometry = self.geometry
        used = geometry.gpu_cost[self.gpu_replicas > 0].sum()
        return int(used + geometry.node_cost[self.node_replicas > 0].sum())

    def missing(self) -> dict[int, int]:
        """Replicas still to place, by item position."""
        return {
            position: item.count - self.count[item.name]
            for position, item in enumerate(self.instance.items)
            if item.count > self.count[item.name]
        }

    def allows(self, item: str, node: int, gpus: Iterable[int]) -> bool:
        """Whether the spread limits and anti-affinities let one more replica in; GPUs by number."""
        if item not in self._watched:
            return True
        zone = int(self.geometry.node_zone[node])
        spread = self.instance.items[self.instance.item_index[item]]
        places = [(Scope.NODE, node), (Scope.ZONE, zone), *((Scope.GPU, gpu) for gpu in gpus)]
        for scope, unit in places:
            most = spread.most_per(scope)
            inside = self.inside[scope][unit]
            if most is not None and inside[item] >= most:
                return False
            if any(inside[other] > 0 for other in self._watched[item][scope]):
                return False
        return True

    def is_watched(self, item: str) -> bool:
        """Whether any spread limit or constraint speaks about an item."""
        return item in self._watched

    def affinity_holds(self) -> bool:
        """Whether every affinity is satisfied."""
        for constraint in self.instance.constraints:
            if constraint.rule is not Rule.AFFINITY:
                continue
            first, second = constraint.items
            for inside in self.inside[constraint.scope].values():
                if inside[first] > 0 and inside[second] == 0:
                    return False
        return True


def watched_items(geometry: Geometry) -> dict[str, dict[Scope, set[str]]]:
    """Items with a rule, and per scope the other items they may not meet."""
    watched: dict[str, dict[Scope, set[str]]] = {}
    empty = {scope: set[str]() for scope in Scope}
    for item in geometry.instance.items:
        if any(item.most_per(scope) is not None for scope in Scope):
            watched[item.name] = {scope: set() for scope in Scope}
    for constraint in geometry.instance.constraints:
        for name in constraint.items:
            rivals = watched.setdefault(name, {scope: set(empty[scope]) for scope in Scope})
            if constraint.rule is Rule.ANTI_AFFINITY:
                rivals[constraint.scope] |= set(constraint.items) - {name}
    return watched
