"""Filling a chosen set of GPUs: everything must fit, whatever room it takes.

First come guided fills. What they leave over is brought in by neighbourhood search: some GPUs are
emptied, and CP-SAT puts as much as it can of their replicas and of those left over back, weighed
by what the relaxation pays for them. Only ways to run a replica that are about as cheap as any
under these prices are used, which keeps the models small.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from random import Random
from threading import Event

import numpy as np
from numpy.typing import NDArray

from packer.solver.columns import Columns
from packer.solver.exact import ExactModel
from packer.solver.fill_style import FillStyle
from packer.solver.fit import fits_node_type
from packer.solver.guided_fill import guided_fill
from packer.solver.packing import Packing
from packer.solver.relaxation_result import RowPrices
from packer.solver.room_pricing import SetPrices
from packer.solver.search import run_search
from packer.solver.stopping import Clock

EFFORT = 0.03
"""Deterministic time of one step."""
SIZES = (4, 6, 8)
"""GPUs emptied in a step."""
FOR_LEFT_OVER = 0.1
"""Share of the steps around a node that could take a replica left over. Where one GPU of 301 alone
can, and has little slack, ten seeds need 75 steps; without, 461 are not enough for all."""
WHOLE_NODES = 0.2
"""Share of the steps that empty other nodes: replicas on several GPUs move only with all. Where
three pairs on 60 nodes must, ten seeds need 86 steps, without 323."""
PATIENCE = 10
"""Steps without room after which a replica weighs twice as much: others make way. Ten fleets that
fill 99.7 % of six GPUs take 79 steps, 95 to 294 with other numbers; by equal weights three of them
stay without room."""
FINEST_WEIGHT = 1000
"""Weight of the dearest replica; none weighs less than one."""


class SetFilling:
    """One set of GPUs, filled as far as can be.

    Attributes:
        packing: What is placed; fills keep the best, search goes on from there.
        allowed: The GPUs of the set.
        steps: Steps of search taken so far.
    """

    def __init__(
        self,
        start: Packing,
        allowed: NDArray[np.bool_],
        prices: SetPrices,
        clock: Clock,
        seed: int,
    ) -> None:
        """A set to fill.

        Args:
            start: What is placed already, all on GPUs of the set; priced by room.
            allowed: The GPUs of the set.
            prices: What is paid there for a replica, and how it is best run.
            clock: Wall time left.
            seed: Of every random choice.
        """
        self.packing, self.allowed, self.steps = start, allowed, 0
        self._geometry, self._kept = start.geometry, prices.kept
        largest = max(1e-9, *prices.weights)
        self._weights = [max(1, round(FINEST_WEIGHT * one / largest)) for one in prices.weights]
        self._impatience = [-(-weight // PATIENCE) for weight in self._weights]
        self._gpus = np.flatnonzero(allowed).tolist()
        self._nodes = sorted({int(self._geometry.gpu_node[gpu]) for gpu in self._gpus})
        self._homes = [self._fitting_nodes(i) for i in range(len(self._kept))]
        self._random = Random(seed)  # noqa: S311 — not for secrets
        # One thread: steps are short, and the same for a seed.
        self._clock = Clock(replace(clock.limits, workers=1), clock.reserved, clock.started)

    def _fitting_nodes(self, i: int) -> list[int]:
        """Nodes of the set on which an item has a way to run."""
        geometry = self._geometry
        alternatives = geometry.instance.items[i].alternatives
        types = {
            t
            for t, one in enumerate(geometry.instance.node_types)
            if any(fits_node_type(alternatives[a], one) for a in self._kept[i])
        }
        return [node for node in self._nodes if int(geometry.node_type[node]) in types]

    def left_over(self) -> int:
        """Weight of the replicas without room."""
        return self._weight_of(self.packing)

    def is_complete(self) -> bool:
        """Whether everything has room and every rule holds."""
        return not self.packing.missing() and self.packing.affinity_holds()

    def fill(
        self, columns: Columns, prices: Sequence[RowPrices | None], styles: Sequence[FillStyle]
    ) -> bool:
        """Guided fills until one is complete; the best is kept."""
        for price in prices:
            for style in styles:
                tried = guided_fill(
                    self._geometry, columns, price, style, self._clock.has_time, self.allowed
                )
                if self._weight_of(tried) < self.left_over():
                    self.packing = tried
                if self.is_complete() or not self._clock.has_time():
                    return self.is_complete()
        return False

    def improve(self, most_steps: int, may_go_on: Callable[[], bool]) -> bool:
        """Steps of neighbourhood search until everything has room; whether it has."""
        for _ in range(most_steps):
            if not self._gpus or not self.packing.missing() or not may_go_on():
                break
            self.steps += 1
            self._step()
        return self.is_complete()

    def _weight_of(self, packing: Packing) -> int:
        return sum(self._weights[i] * count for i, count in packing.missing().items())

    def _step(self) -> None:
        packing = self.packing
        region = self._region()
        freed = packing.within(region)
        for one in freed:
            packing.remove(one)
        demand = packing.missing()
        exact = ExactModel(packing, demand, region, self._kept, optional=demand)
        exact.hint(freed)
        served = sum(self._weights[spot.item] * spot.replicas for spot in exact.spots)
        items = packing.instance.item_index
        before = sum(self._weights[items[one.item]] for one in freed)
        found = run_search(exact, -served, self._clock, effort=EFFORT, interleave=False)
        # As good is taken too: otherwise the search stands still.
        taken = found.placed is not None and -found.value >= before
        for one in found.placed if found.placed is not None and taken else freed:
            packing.place(one)
        for i in packing.missing():
            self._weights[i] += self._impatience[i]

    def _region(self) -> list[int]:
        """GPUs to empty: nodes that could take what is left over, any nodes, or roomy GPUs."""
        draw = self._random.random()
        if draw < FOR_LEFT_OVER:
            i = self._random.choice(list(self.packing.missing()))
            node = self._random.choice(self._homes[i] or self._nodes)
            chosen = self._of_node(node)
            return chosen + self._roomy_gpus(chosen, max(2, self._size() - len(chosen)))
        if draw < FOR_LEFT_OVER + WHOLE_NODES:
            return self._whole_nodes()
        return self._roomy_gpus((), self._size())

    def _of_node(self, node: int) -> list[int]:
        return [gpu for gpu in self._geometry.gpus_of(node) if self.allowed[gpu]]

    def _size(self) -> int:
        return min(len(self._gpus), self._random.choice(SIZES))

    def _whole_nodes(self) -> list[int]:
        size = self._size()
        chosen: list[int] = []
        for node in self._random.sample(self._nodes, len(self._nodes)):
            chosen += self._of_node(node)
            if len(chosen) >= size:
                break
        return chosen

    def _roomy_gpus(self, but: Sequence[int], size: int) -> list[int]:
        """Half of them with much slack, half any."""
        gpus = [gpu for gpu in self._gpus if gpu not in but]
        capacity = np.maximum(self._geometry.gpu_capacity[gpus, 0], 1)
        slack = self.packing.free[gpus, 0] / capacity
        noise = [0.3 * self._random.random() for _ in gpus]
        order = np.argsort(-(slack + noise), kind="stable")
        chosen = [gpus[k] for k in order[: size // 2].tolist()]
        rest = [gpu for gpu in gpus if gpu not in chosen]
        return chosen + self._random.sample(rest, min(len(rest), size - len(chosen)))


def improve_together(
    fillings: Sequence[SetFilling], most_steps: int, may_go_on: Callable[[], bool]
) -> None:
    """Steps for several sets side by side, a thread each: what is found depends on neither's pace.

    Raises:
        KeyboardInterrupt: Ctrl-C, once all have ended the step they were in.
    """
    short = [one for one in fillings if not one.is_complete()]
    if len(short) < 2 or not most_steps:
        for one in short:
            one.improve(most_steps, may_go_on)
        return
    is_over = Event()

    def goes_on() -> bool:
        return not is_over.is_set() and may_go_on()

    with ThreadPoolExecutor(len(short)) as threads:
        try:
            running = [threads.submit(one.improve, most_steps, goes_on) for one in short]
            for each in running:
                each.result()
        finally:
            is_over.set()
