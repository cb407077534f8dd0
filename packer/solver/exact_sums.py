"""Small sets of sizes with an exact sum: one, two, three or four pieces, by sums of pairs."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Pieces = NDArray[np.int64]

MOST_SETS = 60_000
"""Sets of four that are looked at for one sum."""


class PairSums:
    """Sums of all pairs of some sizes, in order.

    Args:
        sizes: One size per piece; pieces larger than anything asked for never take part.
    """

    def __init__(self, sizes: Pieces) -> None:
        self.sizes = sizes
        first, second = np.triu_indices(len(sizes), 1)
        sums = sizes[first] + sizes[second]
        order = np.argsort(sums, kind="stable")
        self._sums, self._first, self._second = sums[order], first[order], second[order]

    def sets(self, free: NDArray[np.bool_], total: int, spare: int) -> Iterator[Pieces]:
        """Sets of one to four free pieces that sum to a total, or to at most ``spare`` less.

        Yields:
            Arrays [pieces of a set, sets] of positions.
        """
        singles = np.flatnonzero(free & (self.sizes <= total))
        sizes = self.sizes[singles]
        yield singles[sizes >= total - spare][None, :]
        usable = free[self._first] & free[self._second]
        usable[self._sums.searchsorted(total, side="right") :] = False
        sums, first, second = self._sums[usable], self._first[usable], self._second[usable]
        start = int(sums.searchsorted(total - spare))
        yield np.array([first[start:], second[start:]])
        one, pair = _matches(total - sizes, sums, spare)
        if len(one):
            three = np.array([singles[one], first[pair], second[pair]])
            yield three[:, three[0] < three[1]]
        pair, other = _matches(total - sums, sums, spare)
        if len(pair):
            later = pair < other
            pair, other = pair[later], other[later]
            four = np.array([first[pair], second[pair], first[other], second[other]])
            apart = (four[0] != four[2]) & (four[0] != four[3])
            yield four[:, apart & (four[1] != four[2]) & (four[1] != four[3])]


def _matches(wanted: Pieces, sums: Pieces, spare: int) -> tuple[Pieces, Pieces]:
    """Positions (of wanted, of sums) where a sum is what is wanted, or at most spare less."""
    start = sums.searchsorted(wanted - spare)
    count = sums.searchsorted(wanted, side="right") - start
    if not count.any():
        return count[:0], count[:0]
    before = count.cumsum() - count
    if before[-1] + count[-1] > MOST_SETS:
        # The first ones that fit the limit; callers shuffle pieces between calls.
        count = np.where(before + count <= MOST_SETS, count, 0)
        before = count.cumsum() - count
    which = np.arange(len(wanted)).repeat(count)
    return which, np.arange(len(which)) - before[which] + start[which]
