"""The subset of some sizes that fills a room best, by bit sets of reachable sums.

Exact for rooms of at most ``finest`` units; larger ones are divided into that many steps, sizes
rounded up, so that a chosen subset always fits.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


def fullest_subset(sizes: Sequence[int], room: int, finest: int) -> list[int]:
    """Positions of sizes with the largest sum within the room; early positions are preferred."""
    sizes, room = _in_steps(sizes, room, finest)
    within = (1 << (room + 1)) - 1
    full = 1 << room
    reachable = [1]
    for size in sizes:
        sums = reachable[-1]
        if size <= room:
            sums |= (sums << size) & within
        reachable.append(sums)
        if sums & full:
            break
    left = reachable[-1].bit_length() - 1
    chosen = []
    for position in range(len(reachable) - 2, -1, -1):
        if not (reachable[position] >> left) & 1:
            chosen.append(position)
            left -= sizes[position]
    return chosen[::-1]


@dataclass(frozen=True)
class LayeredSums:
    """Sums reachable with every amount of a second, small capacity."""

    sizes: Sequence[int]
    steps: Sequence[int]
    rows: Sequence[Sequence[int]]

    def subsets(self, tolerance: float) -> Iterator[list[int]]:
        """Subsets within the tolerance of the fullest sum, those that use most layers first."""
        last = self.rows[-1]
        enough = (max(sums.bit_length() for sums in last) - 1) * (1 - tolerance)
        for layer in range(len(last) - 1, -1, -1):
            if last[layer] and last[layer].bit_length() - 1 >= enough:
                yield self._subset(layer)

    def _subset(self, layer: int) -> list[int]:
        left = self.rows[-1][layer].bit_length() - 1
        chosen = []
        for position in range(len(self.rows) - 2, -1, -1):
            if not (self.rows[position][layer] >> left) & 1:
                chosen.append(position)
                left -= self.sizes[position]
                layer -= self.steps[position]
        return chosen[::-1]


def layered_sums(
    sizes: Sequence[int], steps: Sequence[int], room: int, layers: int, finest: int
) -> LayeredSums:
    """All sums of sizes within the room, for every amount of layers.

    Args:
        sizes: What each takes of the room.
        steps: What each takes of the layers; small whole numbers.
        room: First capacity.
        layers: Second capacity, a few dozen at most.
        finest: Steps the room is divided into.
    """
    sizes, room = _in_steps(sizes, room, finest)
    within = (1 << (room + 1)) - 1
    rows = [[1] + [0] * layers]
    for size, up in zip(sizes, steps, strict=True):
        last = rows[-1]
        if size > room or up > layers:
            rows.append(last)
            continue
        moved = [(sums << size) & within if sums else 0 for sums in last[: layers + 1 - up]]
        rows.append(last[:up] + [a | b for a, b in zip(last[up:], moved, strict=True)])
    return LayeredSums(sizes, steps, rows)


def _in_steps(sizes: Sequence[int], room: int, finest: int) -> tuple[Sequence[int], int]:
    step = -(-room // finest) or 1
    if step == 1:
        return sizes, room
    return [-(-size // step) for size in sizes], room // step
