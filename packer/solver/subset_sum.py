"""The subset of some sizes that fills a room best, by a bit set of reachable sums. Exact."""

from collections.abc import Sequence

FINEST = 200_000
"""Steps a room is divided into; smaller rooms are filled to the unit."""


def fullest_subset(sizes: Sequence[int], room: int) -> list[int]:
    """Positions of sizes with the largest sum within the room; early positions are preferred."""
    step = -(-room // FINEST) or 1
    if step > 1:
        sizes, room = [-(-size // step) for size in sizes], room // step
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
