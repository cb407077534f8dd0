"""One GPU less, by search: its replicas are left over, and must find room on the other GPUs.

Where the bound allows for fewer GPUs than are in use, one of them is given up, or two for an
unused one of another type. What they ran is brought in again as in the filling of a chosen set.
"""

from collections.abc import Iterator
from random import Random

import numpy as np
from numpy.typing import NDArray

from packer.solver.columns import Columns
from packer.solver.instance import Placed
from packer.solver.packing import Packing
from packer.solver.room_pricing import RoomPricing, SetPrices
from packer.solver.set_filling import SetFilling
from packer.solver.stopping import Clock

STEPS_PER_SET = 150
MOST_IDLE_TRIES = 40
"""Tries of sets that turn out too small before any step."""
LIGHTEST = 4
"""GPUs with the least on them, one of which is given up."""
FULLEST = 0.995
"""Share of the room above which search hardly ever succeeds."""
TWO_FOR_ONE = 0.3
"""Share of the tries that take an unused GPU of another type for two."""

Mask = NDArray[np.bool_]


class Squeeze:
    """Makes a packing cheaper GPU by GPU, where GPUs are paid for."""

    def __init__(self, packing: Packing, columns: Columns, clock: Clock) -> None:
        self.packing = packing
        self._clock = clock
        self._pricing = RoomPricing(packing.instance, columns, clock)
        self._random = Random(clock.limits.seed)  # noqa: S311 — not for secrets
        self._known: dict[tuple[int, ...], SetPrices | None] = {}

    def run(self, bound: int, most_steps: int) -> Iterator[Packing]:
        """Better and better packings, until the bound is met or the steps are taken."""
        left, idle_tries = most_steps, 0
        while left > 0 and idle_tries < MOST_IDLE_TRIES and self.packing.objective > bound:
            if not self._clock.has_time():
                return
            allowed = self._smaller_set()
            prices = self._prices(allowed)
            room = int(self.packing.geometry.gpu_capacity[allowed, 0].sum())
            if prices is None or prices.room > FULLEST * room:
                idle_tries += 1
                continue
            start = Packing(self._pricing.geometry, self._within(allowed))
            seed = self._random.randrange(1 << 30)
            filling = SetFilling(start, allowed, prices, self._clock, seed)
            is_filled = filling.improve(min(left, STEPS_PER_SET), self._clock.has_time)
            left -= filling.steps + 1
            if is_filled:
                self.packing = Packing(self.packing.geometry, filling.packing.placed)
                yield self.packing

    def _smaller_set(self) -> Mask:
        """The GPUs in use but for a light one, or but for two and with an unused one."""
        geometry, packing = self.packing.geometry, self.packing
        allowed = packing.gpu_replicas > 0
        used = np.flatnonzero(allowed)
        load = geometry.gpu_capacity[used, 0] - packing.free[used, 0]
        lightest = used[np.argsort(load / np.maximum(1, geometry.gpu_cost[used]), kind="stable")]
        first = int(self._random.choice(lightest[:LIGHTEST].tolist()))
        allowed[first] = False
        idle = np.flatnonzero((packing.gpu_replicas == 0) & geometry.usable[geometry.gpu_node])
        others = [int(gpu) for gpu in lightest if gpu != first]
        if len(idle) and others and self._random.random() < TWO_FOR_ONE:
            second = self._random.choice(others[: 2 * LIGHTEST])
            given = int(geometry.gpu_cost[first] + geometry.gpu_cost[second])
            cheaper = [int(gpu) for gpu in idle if geometry.gpu_cost[gpu] < given]
            if cheaper:
                types = sorted({int(geometry.gpu_type[gpu]) for gpu in cheaper})
                t = self._random.choice(types)
                allowed[second] = False
                allowed[next(gpu for gpu in cheaper if geometry.gpu_type[gpu] == t)] = True
        return np.asarray(allowed)

    def _prices(self, allowed: Mask) -> SetPrices | None:
        """Prices on a set, known from one with as many GPUs of every type."""
        types = self.packing.instance.node_types
        gpu_types = self.packing.geometry.gpu_type[allowed]
        counts = tuple(np.bincount(gpu_types, minlength=len(types)).tolist())
        if counts not in self._known:
            nodes = [len(one.available) for one in types]
            self._known[counts] = self._pricing.prices(counts, nodes)
        return self._known[counts]

    def _within(self, allowed: Mask) -> list[Placed]:
        return self.packing.within(np.flatnonzero(allowed).tolist())
