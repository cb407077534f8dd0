"""Fillings of GPUs, dealt to nodes so that each node has what they need of it."""

from collections.abc import Sequence

import numpy as np

from packer.solver.movable_load import Bin, MovableLoad

Filling = tuple[Bin, list[int]]


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
            if not load.put([one], [items]) and not _put_by_exchange(load, one, items):
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
