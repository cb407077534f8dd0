"""Consolidating slack: a few GPUs at a time are emptied and filled again as full as can be.

The free room of a packing is of use only where it lies together. A step pools the replicas of a
handful of GPUs and fills all but one of them to the brim by subset sums; what is left over goes to
the last, usually the emptiest GPU in use. Steps that do not spread the slack out are kept, so
slack gathers until a GPU is empty. Thousands of steps a second, where exact search does a few.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from packer.solver.card_classes import gpu_cost
from packer.solver.columns import Columns
from packer.solver.instance import Placed
from packer.solver.packing import Packing
from packer.solver.subset_sum import fullest_subset

FINEST = 200_000
"""Units a GPU's room is divided into; exact for rooms of whole MiB up to 195 GiB."""
SAMPLE = 16
"""GPUs from which the partners of a step are chosen."""
Vector = tuple[int, ...]


@dataclass(frozen=True)
class _Way:
    """The least way an item runs on one GPU of a type."""

    alternative: int
    share: Vector
    node: Vector


@dataclass
class _Bin:
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


class Consolidation:
    """Gathers the slack of one packing until GPUs are empty."""

    def __init__(self, packing: Packing, columns: Columns, seed: int) -> None:
        self._packing, self._columns = packing, columns
        self._geometry = packing.geometry
        self._random = random.Random(seed)  # noqa: S311 — not for secrets
        self._dims = len(packing.instance.dims)
        self._ways = self._least_ways()
        self._fixed: list[Placed] = []
        self._bins = self._collect_bins()
        self._node_left = self._free_of_nodes()
        self._idle = self._idle_gpus()
        types = range(len(packing.instance.node_types))
        self._type_cost = [gpu_cost(packing.instance, t) for t in types]
        self._cheapest_types = sorted(types, key=lambda t: (self._type_cost[t], t))

    def _least_ways(self) -> dict[tuple[int, int], _Way]:
        """Per item and type the single-GPU column of least volume."""
        columns = self._columns
        ways: dict[tuple[int, int], _Way] = {}
        single = np.flatnonzero(columns.width == 1)
        for c in single[np.argsort(columns.load[single, 0], kind="stable")].tolist():
            key = int(columns.item[c]), int(columns.node_type[c])
            share = tuple(columns.shares[c, 0].tolist())
            ways.setdefault(
                key, _Way(int(columns.alternative[c]), share, tuple(columns.node[c].tolist()))
            )
        return ways

    def _collect_bins(self) -> list[_Bin]:
        """GPUs in use; what is watched or wide stays where it is."""
        packing, geometry = self._packing, self._geometry
        movable: dict[int, list[int]] = {}
        taken: dict[int, np.ndarray[tuple[int], np.dtype[np.int64]]] = {}
        fixed_on: set[int] = set()
        for one in packing.placed:
            first = int(geometry.first_gpu[geometry.node_number(one.node_type, one.node)])
            i = packing.instance.item_index[one.item]
            free = len(one.gpus) == 1 and not packing.is_watched(one.item)
            if free and (i, one.node_type) in self._ways:
                gpu = first + one.gpus[0]
                movable.setdefault(gpu, []).append(i)
                share = np.array(packing.alternative(one).shares[0])
                taken[gpu] = taken.get(gpu, 0) + share
            else:
                self._fixed.append(one)
                fixed_on.update(first + gpu for gpu in one.gpus)
        bins = []
        for gpu, items in sorted(movable.items()):
            t = int(geometry.gpu_type[gpu])
            room = tuple((packing.free[gpu] + taken[gpu]).tolist())
            load = self._load(items, t)
            cost = int(geometry.gpu_cost[gpu])
            bins.append(
                _Bin(gpu, int(geometry.gpu_node[gpu]), t, room, cost, items, load, gpu in fixed_on)
            )
        return bins

    def _free_of_nodes(self) -> dict[int, list[int]]:
        """What every node still has to give, per node dimension."""
        if not self._packing.node_free.shape[1]:
            return {}
        return dict(enumerate(self._packing.node_free.tolist()))

    def _idle_gpus(self) -> list[list[int]]:
        """Unused GPUs per node type, the first of them last."""
        geometry = self._geometry
        free = (self._packing.gpu_replicas == 0) & geometry.usable[geometry.gpu_node]
        types = range(len(self._packing.instance.node_types))
        return [np.flatnonzero(free & (geometry.gpu_type == t))[::-1].tolist() for t in types]

    def _node_need(self, items: Sequence[int], t: int) -> Vector:
        needs = [self._ways[i, t].node for i in items]
        return tuple(sum(column) for column in zip(*needs, strict=True))

    def _load(self, items: Sequence[int], t: int) -> Vector:
        shares = [self._ways[i, t].share for i in items]
        return tuple(sum(share[d] for share in shares) for d in range(self._dims))

    def run(self, most_steps: int, may_go_on: Callable[[], bool]) -> bool:
        """Take steps; whether any of them saved something."""
        saved = False
        for step in range(most_steps):
            if len(self._bins) < 2 or (step % 64 == 0 and not may_go_on()):
                break
            victim = self._victim()
            if not self._step(victim):
                continue
            if not victim.items:
                self._bins.remove(victim)
                if not victim.has_fixed:
                    self._idle[victim.node_type].append(victim.gpu)
                    saved = True
            elif self._move_to_cheaper(victim):
                saved = True
        return saved

    def _move_to_cheaper(self, one: _Bin) -> bool:
        """Move all of a GPU's replicas to an unused one that costs less, the cheapest first."""
        if one.has_fixed:
            return False
        for t in self._cheapest_types:
            if self._type_cost[t] >= one.cost:
                return False
            if not self._idle[t] or any((i, t) not in self._ways for i in one.items):
                continue
            load = self._load(one.items, t)
            gpu = self._idle[t][-1]
            room = tuple(self._geometry.gpu_capacity[gpu].tolist())
            if any(a > b for a, b in zip(load, room, strict=True)):
                continue
            if not self._move(one, gpu, t, room, load):
                continue
            return True
        return False

    def _move(self, one: _Bin, gpu: int, t: int, room: Vector, load: Vector) -> bool:
        """Move a GPU's replicas to an unused one, unless its node has too little."""
        node = int(self._geometry.gpu_node[gpu])
        if self._node_left:
            need, frees = self._node_need(one.items, t), self._node_need(one.items, one.node_type)
            here, there = self._node_left[one.node], self._node_left[node]
            back = frees if node == one.node else (0,) * len(need)
            if any(n > left + b for n, left, b in zip(need, there, back, strict=True)):
                return False
            here[:] = [left + freed for left, freed in zip(here, frees, strict=True)]
            there[:] = [left - taken for left, taken in zip(there, need, strict=True)]
        self._idle[t].pop()
        self._idle[one.node_type].append(one.gpu)
        one.gpu, one.node, one.node_type = gpu, node, t
        one.room, one.load, one.cost = room, load, self._type_cost[t]
        return True

    def _victim(self) -> _Bin:
        """The GPU with the least on it for its cost, or now and then any."""
        candidates = [one for one in self._bins if not one.has_fixed] or self._bins
        if self._random.random() < 0.3:
            return self._random.choice(candidates)
        return min(candidates, key=lambda one: (one.load[0] / max(1, one.cost), one.gpu))

    def _partners(self, victim: _Bin) -> list[_Bin]:
        """A few GPUs of a sample: those with most slack, and full ones for variety."""
        count = self._random.randint(1, 4)
        roomy = (count + 1) // 2
        sample = self._random.sample(self._bins, min(len(self._bins), SAMPLE))
        sample.sort(key=lambda one: -one.slack)
        chosen = sample[:roomy] + sample[max(roomy, len(sample) - (count - roomy)) :]
        return [one for one in chosen if one is not victim]

    def _step(self, victim: _Bin) -> bool:
        """Fill the partners from the pool; whether the result was taken."""
        partners = self._partners(victim)
        self._random.shuffle(partners)
        pool = [i for one in (victim, *partners) for i in one.items]
        self._random.shuffle(pool)
        before = sum(one.slack**2 for one in (victim, *partners))
        fillings: list[list[int]] = []
        for partner in partners:
            chosen = self._fill(partner, pool)
            if chosen is None:
                return False
            fillings.append([pool[k] for k in chosen])
            taken = set(chosen)
            pool = [i for k, i in enumerate(pool) if k not in taken]
        if any((i, victim.node_type) not in self._ways for i in pool):
            return False
        fillings.append(pool)
        bins = [*partners, victim]
        loads = [
            self._load(items, one.node_type) for one, items in zip(bins, fillings, strict=True)
        ]
        if any(a > b for a, b in zip(loads[-1], victim.room, strict=True)):
            return False
        after = sum((one.room[0] - load[0]) ** 2 for one, load in zip(bins, loads, strict=True))
        if after < before or not self._nodes_can(bins, fillings):
            return False
        for one, items, load in zip(bins, fillings, loads, strict=True):
            one.items, one.load = items, load
        return True

    def _nodes_can(self, bins: Sequence[_Bin], fillings: Sequence[list[int]]) -> bool:
        """Whether the nodes have what the new fillings need; takes it from them if so."""
        if not self._node_left:
            return True
        left = {one.node: list(self._node_left[one.node]) for one in bins}
        for one, items in zip(bins, fillings, strict=True):
            for sign, those in ((1, one.items), (-1, items)):
                for e, amount in enumerate(self._node_need(those, one.node_type)):
                    left[one.node][e] += sign * amount
        if any(amount < 0 for amounts in left.values() for amount in amounts):
            return False
        self._node_left.update(left)
        return True

    def _fill(self, one: _Bin, pool: Sequence[int]) -> list[int] | None:
        """Positions in the pool that fill a GPU best; None where another capacity is exceeded."""
        t = one.node_type
        offered = [k for k, i in enumerate(pool) if (i, t) in self._ways]
        sizes = [self._ways[pool[k], t].share[0] for k in offered]
        chosen = [offered[k] for k in fullest_subset(sizes, one.room[0], FINEST)]
        load = self._load([pool[k] for k in chosen], t)
        return None if any(a > b for a, b in zip(load, one.room, strict=True)) else chosen

    def packing(self) -> Packing:
        """The packing as it is now."""
        packing = Packing(self._geometry, self._fixed)
        geometry = self._geometry
        for one in self._bins:
            node = int(geometry.gpu_node[one.gpu])
            for i in one.items:
                way = self._ways[i, one.node_type]
                packing.place(
                    Placed(
                        packing.instance.items[i].name,
                        way.alternative,
                        one.node_type,
                        int(geometry.node_index[node]),
                        (int(geometry.gpu_index[one.gpu]),),
                    )
                )
        return packing
