"""Large neighbourhood search: empty some GPUs of a packing and place their replicas again, exactly.

A step frees a victim GPU (or node, where nodes are paid for) and a few others, keeps all else
fixed, and lets CP-SAT place the freed replicas anew. Among equal costs the one that leaves the
least on the victim is taken, so that load drains from it step by step until it is not needed.
"""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from packer.solver.card_classes import cost_of_everything
from packer.solver.exact import ExactModel
from packer.solver.exact_spots import Expression
from packer.solver.instance import Placed
from packer.solver.moving import Key, kept_cost, kept_replicas, move_cost, places_now
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
        self._random = random.Random(self.clock.limits.seed)  # noqa: S311 — not for secrets
        self._moves_first = False
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

    def move_back(self, most_steps: int) -> None:
        """Take steps around replicas that moved, to bring them back at no higher cost."""
        self._moves_first = True
        for _ in range(most_steps):
            now = places_now(self.packing.instance)
            gone = sorted((now - kept_replicas(now, self.packing.placed)).elements())
            if not gone or not self.clock.has_time():
                return
            gpus = self._around(gone[self._random.randrange(len(gone))])
            if gpus:
                self.solve_region(gpus, [])

    def _around(self, key: Key) -> list[int]:
        """The GPUs a replica left, where its item runs now, and some with slack."""
        name, _, t, node, indices = key
        geometry, packing = self._geometry, self.packing
        node_types = packing.instance.node_types
        if t >= len(node_types) or node not in node_types[t].available:
            return []
        first = int(geometry.first_gpu[geometry.node_number(t, node)])
        gpus = [first + index for index in indices]
        others = [
            int(geometry.first_gpu[number]) + gpu
            for number, members in enumerate(packing.members)
            for one in members
            if one.item == name
            for gpu in one.gpus
        ]
        used = np.flatnonzero(packing.gpu_replicas > 0)
        roomy = used[np.argsort(-self._slack()[used])][:40].tolist()
        self._random.shuffle(others)
        self._random.shuffle(roomy)
        return list(dict.fromkeys([*gpus, *others[:3], *roomy]))[:9]

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
        """A few used nodes, and an unused one or two of every type that costs less than they do."""
        geometry, packing = self._geometry, self.packing
        used = np.flatnonzero(packing.node_replicas > 0).tolist()
        self._random.shuffle(used)
        nodes = [int(node) for node in used[: 2 + step % 2]]
        paid = int(geometry.node_cost[nodes].sum())
        idle = (packing.node_replicas == 0) & geometry.usable & (geometry.node_cost < paid)
        gpus = [gpu for node in nodes for gpu in geometry.gpus_of(node)]
        types = list(range(len(packing.instance.node_types)))
        self._random.shuffle(types)
        for t in types:
            for node in np.flatnonzero(idle & (geometry.node_type == t))[: 1 + step % 2]:
                if self._spots(gpus) < 2 * MOST_SPOTS:
                    gpus += geometry.gpus_of(int(node))
        return gpus, []

    def _spots(self, gpus: Sequence[int]) -> int:
        replicas = int(self.packing.gpu_replicas[list(gpus)].sum())
        return replicas * 4 * len(gpus)

    def solve_region(self, gpus: Sequence[int], victims: Sequence[int]) -> None:
        """Place the region's replicas anew; what was there is kept unless it gets better."""
        packing = self.packing
        freed = packing.within(gpus)
        if not freed:
            return
        demand: dict[int, int] = {}
        for one in freed:
            packing.remove(one)
            i = packing.instance.item_index[one.item]
            demand[i] = demand.get(i, 0) + 1
        exact = ExactModel(packing, demand, gpus, self.kept)
        exact.hint(freed)
        now = places_now(packing.instance)
        now.subtract(kept_replicas(now, packing.placed))
        aim = self._aim(exact, victims, freed, now)
        before = self._value(freed, victims, now)
        found = run_search(exact, aim, self.clock, effort=self.effort)
        better = found.placed is not None and found.value < before
        for one in found.placed if found.placed is not None and better else freed:
            packing.place(one)

    def _total(
        self, cost: Expression, kept: Expression, left: Expression, victims: Sequence[int]
    ) -> Expression:
        """Cost, then moves, then load left on the victims, or cost and weighted moves together."""
        most_left = 1 + sum(int(self._geometry.gpu_capacity[gpu, 0]) for gpu in victims)
        current = self.packing.instance.current
        weight = self.clock.limits.move_weight
        if current is None:
            return cost * most_left + left
        if weight is not None:
            return (cost - weight * kept) * most_left + left
        if self._moves_first:
            return cost - kept * (1 + cost_of_everything(self.packing.instance))
        all_moves = 1 + kept_cost(current, places_now(self.packing.instance))
        return (cost * all_moves - kept) * most_left + left

    def _value(self, freed: Sequence[Placed], victims: Sequence[int], now: Counter[Key]) -> int:
        """What the freed replicas cost where they were, as the aim counts it."""
        packing, geometry = self.packing, self._geometry
        load: dict[int, int] = {}
        for one in freed:
            first = int(geometry.first_gpu[geometry.node_number(one.node_type, one.node)])
            for gpu, share in zip(one.gpus, packing.alternative(one).shares, strict=True):
                load[first + gpu] = load.get(first + gpu, 0) + share[0]
        current = packing.instance.current
        kept = 0 if current is None else kept_cost(current, kept_replicas(now, freed))
        left = sum(load.get(gpu, 0) for gpu in victims)
        value = self._total(self._cost(freed), kept, left, victims)
        return value if isinstance(value, int) else 0

    def _cost(self, freed: Sequence[Placed]) -> int:
        """Cost of the GPUs and nodes only the freed replicas used."""
        packing, geometry = self.packing, self._geometry
        gpus: set[int] = set()
        nodes: set[int] = set()
        for one in freed:
            node = geometry.node_number(one.node_type, one.node)
            nodes.add(node)
            gpus |= {int(geometry.first_gpu[node]) + gpu for gpu in one.gpus}
        cost = sum(int(geometry.gpu_cost[gpu]) for gpu in gpus if not packing.gpu_replicas[gpu])
        return cost + sum(int(geometry.node_cost[n]) for n in nodes if not packing.node_replicas[n])

    def _aim(
        self,
        exact: ExactModel,
        victims: Sequence[int],
        freed: Sequence[Placed],
        now: Counter[Key],
    ) -> Expression:
        """The same as an expression of the model, with the number of moves held to its limit."""
        left = sum(exact.load(gpu) for gpu in victims)
        current = self.packing.instance.current
        if current is None:
            return self._total(exact.cost(), 0, left, victims)
        kept = exact.kept()
        most_moves = self.clock.limits.max_moves
        if most_moves is not None:
            missing = +now
            needed = missing.total() - most_moves
            possible = kept_replicas(now, freed).total()
            exact.model.add(sum(kept.values()) >= min(needed, possible))
        if self._moves_first:
            exact.model.add(exact.cost() <= self._cost(freed))
        saved = sum(move_cost(current, key) * variable for key, variable in kept.items())
        return self._total(exact.cost(), saved, left, victims)
