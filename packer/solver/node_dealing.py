"""Fillings of GPUs, dealt to nodes so that each node has what they need of it."""

from collections.abc import Sequence

import numpy as np

from packer.solver.movable_load import Bin, MovableLoad

Filling = tuple[Bin, list[int]]

MOST_EXCHANGES = 4
"""Exchanges between nodes that are made, and tried each time, to make room for one filling."""


def deal_to_nodes(load: MovableLoad, fillings: Sequence[Filling]) -> list[Filling]:
    """Put fillings on their GPUs or on equal ones of other nodes; those left that fit nowhere.

    Args:
        load: GPUs of the fillings are empty before; others may get each other's filling.
        fillings: GPUs with the items meant for them.
    """
    if not load.node_left and not load.limits:
        return [one for one in fillings if not load.put([one[0]], [one[1]])]
    alike: dict[tuple[int, tuple[int, ...]], list[Filling]] = {}
    for one, items in fillings:
        alike.setdefault((one.node_type, one.room), []).append((one, items))
    left = []
    for group in alike.values():
        for one, items in _neediest_first(load, group):
            if not (
                load.put([one], [items])
                or _put_by_exchange(load, one, items)
                or _put_by_making_room(load, one, items)
            ):
                left.append((one, items))
    return left


def _neediest_first(load: MovableLoad, group: Sequence[Filling]) -> list[Filling]:
    """The neediest filling to the node with most left, among GPUs with equal room."""
    bins = [one for one, _ in group]
    left = {one.node: np.array(load.node_left.get(one.node, [0])) for one in bins}
    needs = [np.array(load.node_need(items, one.node_type) or [0]) for one, items in group]
    dealt = []
    for k in sorted(range(len(group)), key=lambda k: -float(needs[k].sum())):
        items, need = group[k][1], needs[k]
        chances = [
            (-load.clashes(items, one.node), int((left[one.node] - need).min()), -one.gpu)
            for one in bins
        ]
        best = bins.pop(chances.index(max(chances)))
        left[best.node] -= need
        dealt.append((best, items))
    return dealt


def _put_by_exchange(load: MovableLoad, one: Bin, items: list[int]) -> bool:
    """Put items on an equal GPU elsewhere, whose own items come here."""
    return any(
        load.put([one, other], [other.items, items])
        for other in load.bins
        if other.items
        and other.node != one.node
        and other.node_type == one.node_type
        and other.room == one.room
    )


def _put_by_making_room(load: MovableLoad, one: Bin, items: list[int]) -> bool:
    """Put items on a GPU once fillings of its node were exchanged for less needy ones."""
    need = load.node_need(items, one.node_type)
    for _ in range(MOST_EXCHANGES):
        short = [a - b for a, b in zip(need, load.node_left.get(one.node, need), strict=True)]
        most = max(short, default=0)
        if most <= 0 or not _exchange(load, one, short.index(most), most):
            break
    return load.put([one], [items])


def _exchange(load: MovableLoad, one: Bin, e: int, short: int) -> bool:
    """Make the exchange that just frees what is short of a node's capacity, else the most."""
    full = [other for other in load.bins if other.items and other.node_type == one.node_type]
    need = {other.gpu: load.node_need(other.items, other.node_type)[e] for other in full}
    gains = [
        (gain, here, there)
        for here in full
        if here.node == one.node
        for there in full
        if there.node != one.node and there.room == here.room
        if 0 < (gain := need[here.gpu] - need[there.gpu]) <= load.node_left[there.node][e]
    ]
    gains.sort(key=lambda found: (found[0] < short, abs(found[0] - short)))
    return any(
        load.put([here, there], [there.items, here.items])
        for _, here, there in gains[:MOST_EXCHANGES]
    )
