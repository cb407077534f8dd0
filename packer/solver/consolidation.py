"""Consolidating slack: a few GPUs at a time are emptied and filled again as full as can be.

The free room of a packing is of use only where it lies together. A step pools the replicas of a
handful of GPUs and fills all but one of them to the brim by subset sums; what is left over goes to
the last, usually the emptiest GPU in use. Steps that do not spread the slack out are kept, so
slack gathers until a GPU is empty. Thousands of steps a second, where exact search does a few.
"""

import random
from collections.abc import Callable, Sequence

import numpy as np

from packer.solver.card_classes import gpu_cost
from packer.solver.columns import Columns
from packer.solver.movable_load import Bin, MovableLoad, Vector
from packer.solver.packing import Packing
from packer.solver.subset_sum import fullest_subset

FINEST = 200_000
"""Units a GPU's room is divided into; exact for rooms of whole MiB up to 195 GiB."""
SAMPLE = 16
"""GPUs from which the partners of a step are chosen."""


class Consolidation:
    """Gathers the slack of one packing until GPUs are empty."""

    def __init__(self, packing: Packing, columns: Columns, seed: int) -> None:
        self._load = MovableLoad(packing, columns)
        self._bins = self._load.bins
        self._geometry = packing.geometry
        self._random = random.Random(seed)  # noqa: S311 — not for secrets
        self._idle = _idle_gpus(packing)
        types = range(len(packing.instance.node_types))
        self._type_cost = [gpu_cost(packing.instance, t) for t in types]
        self._cheapest_types = sorted(types, key=lambda t: (self._type_cost[t], t))

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

    def _move_to_cheaper(self, one: Bin) -> bool:
        """Move all of a GPU's replicas to an unused one that costs less, the cheapest first."""
        load = self._load
        if one.has_fixed:
            return False
        for t in self._cheapest_types:
            if self._type_cost[t] >= one.cost:
                return False
            if not self._idle[t] or not load.fits(one.items, t):
                continue
            taken = load.load(one.items, t)
            gpu = self._idle[t][-1]
            room = tuple(self._geometry.gpu_capacity[gpu].tolist())
            if any(a > b for a, b in zip(taken, room, strict=True)):
                continue
            if not self._move(one, gpu, t, room, taken):
                continue
            return True
        return False

    def _move(self, one: Bin, gpu: int, t: int, room: Vector, load: Vector) -> bool:
        """Move a GPU's replicas to an unused one, unless its node has too little."""
        node = int(self._geometry.gpu_node[gpu])
        nodes = self._load.node_left
        if nodes:
            need = self._load.node_need(one.items, t)
            frees = self._load.node_need(one.items, one.node_type)
            here, there = nodes[one.node], nodes[node]
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

    def _victim(self) -> Bin:
        """The GPU with the least on it for its cost, or now and then any."""
        candidates = [one for one in self._bins if not one.has_fixed] or self._bins
        if self._random.random() < 0.3:
            return self._random.choice(candidates)
        return min(candidates, key=lambda one: (one.load[0] / max(1, one.cost), one.gpu))

    def _partners(self, victim: Bin) -> list[Bin]:
        """A few GPUs of a sample: those with most slack, and full ones for variety."""
        count = self._random.randint(1, 4)
        roomy = (count + 1) // 2
        sample = self._random.sample(self._bins, min(len(self._bins), SAMPLE))
        sample.sort(key=lambda one: -one.slack)
        chosen = sample[:roomy] + sample[max(roomy, len(sample) - (count - roomy)) :]
        return [one for one in chosen if one is not victim]

    def _step(self, victim: Bin) -> bool:
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
        if not self._load.fits(pool, victim.node_type):
            return False
        fillings.append(pool)
        bins = [*partners, victim]
        loads = [
            self._load.load(items, one.node_type) for one, items in zip(bins, fillings, strict=True)
        ]
        if any(a > b for a, b in zip(loads[-1], victim.room, strict=True)):
            return False
        after = sum((one.room[0] - load[0]) ** 2 for one, load in zip(bins, loads, strict=True))
        return after >= before and self._load.put(bins, fillings)

    def _fill(self, one: Bin, pool: Sequence[int]) -> list[int] | None:
        """Positions in the pool that fill a GPU best; None where another capacity is exceeded."""
        t, ways = one.node_type, self._load.ways
        offered = [k for k, i in enumerate(pool) if (i, t) in ways]
        sizes = [ways[pool[k], t].share[0] for k in offered]
        chosen = [offered[k] for k in fullest_subset(sizes, one.room[0], FINEST)]
        load = self._load.load([pool[k] for k in chosen], t)
        return None if any(a > b for a, b in zip(load, one.room, strict=True)) else chosen

    def packing(self) -> Packing:
        """The packing as it is now."""
        return self._load.packing()


def _idle_gpus(packing: Packing) -> list[list[int]]:
    """Unused GPUs per node type, the first of them last."""
    geometry = packing.geometry
    free = (packing.gpu_replicas == 0) & geometry.usable[geometry.gpu_node]
    types = range(len(packing.instance.node_types))
    return [np.flatnonzero(free & (geometry.gpu_type == t))[::-1].tolist() for t in types]
