"""Sets of GPUs or nodes that a budget buys: how many of each type, by cost or by room."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from packer.solver.card_classes import node_cost
from packer.solver.geometry import Geometry

Counts = tuple[int, ...]

MOST_LOOKS = 100_000
"""Parts of sets looked at: a narrow range of prices may be met by hardly any set."""


@dataclass(frozen=True)
class Ware:
    """What can be bought: a GPU or a whole node of a type."""

    node_type: int
    cost: int
    room: int
    count: int


def wares(geometry: Geometry) -> list[Ware]:
    """What is paid for, one per node type."""
    found = []
    for t, one in enumerate(geometry.instance.node_types):
        nodes = len(one.available)
        room = sum(capacity[0] for capacity in one.capacities)
        if geometry.charges_nodes:
            found.append(Ware(t, node_cost(geometry.instance, t), room, nodes))
        else:
            cost = int(geometry.gpu_cost[geometry.gpu_type == t].max(initial=0))
            found.append(Ware(t, cost, room // max(1, one.gpus), nodes * one.gpus))
    return found


def cost_of(offered: Sequence[Ware], counts: Counts) -> int:
    """What a set costs."""
    return sum(n * ware.cost for n, ware in zip(counts, offered, strict=True))


def sets_between(offered: Sequence[Ware], low: int, high: int, most: int) -> list[Counts] | None:
    """All sets that cost at least ``low`` and less than ``high``, cheap ones first.

    None where there are more than ``most``, or too many to look for them; wares without a price
    are bought whole.
    """
    found: list[Counts] = []
    for counts in _sets(offered, low, high, iter(range(MOST_LOOKS))):
        if counts is None or len(found) == most:
            return None
        found.append(counts)
    return sorted(found, key=lambda counts: (cost_of(offered, counts), counts))


def _sets(
    offered: Sequence[Ware], low: int, high: int, looks: Iterator[int]
) -> Iterator[Counts | None]:
    """Sets of a price range; None once the looks are used up."""
    if next(looks, None) is None:
        yield None
        return
    if not offered:
        if low <= 0 < high:
            yield ()
        return
    first, rest = offered[0], offered[1:]
    dearest = sum(ware.count * ware.cost for ware in rest)
    if not first.cost:
        counts: range = range(first.count, first.count + 1)
    else:
        least = max(0, -(-(low - dearest) // first.cost))
        counts = range(least, min(first.count, (high - 1) // first.cost) + 1)
    for count in counts:
        for others in _sets(rest, low - count * first.cost, high - count * first.cost, looks):
            if others is None:
                yield None
                return
            yield count, *others


def most_room(offered: Sequence[Ware], budget: int, most: int) -> list[Counts]:
    """Affordable sets with the most room, the roomiest first: a bounded knapsack.

    Depth first over the wares by room per cost, cut where even a fraction of the rest would not
    reach the roomiest sets found so far.
    """
    order = sorted(
        range(len(offered)), key=lambda w: (offered[w].cost / max(1, offered[w].room), w)
    )
    found: list[tuple[int, Counts]] = []
    counts = [0] * len(offered)

    def possible(depth: int, left: int) -> float:
        room = 0.0
        for w in order[depth:]:
            ware = offered[w]
            bought = min(float(ware.count), left / ware.cost) if ware.cost else float(ware.count)
            room += bought * ware.room
            left -= int(bought * ware.cost)
            if left <= 0:
                break
        return room

    def visit(depth: int, left: int, room: int) -> None:
        if len(found) == most and room + possible(depth, left) <= found[-1][0]:
            return
        if depth == len(order):
            found.append((room, tuple(counts)))
            found.sort(key=lambda one: (-one[0], one[1]))
            del found[most:]
            return
        w = order[depth]
        ware = offered[w]
        affordable = min(ware.count, left // ware.cost) if ware.cost else ware.count
        for count in range(affordable, -1, -1):
            counts[w] = count
            visit(depth + 1, left - count * ware.cost, room + count * ware.room)
        counts[w] = 0

    visit(0, budget, 0)
    return [one for _, one in found]
