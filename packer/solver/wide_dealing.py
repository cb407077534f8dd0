"""Replicas on several GPUs, dealt anew at random: another start for what fills the rest."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from packer.solver.columns import Columns
from packer.solver.instance import Alternative, Placed
from packer.solver.movable_load import Bin, MovableLoad, Vector

DEALS = 20
"""Deals of which the most even one is taken."""


def deal_wide(
    load: MovableLoad, bins: Sequence[Bin], columns: Columns, random: np.random.Generator
) -> bool:
    """Put the wide replicas on other GPUs, empty of all else; False where that did not work out.

    Args:
        load: Changed only where all of them found a place.
        bins: GPUs they may be on; those they are on are among them.
        columns: Which alternative may run on which node type.
        random: Of the order and of the nodes.
    """
    possible = _possible(columns)
    deals = [_deal(_Dealing(load, bins, possible), load, random) for _ in range(DEALS)]
    complete = [deal for deal in deals if deal is not None]
    if not complete:
        return False
    dealing, placed = min(complete, key=lambda deal: deal[0].unevenness())
    load.wide[:] = placed
    if load.node_left:
        load.node_left.update(dealing.node_left)
    for one in bins:
        one.room = dealing.room[one.gpu]
        one.has_fixed = one.room != dealing.without_wide[one.gpu] or one.gpu in dealing.fixed
    return True


def _possible(columns: Columns) -> set[tuple[int, int, int]]:
    rows = zip(columns.item, columns.alternative, columns.node_type, strict=True)
    return {(int(i), int(a), int(t)) for i, a, t in rows}


def _deal(
    dealing: "_Dealing", load: MovableLoad, random: np.random.Generator
) -> tuple["_Dealing", list[Placed]] | None:
    placed = []
    for k in _wide_first(load, random):
        found = dealing.place(load.wide[k], random)
        if found is None:
            return None
        placed.append(found)
    return dealing, placed


def _wide_first(load: MovableLoad, random: np.random.Generator) -> list[int]:
    chance = random.random(len(load.wide))
    return sorted(range(len(load.wide)), key=lambda k: (-len(load.wide[k].gpus), chance[k]))


class _Dealing:
    """Room of GPUs and nodes with no wide replica on them, then with more and more."""

    def __init__(
        self, load: MovableLoad, bins: Sequence[Bin], possible: set[tuple[int, int, int]]
    ) -> None:
        self._load, self._geometry, self._possible = load, load.geometry, possible
        self.room = {one.gpu: one.room for one in bins}
        self.node_left = {one.node: list(load.node_left.get(one.node, ())) for one in bins}
        wide_on = set()
        for wide in load.wide:
            alternative = self._alternative(wide)
            node = self._geometry.node_number(wide.node_type, wide.node)
            first = int(self._geometry.first_gpu[node])
            for gpu, share in zip(wide.gpus, alternative.shares, strict=True):
                self.room[first + gpu] = _plus(self.room[first + gpu], share, 1)
                wide_on.add(first + gpu)
            self._take(node, alternative, 1)
        self.fixed = {one.gpu for one in bins if one.has_fixed} - wide_on
        self.without_wide = dict(self.room)
        self._node_without_wide = {node: tuple(left) for node, left in self.node_left.items()}
        self._on_node: dict[int, list[int]] = {}
        for one in bins:
            self._on_node.setdefault(one.node, []).append(one.gpu)

    def unevenness(self) -> float:
        """Room that cannot be filled because something else runs out before, in GPUs."""
        lost = 0.0
        for gpu, room in self.room.items():
            parts = [a / max(1, b) for a, b in zip(room, self.without_wide[gpu], strict=True)]
            lost += parts[0] - min(parts)
        for node, gpus in self._on_node.items():
            free = sum(self.room[gpu][0] for gpu in gpus)
            part = free / max(1, sum(self.without_wide[gpu][0] for gpu in gpus))
            left = zip(self.node_left[node], self._node_without_wide[node], strict=True)
            lost += len(gpus) * max([0.0, *(part - a / max(1, b) for a, b in left)])
        return lost

    def _alternative(self, one: Placed) -> Alternative:
        instance = self._load.instance
        return instance.items[instance.item_index[one.item]].alternatives[one.alternative]

    def _take(self, node: int, alternative: Alternative, sign: int) -> None:
        if self.node_left[node]:
            self.node_left[node] = list(_plus(self.node_left[node], alternative.node, sign))

    def place(self, one: Placed, random: np.random.Generator) -> Placed | None:
        """Put a replica on the emptiest GPUs of a node chosen at random."""
        alternative = self._alternative(one)
        i = self._load.instance.item_index[one.item]
        nodes = sorted(self._on_node)
        for k in random.permutation(len(nodes)).tolist():
            node = nodes[k]
            t = int(self._geometry.node_type[node])
            if (i, one.alternative, t) not in self._possible or not self._node_can(
                node, alternative
            ):
                continue
            gpus = self._emptiest(node, alternative)
            if gpus is None:
                continue
            for gpu, share in zip(gpus, alternative.shares, strict=True):
                self.room[gpu] = _plus(self.room[gpu], share, -1)
            self._take(node, alternative, -1)
            indices = tuple(int(self._geometry.gpu_index[gpu]) for gpu in gpus)
            index = int(self._geometry.node_index[node])
            return replace(one, node_type=t, node=index, gpus=indices)
        return None

    def _node_can(self, node: int, alternative: Alternative) -> bool:
        left = self.node_left[node]
        return not left or all(a >= b for a, b in zip(left, alternative.node, strict=True))

    def _emptiest(self, node: int, alternative: Alternative) -> list[int] | None:
        """GPUs per share, of one link group where it asks for that."""
        gpus = self._on_node[node]
        if not alternative.one_link:
            return self._matched(gpus, alternative)
        links = sorted({int(self._geometry.gpu_link[gpu]) for gpu in gpus} - {-1})
        for link in links:
            found = self._matched(
                [gpu for gpu in gpus if self._geometry.gpu_link[gpu] == link], alternative
            )
            if found is not None:
                return found
        return None

    def _matched(self, gpus: Iterable[int], alternative: Alternative) -> list[int] | None:
        """The largest share to the GPU with most room, and so on."""
        shares = alternative.shares
        emptiest = sorted(gpus, key=lambda gpu: (_scarcest(self, gpu), gpu))[: len(shares)]
        order = sorted(range(len(shares)), key=lambda j: (-shares[j][0], j))
        if len(emptiest) < len(shares):
            return None
        chosen = dict(zip(order, sorted(emptiest, key=lambda g: -self.room[g][0]), strict=True))
        fits = all(
            a >= b
            for j, gpu in chosen.items()
            for a, b in zip(self.room[gpu], shares[j], strict=True)
        )
        return [chosen[j] for j in range(len(shares))] if fits else None


def _scarcest(dealing: _Dealing, gpu: int) -> float:
    """Largest share of a GPU's capacity, over all dimensions, that is taken already."""
    room, before = dealing.room[gpu], dealing.without_wide[gpu]
    return max((b - a) / max(1, b) for a, b in zip(room, before, strict=True))


def _plus(amounts: Sequence[int], more: Sequence[int], sign: int) -> Vector:
    return tuple(a + sign * b for a, b in zip(amounts, more, strict=True))
