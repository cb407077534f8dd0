"""Dealing pieces to GPUs so that each is full: exact sums of few large pieces, else subset sums."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from packer.solver.exact_sums import PairSums
from packer.solver.movable_load import Bin
from packer.solver.subset_sum import fullest_subset

SUBSET_SUM_BINS = 20
"""Open GPUs up to which subset sums are tried; with more, they would use up the small pieces."""
SHUFFLES = 3
LARGEST = 3
"""Largest pieces of which one is on the next GPU."""
NEVER = 2**40
"""Size of a piece that a type of GPU cannot take."""


@dataclass(frozen=True)
class Taste:
    """How a filling is judged: evenness of other capacities, and few pieces."""

    even: float
    few: float


class PieceDealing:
    """Pieces that are dealt to GPUs in one attempt."""

    def __init__(
        self,
        shares: dict[int, NDArray[np.int64]],
        needs: dict[int, NDArray[np.int64]],
        pieces: NDArray[np.int64],
        random: np.random.Generator,
    ) -> None:
        self._shares = {t: all_shares[pieces] for t, all_shares in shares.items()}
        self._needs = {t: all_needs[pieces] for t, all_needs in needs.items()}
        self._free = np.ones(len(pieces), dtype=bool)
        self._pairs: dict[int, PairSums] = {}
        self._random = random

    def loose(self) -> list[int]:
        """Positions of the pieces that are on no GPU."""
        return list(np.flatnonzero(self._free).tolist())

    def take(self, one: Bin, chosen: Sequence[int]) -> int:
        """Put pieces on a GPU; how much of it they fill."""
        self._free[list(chosen)] = False
        return int(self._shares[one.node_type][list(chosen), 0].sum())

    def best(self, one: Bin, others: Sequence[Bin], waste: int, taste: Taste) -> list[int] | None:
        """The best filling of a GPU, others being open too; None without any."""
        shares = self._shares[one.node_type]
        room = np.array(one.room, dtype=np.int64)
        if not others:
            rest = self.loose()
            return rest if (shares[rest].sum(axis=0) <= room).all() else None
        part = one.room[0] / max(1, one.room[0] + sum(other.room[0] for other in others))
        wanted = self._needs[one.node_type][self._free].sum(axis=0) * part
        spare = waste // (len(others) + 1)
        largest = self._largest(shares, one.room[0])
        found = self._by_exact_sums(one, largest, wanted, spare, taste)
        if found is None and (one.has_fixed or len(others) < SUBSET_SUM_BINS):
            for must in ([largest[:1]] if largest else []) + [[]]:
                found = self._by_subset_sum(one, must, wanted, spare)
                if found is not None:
                    break
        return found

    def _largest(self, shares: NDArray[np.int64], room: int) -> list[int]:
        fitting = np.flatnonzero(self._free & (shares[:, 0] <= room))
        order = np.argsort(-shares[fitting, 0], kind="stable")[:LARGEST]
        return list(fitting[order].tolist())

    def _by_exact_sums(
        self,
        one: Bin,
        largest: Sequence[int],
        wanted: NDArray[np.float64],
        spare: int,
        taste: Taste,
    ) -> list[int] | None:
        """A large piece and up to four others; large ones and even use of the rest preferred."""
        shares = self._shares[one.node_type]
        room = np.array(one.room, dtype=np.int64)
        if one.node_type not in self._pairs:
            self._pairs[one.node_type] = PairSums(shares[:, 0])
        best, best_value = None, -np.inf
        for first in largest:
            self._free[first] = False
            missing = one.room[0] - int(shares[first, 0])
            for sets in self._sets(one.node_type, missing, spare):
                load = shares[sets].sum(axis=0) + shares[first]
                squares = (shares[sets, 0] / room[0]) ** 2
                needs = (
                    self._needs[one.node_type][sets].sum(axis=0) + self._needs[one.node_type][first]
                )
                uneven = np.abs(wanted - needs) / np.maximum(wanted, 1)
                value = (
                    squares.sum(axis=0)
                    + (shares[first, 0] / room[0]) ** 2
                    - taste.even * uneven.sum(axis=1)
                    - taste.few * len(sets)
                    + 0.05 * self._random.random(sets.shape[1])
                )
                value[(load > room).any(axis=1)] = -np.inf
                k = int(np.argmax(value))
                if value[k] > best_value:
                    best, best_value = [first, *sets[:, k].tolist()], value[k]
            self._free[first] = True
        return best

    def _sets(self, t: int, missing: int, spare: int) -> list[NDArray[np.int64]]:
        if missing <= spare:
            return [np.empty((0, 1), dtype=np.int64)]
        found = self._pairs[t].sets(self._free, missing, spare)
        return [sets for sets in found if sets.shape[1]]

    def _by_subset_sum(
        self, one: Bin, must: Sequence[int], wanted: NDArray[np.float64], spare: int
    ) -> list[int] | None:
        """Any number of pieces beside those that must be there; even use of the rest preferred."""
        shares = self._shares[one.node_type]
        room = np.array(one.room, dtype=np.int64) - shares[list(must)].sum(axis=0)
        self._free[list(must)] = False
        pool = np.flatnonzero(self._free & (shares[:, 0] <= room[0]))
        self._free[list(must)] = True
        best, best_value = None, np.inf
        for _ in range(SHUFFLES):
            order = self._random.permutation(pool)
            chosen = order[
                fullest_subset(shares[order, 0].tolist(), int(room[0]), int(room[0]) + 1)
            ]
            load = shares[chosen].sum(axis=0)
            if room[0] - load[0] > spare:
                break  # no order of the pieces fills more
            if (load > room).any():
                continue
            needs = self._needs[one.node_type][[*must, *chosen.tolist()]].sum(axis=0)
            value = float((np.abs(wanted - needs) / np.maximum(wanted, 1)).sum())
            if value < best_value:
                best, best_value = [*must, *chosen.tolist()], value
        return best
