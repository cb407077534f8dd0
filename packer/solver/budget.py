"""Filling within a budget: which GPUs or nodes to use is decided first, then everything must fit.

Where prices differ, the sets of GPUs or nodes that cost less than the incumbent are few, or those
with most room are. The relaxation tells which of them are large enough, and how full they would
be: the roomy ones are filled first, then fuller and fuller ones that cost less than what was found.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from packer.solver.columns import Columns
from packer.solver.fill_style import FillStyle
from packer.solver.geometry import Geometry
from packer.solver.packing import Packing
from packer.solver.relaxation_result import RowPrices
from packer.solver.room_pricing import RoomPricing
from packer.solver.set_filling import SetFilling, improve_together
from packer.solver.stopping import Clock
from packer.solver.ware_sets import Counts, cost_of, most_room, sets_between, wares

TRIES = 12
"""Sets tried per budget where there are too many to try all."""
MOST_SETS = 600
"""Sets up to which all that cost less than the incumbent are looked at."""
MOST_GPUS = 600
"""GPUs of a set up to which what is left over is brought in by search."""
ROUNDS = ((0.93, 60), (0.96, 90), (0.98, 120), (0.99, 120), (0.997, 120), (1.0, 300), (1.0, 900))
"""How full the sets are that are tried, and the steps of search for each, round after round."""
MOST_STEPS = 3_000
"""Steps of search for all sets together."""


@dataclass
class _Candidate:
    """A set the relaxation finds large enough, and how full it would be."""

    counts: Counts
    cost: int
    full: float
    filling: SetFilling | None = None
    is_hopeless: bool = False


class BudgetSearch:
    """Looks for complete packings within smaller and smaller budgets."""

    def __init__(
        self, geometry: Geometry, columns: Columns, styles: Sequence[FillStyle], clock: Clock
    ) -> None:
        self._geometry, self._columns, self._styles = geometry, columns, styles
        self._clock = clock
        self._wares = wares(geometry)
        self._known: dict[Counts, _Candidate | None] = {}
        self._pricing = RoomPricing(geometry.instance, columns, clock)
        types = len(geometry.instance.node_types)
        capacity = np.zeros((types, len(geometry.instance.dims)))
        # One price for room everywhere, so high that every type bought is to be filled.
        capacity[:, 0] = 1e6
        nothing = np.zeros(types)
        node = np.zeros((types, len(geometry.instance.node_dims)))
        self._even = RowPrices(capacity, node, nothing, nothing, np.zeros(0))

    def run(self, low: int, high: int, grid: int, effort: float) -> Iterator[Packing]:
        """Better and better packings, each cheaper than ``high`` was before it.

        Args:
            low: A proven bound.
            high: Objective of the incumbent.
            grid: All objectives are multiples of it.
            effort: Share of the steps to take.
        """
        sets = sets_between(self._wares, low, high, MOST_SETS)
        rounds: Sequence[tuple[float, int]] = ROUNDS
        if sets is None:
            for packing in self._bisected(low, high, grid):
                high = packing.objective
                yield packing
            sets = sets_between(self._wares, low, high, MOST_SETS)
        if sets is None:
            sets, rounds = most_room(self._wares, high - grid, TRIES), ROUNDS[-1:]
        candidates = [one for one in map(self._candidate, sets) if one is not None]
        candidates.sort(key=lambda one: one.cost)
        yield from self._searched(candidates, rounds, high, effort)

    def _searched(
        self,
        candidates: Sequence[_Candidate],
        rounds: Sequence[tuple[float, int]],
        high: int,
        effort: float,
    ) -> Iterator[Packing]:
        """Sets below the incumbent, the cheap ones first, with more and more search for each."""
        left = round(MOST_STEPS * effort)
        for fullest, most_steps in rounds:
            steps = round(most_steps * effort)
            for batch in self._begun_batches([one for one in candidates if one.full <= fullest]):
                cheaper = [one for one in batch if one.cost < high]
                if not cheaper or left <= 0 or not self._clock.has_time():
                    break
                filled = self._filled(cheaper, steps)
                left -= steps * (len(cheaper) - len(filled))
                if filled:
                    packing = self._taken(filled[0])
                    high = packing.objective
                    yield packing

    def _begun_batches(self, candidates: Sequence[_Candidate]) -> Iterator[list[_Candidate]]:
        """Sets after their guided fills, as many at once as there are workers, or up to a full one.

        Those that turn out to be too small are left out.
        """
        batch: list[_Candidate] = []
        for one in candidates:
            if one.filling is None and not one.is_hopeless:
                one.filling = self._begun(one.counts)
                one.is_hopeless = one.filling is None
            if one.filling is None:
                continue
            batch.append(one)
            if one.filling.is_complete() or len(batch) == self._clock.limits.workers:
                yield batch
                batch = []
        if batch:
            yield batch

    def _filled(self, batch: Sequence[_Candidate], steps: int) -> list[_Candidate]:
        """Those of some sets into which everything fits; they are searched side by side."""
        fillings = [one.filling for one in batch if one.filling is not None]
        short = [one for one in fillings if int(one.allowed.sum()) <= MOST_GPUS]
        improve_together(short, steps, self._clock.has_time)
        return [one for one in batch if one.filling is not None and one.filling.is_complete()]

    def _bisected(self, low: int, high: int, grid: int) -> Iterator[Packing]:
        """The sets with most room, for budgets between the bound and the incumbent."""
        low -= grid
        while high - low > grid and self._clock.has_time():
            middle = low + max(grid, (high - low) // 2 // grid * grid)
            packing = self._within(middle)
            if packing is None:
                low = middle
            else:
                high = min(middle, packing.objective)
                yield packing

    def _within(self, budget: int) -> Packing | None:
        """A complete packing that costs at most the budget, by guided fills alone."""
        for counts in most_room(self._wares, budget, TRIES):
            candidate = self._candidate(counts)
            for batch in self._begun_batches([] if candidate is None else [candidate]):
                if self._filled(batch, 0):
                    return self._taken(batch[0])
        return None

    def _candidate(self, counts: Counts) -> _Candidate | None:
        """A set with how full it would be; None where it is too small."""
        if counts not in self._known:
            self._known[counts] = self._looked_at(counts)
        return self._known[counts]

    def _looked_at(self, counts: Counts) -> _Candidate | None:
        if not self._clock.has_time():
            return None
        needed = self._pricing.room_needed(*self._gpus_and_nodes(counts))
        if needed is None:
            return None
        room = sum(n * ware.room for n, ware in zip(counts, self._wares, strict=True))
        return _Candidate(counts, cost_of(self._wares, counts), needed / max(1, room))

    def _begun(self, counts: Counts) -> SetFilling | None:
        """Guided fills of a set; None where it is too small once large pieces are looked at."""
        prices = self._pricing.prices(*self._gpus_and_nodes(counts))
        if prices is None:
            return None
        empty = Packing(self._pricing.geometry)
        seed = self._clock.limits.seed
        filling = SetFilling(empty, self._bought(counts), prices, self._clock, seed)
        filling.fill(self._columns, (prices.rows, None, self._even), self._styles)
        return filling

    def _taken(self, one: _Candidate) -> Packing:
        """What fills a set, at its true price."""
        placed = () if one.filling is None else one.filling.packing.placed
        return Packing(self._geometry, placed)

    def _gpus_and_nodes(self, counts: Counts) -> tuple[list[int], list[int]]:
        """GPUs and nodes per type that a set makes usable."""
        types = self._geometry.instance.node_types
        if self._geometry.charges_nodes:
            return [n * one.gpus for n, one in zip(counts, types, strict=True)], list(counts)
        return list(counts), [len(one.available) for one in types]

    def _bought(self, counts: Counts) -> NDArray[np.bool_]:
        """The GPUs of the set: the first of each type, of every zone alike where nodes are paid."""
        geometry = self._geometry
        allowed = np.zeros(len(geometry.gpu_node), dtype=bool)
        for ware, count in zip(self._wares, counts, strict=True):
            usable = (geometry.gpu_type == ware.node_type) & geometry.usable[geometry.gpu_node]
            if geometry.charges_nodes:
                nodes = _zone_by_zone(geometry, np.unique(geometry.gpu_node[usable]))
                allowed |= np.isin(geometry.gpu_node, nodes[:count])
            else:
                allowed[np.flatnonzero(usable)[:count]] = True
        return allowed


def _zone_by_zone(geometry: Geometry, nodes: NDArray[np.int64]) -> NDArray[np.int64]:
    """The first node of every zone, then the second of every zone, and so on."""
    zones = geometry.node_zone[nodes]
    earlier = np.array([(zones[:k] == zone).sum() for k, zone in enumerate(zones)])
    return nodes[np.lexsort((nodes, earlier))]
