"""What room is worth on a set of GPUs, and which ways to run a replica are cheap there.

Where the GPUs are chosen already, their cost no longer tells which way to run a replica is the
better one; how much room they need does. Every GPU is priced by its room in dimension 0, so that
the relaxation fills as little of the set as it can, and prices what is scarce in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from packer.solver.columns import Columns
from packer.solver.function_rows import add_functions
from packer.solver.geometry import build_geometry
from packer.solver.instance import Instance, Objective
from packer.solver.relaxation import Relaxation
from packer.solver.relaxation_result import RelaxationResult, RowPrices
from packer.solver.stopping import Clock

UNSERVED = 1e-6
"""Replicas without room from which the relaxation calls a set too small."""
ABOUT_AS_CHEAP = 1.02
"""Most that a way to run a replica may cost, as a multiple of the cheapest, to be used."""
FUNCTION_ROUNDS = 6
MOST_COLUMNS = 20_000
"""Ways to place up to which dual feasible functions are looked for, set by set."""


@dataclass(frozen=True)
class SetPrices:
    """What a set is worth.

    Attributes:
        room: Least room in use, as if pieces could be cut.
        rows: Price of every row of the relaxation.
        weights: What is paid for a replica, per item.
        kept: Alternatives about as cheap as any, per item.
    """

    room: float
    rows: RowPrices
    weights: tuple[float, ...]
    kept: tuple[tuple[int, ...], ...]


class RoomPricing:
    """One relaxation, kept warm over the sets it is asked about.

    Attributes:
        geometry: GPUs and nodes of the same problem, with every GPU at the price of its room.
    """

    def __init__(self, instance: Instance, columns: Columns, clock: Clock) -> None:
        self.columns, self._clock = columns, clock
        priced = _priced_by_room(instance)
        self.geometry = build_geometry(priced)
        self._relaxation = Relaxation(priced, columns)
        self._relaxation.limit_time(clock.left)
        types = priced.node_types
        self._counts = np.array([float(item.count) for item in priced.items])
        self._capacity = np.array([np.max(one.capacities, axis=0) for one in types], dtype=float)
        self._least = np.full((len(types), len(priced.items), len(priced.dims)), np.inf)
        self._least[:, self._counts == 0] = 0
        np.minimum.at(self._least, (columns.node_type, columns.item), columns.load.astype(float))

    def _has_room(self, gpus: Sequence[int], nodes: Sequence[int]) -> bool:
        """Whether every dimension by itself has room for the least that each replica takes."""
        bought = [t for t, count in enumerate(gpus) if count and nodes[t]]
        least = self._least[bought].min(axis=0, initial=np.inf)
        room = sum(gpus[t] * self._capacity[t] for t in bought)
        return bool((self._counts @ least <= room).all())

    def room_needed(self, gpus: Sequence[int], nodes: Sequence[int]) -> float | None:
        """Least room in use on so many GPUs and nodes per type; None where they are too few."""
        relaxed = self._relaxed(gpus, nodes) if self._has_room(gpus, nodes) else None
        return None if relaxed is None or _is_short(relaxed) else relaxed.objective

    def prices(self, gpus: Sequence[int], nodes: Sequence[int]) -> SetPrices | None:
        """Prices on a set; None where it is too small once large pieces are looked at."""
        relaxed = self._relaxed(gpus, nodes)
        if relaxed is None or _is_short(relaxed):
            return None
        room = relaxed.objective
        if len(self.columns) <= MOST_COLUMNS:
            relaxed = add_functions(
                self._relaxation, relaxed, FUNCTION_ROUNDS, self._clock.has_time
            )
        if _is_short(relaxed):
            return None
        paid = self._relaxation.use_prices(relaxed.prices)
        item = self.columns.item
        least = np.full(len(self.geometry.instance.items), np.inf)
        np.minimum.at(least, item, paid)
        cheap = paid <= ABOUT_AS_CHEAP * least[item] + 1e-9
        kept = _alternatives_of(item[cheap], self.columns.alternative[cheap], len(least))
        weights = np.where(np.isfinite(least), least, 0.0).tolist()
        return SetPrices(room, relaxed.prices, tuple(weights), kept)

    def _relaxed(self, gpus: Sequence[int], nodes: Sequence[int]) -> RelaxationResult | None:
        """What the relaxation places there; None where it ran out of time."""
        y = [(0, min(one.count, gpus[one.node_type])) for one in self._relaxation.classes]
        self._relaxation.set_bounds(y, [(0, count) for count in nodes])
        return self._relaxation.solve()


def _is_short(relaxed: RelaxationResult) -> bool:
    return float(relaxed.unserved.sum()) >= UNSERVED


def _alternatives_of(
    items: NDArray[np.int64], alternatives: NDArray[np.int64], count: int
) -> tuple[tuple[int, ...], ...]:
    kept: list[set[int]] = [set() for _ in range(count)]
    for i, alternative in zip(items.tolist(), alternatives.tolist(), strict=True):
        kept[i].add(alternative)
    return tuple(tuple(sorted(one)) for one in kept)


def _priced_by_room(instance: Instance) -> Instance:
    """The instance with every GPU at the price of its room, and nothing running yet."""
    types = tuple(
        replace(one, gpu_price=max(capacity[0] for capacity in one.capacities), node_price=0)
        for one in instance.node_types
    )
    return replace(instance, node_types=types, objective=Objective.GPU_PRICE, current=None)
