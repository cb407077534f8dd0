"""Peak of ggml's graph allocator: best fit among freed blocks, in the order of execution.

The size of a compute buffer is not a sum: a tensor's memory is reused once its last reader has
run, so what is reserved is the highest address the allocator ever hands out for the largest graph.
"""

from collections.abc import Sequence
from dataclasses import dataclass

_ENDLESS = 1 << 62

TAKE, GIVE, TRIM, LOOK = range(4)
Step = tuple[int, int, int, int]
"""One step of a script: kind, block, number of its size, and for ``TRIM`` that of what stays."""


@dataclass(frozen=True)
class Replay:
    """What became of one backend's buffer.

    Attributes:
        tops: Where the untouched rest began whenever some of it was taken; the highest is what
            must be reserved.
        addresses: Where every block lay.
        pictures: At every ``LOOK``: where its block lay, and the free blocks with their sizes.
    """

    tops: tuple[int, ...]
    addresses: tuple[int, ...]
    pictures: tuple[tuple[int, tuple[int, ...], tuple[int, ...]], ...]


def replay(script: Sequence[Step], sizes: Sequence[int]) -> Replay:
    """Take and give blocks as a script says. Exact.

    Args:
        script: Steps of one backend in order; blocks are numbered as they are taken.
        sizes: Bytes by number, multiples of the backend's alignment.

    Source:
        llama.cpp b11434, ggml/src/ggml-alloc.c (ggml_dyn_tallocr_alloc and ..._free_bytes).
        Written from its rules; pinned byte for byte by tests/unit/memory/test_compute_truth.py.
    """
    buffer = _Buffer()
    take, give = buffer.take, buffer.give
    addresses: list[int] = []
    pictures: list[tuple[int, tuple[int, ...], tuple[int, ...]]] = []
    for kind, block, number, kept in script:
        size = sizes[number]
        if kind == TAKE:
            addresses.append(take(size))
        elif kind == GIVE:
            give(addresses[block], size)
        elif kind == LOOK:
            place = addresses[block] if block >= 0 else -1
            pictures.append((place, tuple(buffer.starts), tuple(buffer.holes)))
        elif size > sizes[kept]:
            give(addresses[block] + sizes[kept], size - sizes[kept])
    return Replay(tuple(buffer.tops), tuple(addresses), tuple(pictures))


class _Buffer:
    """Address space of one backend's compute buffer.

    Attributes:
        starts, holes: Free blocks, where they start and how large they are; the last is the rest.
        tops: Where the rest began whenever some of it was taken.
    """

    __slots__ = ("holes", "starts", "tops")

    def __init__(self) -> None:
        self.starts = [0]
        self.holes = [_ENDLESS]
        self.tops: list[int] = []

    def take(self, size: int) -> int:
        """Address of a new block in the smallest hole that fits, the last of equals, else behind.

        Sizes may be extents, so no more is compared than has to be.
        """
        starts, holes = self.starts, self.holes
        rest = chosen = len(holes) - 1
        best = _ENDLESS
        for index in range(rest):
            if size <= holes[index] <= best:
                chosen, best = index, holes[index]
        address = starts[chosen]
        starts[chosen] += size
        holes[chosen] -= size
        if chosen == rest:
            self.tops.append(starts[rest])
        elif holes[chosen] == 0:
            del starts[chosen], holes[chosen]
        return address

    def give(self, address: int, size: int) -> None:
        """Return a block and join it with its neighbours."""
        starts, holes = self.starts, self.holes
        for index, start in enumerate(starts):
            if start + holes[index] == address:
                holes[index] += size
                self._join(index)
                return
            # No hole before this one ends here: it would have been found.
            if address + size == start:
                starts[index] = address
                holes[index] += size
                return
        # Empty blocks can leave the list out of order; llama.cpp stops at the first larger one.
        index = 0
        while index < len(starts) and starts[index] < address:
            index += 1
        starts.insert(index, address)
        holes.insert(index, size)

    def _join(self, index: int) -> None:
        """Join a hole with the next one if they touch."""
        starts, holes = self.starts, self.holes
        if index + 1 < len(starts) and starts[index] + holes[index] == starts[index + 1]:
            holes[index] += holes[index + 1]
            del starts[index + 1], holes[index + 1]
