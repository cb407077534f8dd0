"""Large neighbourhood search: empty some GPUs of a packing and place their replicas again, exactly.

A step frees a victim GPU (or node, where nodes are paid for) and a few others, keeps all else
fixed, and lets CP-SAT place the freed replicas anew. Among equal costs the one that leaves the
least on the victim is taken, so that load drains from it step by step until it is not needed.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from packer.solver.exact import ExactModel, Expression
from packer.solver.instance import Placed
from packer.solver.packing import Packing
from packer.solver.search import run_search
from packer.solver.stopping import Clock

MOST_SPOTS = 4_000
"""Replicas times alternatives times GPUs of one step."""


@dataclass
class NeighbourhoodSearch:
    """Improves one packing in place.

    Attributes:
        packing: Complete placements; only ever replaced by complete ones.
        kept: Alternatives to consider, per item.
        effort: Deterministic time of one step.
    """

    packing: Packing
    kept: Sequence[Sequence[int]]
    clock: Clock
    effort: float = 0.5

    def __post_init__(self) -> None:
        self._random = random.Random(self.clock.limits.seed)
        self._geometry = self.packing.geometry

    def run(
        self, most_steps: int, enough: Callable[[], bool], improved: Callable[[Packing], None]
    ) -> None:
        """Take steps until a limit, until it is enough, or time runs out."""
        for step in range(most_steps):
            if enough() or not self.clock.has_time():
                return
            before = self.packing.objective
            self._step(step)
            if self.packing.objective < before:
                improved(self.packing)

    def _step(self, step: int) -> None:
        if self._geometry.charges_nodes:
            gpus, victims = self._choose_nodes(step)
        else:
            gpus, victims = self._choose_gpus(step)
        self.solve_region(gpus, victims)

    def _slack(self) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
        capacity = np.maximum(self._geometry.gpu_capacity[:, 0], 1)
        return np.asarray(self.packing.free[:, 0] / capacity)

    def _choose_gpus(self, step: int) -> tuple[list[int], list[int]]:
        """A lightly used victim, GPUs with slack, and some drawn at random."""
        used = np.flatnonzero(self.packing.gpu_replicas > 0)
        slack = self._slack()
        order = used[np.argsort(-slack[used] * np.maximum(self._geometry.gpu_cost[used], 1))]
        victim = int(order[min(step % 4, len(order) - 1)])
        chosen = [victim]
        pool = [int(gpu) for gpu in order if gpu != victim]
        roomy = pool[: max(4, len(pool) // 3)]
        self._random.shuffle(roomy)
        self._random.shuffle(pool)
        for gpu in dict.fromkeys([*roomy[:8], *pool]):
            if len(chosen) >= 12 or self._spots(chosen) >= MOST_SPOTS:
                break
            chosen.append(gpu)
        return chosen + self._idle_gpus(), [victim]

    def _idle_gpus(self) -> list[int]:
        """Two unused GPUs of every type: another type may be the better one."""
        geometry = self._geometry
        idle: list[int] = []
        free = (self.packing.gpu_replicas == 0) & geometry.usable[geometry.gpu_node]
        for t in range(len(self.packing.instance.node_types)):
            found = np.flatnonzero(free & (geometry.gpu_type == t))
            idle += [int(gpu) for gpu in found[:2]]
        return idle

    def _choose_nodes(self, step: int) -> tuple[list[int], list[int]]:
        """Two or three used nodes and an unused one of every type."""
        geometry, packing = self._geometry, self.packing
        used = np.flatnonzero(packing.node_replicas > 0).tolist()
        self._random.shuffle(used)
        nodes = [int(node) for node in used[: 2 + step % 3]]
        for t in range(len(packing.instance.node_types)):
            idle = (packing.node_replicas == 0) & geometry.usable & (geometry.node_type == t)
            nodes += [int(node) for node in np.flatnonzero(idle)[: 1 + step % 2]]
        return [gpu for node in nodes for gpu in geometry.gpus_of(node)], []

    def _spots(self, gpus: Sequence[int]) -> int:
        replicas = int(self.packing.gpu_replicas[list(gpus)].sum())
        return replicas * 4 * len(gpus)

    def _inside(self, gpus: Sequence[int]) -> list[Placed]:
        """Replicas all of whose GPUs are in the region."""
        geometry, region = self._geometry, set(gpus)
        found = []
        for node in sorted({int(geometry.gpu_node[gpu]) for gpu in gpus}):
            first = int(geometry.first_gpu[node])
            found += [
                one
                for one in self.packing.members[node]
                if all(first + gpu in region for gpu in one.gpus)
            ]
        return found

    def solve_region(self, gpus: Sequence[int], victims: Sequence[int]) -> None:
        """Place the region's replicas anew; what was there is kept unless it gets better."""
        packing = self.packing
        freed = self._inside(gpus)
        if not freed:
            return
        demand: dict[int, int] = {}
        for one in freed:
            packing.remove(one)
            i = packing.instance.item_index[one.item]
            demand[i] = demand.get(i, 0) + 1
        exact = ExactModel(packing, demand, gpus, self.kept)
        exact.hint(freed)
        aim = self._aim(exact, victims)
        before = self._value(freed, victims)
        found = run_search(exact, aim, self.clock, effort=self.effort)
        better = found.placed is not None and found.value < before
        for one in found.placed if found.placed is not None and better else freed:
            packing.place(one)

    def _value(self, freed: Sequence[Placed], victims: Sequence[int]) -> int:
        """What the freed replicas cost where they were, as the aim counts it."""
        packing, geometry = self.packing, self._geometry
        load: dict[int, int] = {}
        nodes: set[int] = set()
        for one in freed:
            node = geometry.node_number(one.node_type, one.node)
            nodes.add(node)
            for gpu, share in zip(one.gpus, packing.alternative(one).shares, strict=True):
                number = int(geometry.first_gpu[node]) + gpu
                load[number] = load.get(number, 0) + share[0]
        cost = sum(int(geometry.gpu_cost[gpu]) for gpu in load if not packing.gpu_replicas[gpu])
        cost += sum(int(geometry.node_cost[n]) for n in nodes if not packing.node_replicas[n])
        return cost * (self._most(victims) + 1) + sum(load.get(gpu, 0) for gpu in victims)

    def _most(self, victims: Sequence[int]) -> int:
        return sum(int(self._geometry.gpu_capacity[gpu, 0]) for gpu in victims)

    def _aim(self, exact: ExactModel, victims: Sequence[int]) -> Expression:
        """Cost first; of equal costs the least load left on the victims."""
        left = sum(exact.load(gpu) for gpu in victims)
        return exact.cost() * (self._most(victims) + 1) + left
