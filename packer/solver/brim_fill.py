"""One GPU less where hardly any room may be wasted: all others are filled to the brim.

Where the replicas nearly fill the GPUs that the bound allows, slack cannot be gathered any more:
every GPU has to be filled to the last MiB. GPUs that are full are kept; a few of them are
emptied with those that are not, and filled again by exact sums of few large pieces, while small
ones are saved for the last GPUs, where subset sums over many of them find a way. Other capacities
are used up evenly. Taken is what leaves no more GPUs open than before.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from packer.solver.columns import Columns
from packer.solver.movable_load import Bin, MovableLoad, Way
from packer.solver.node_dealing import deal_to_nodes
from packer.solver.piece_dealing import NEVER, PieceDealing, Taste
from packer.solver.wide_dealing import deal_wide

MOST_WASTE = 0.01
"""Share of the room above which slack is better gathered."""
TIGHT = 0.001
"""Share of the room below which nothing but filling to the brim helps."""
MOST_BINS = 200
MOST_PIECES = 900
"""Sizes up to which all pairs of pieces are looked at."""
STEPS_PER_START = 1_000
"""Steps after which the wide replicas are dealt anew."""
FEWEST, MOST = 2, 6
"""Full GPUs emptied at once; more are seldom all filled again."""


@dataclass(frozen=True)
class _State:
    """GPUs that are not filled yet, and the items that are on none."""

    open: list[Bin]
    loose: list[int]


class BrimFill:
    """Empties one GPU of a packing by wasting nothing on the others."""

    def __init__(self, load: MovableLoad, columns: Columns, seed: int) -> None:
        self._load, self._columns = load, columns
        self._random = np.random.default_rng(seed)
        items = range(len(load.instance.items))
        types = {one.node_type for one in load.bins}
        never = Way(0, (NEVER,) * load.dims, (0,) * load.node_dims)
        ways = {t: [load.ways.get((i, t), never) for i in items] for t in types}
        self._shares = {t: np.array([way.share for way in ways[t]]) for t in types}
        # What pieces take of all that is not to be filled up but used evenly.
        self._needs = {t: np.array([way.share[1:] + way.node for way in ways[t]]) for t in types}
        self._room = self._waste = 0

    def applies(self) -> bool:
        """Whether some GPU can be spared at all, and the problem is small enough."""
        pieces = sum(len(one.items) for one in self._load.bins)
        if not 2 <= len(self._load.bins) <= MOST_BINS or pieces > MOST_PIECES:
            return False
        return self._spared() is not None and self._waste <= MOST_WASTE * self._room

    def is_tight(self) -> bool:
        """Whether next to nothing may be wasted; once it is known to apply."""
        return self._waste <= TIGHT * self._room

    def _spared(self) -> Bin | None:
        """The dearest GPU, then the smallest, without which the rest still has room enough."""
        bins = self._load.bins
        room = sum(one.room[0] for one in bins)
        least = np.min(np.stack([shares[:, 0] for shares in self._shares.values()]), axis=0)
        need = sum(int(least[i]) for one in bins for i in one.items)
        candidates = [
            one for one in bins if not one.has_fixed and room - one.room[0] >= need and one.cost
        ]
        spared = min(candidates, key=lambda one: (-one.cost, one.room[0], one.gpu), default=None)
        if spared is not None:
            self._room = room - spared.room[0]
            self._waste = self._room - need
        return spared

    def run(self, most_steps: int, may_go_on: Callable[[], bool]) -> bool:
        """Try to empty a GPU; whether it was done. Otherwise the load is as it was."""
        spared = self._spared()
        if spared is None:
            return False
        load = self._load
        before = [(one, one.items, one.room, one.has_fixed) for one in load.bins]
        wide = list(load.wide)
        others = [one for one in load.bins if one is not spared]
        pieces = [i for one in load.bins for i in one.items]
        self._empty(load.bins)
        node_left = {node: list(left) for node, left in load.node_left.items()}
        for start in range(0, most_steps, STEPS_PER_START):
            if load.wide:
                deal_wide(load, others, self._columns, self._random)
            if self._fill_all(pieces, others, min(STEPS_PER_START, most_steps - start), may_go_on):
                load.bins.remove(spared)
                return True
            self._empty(load.bins)
            if not may_go_on():
                break
        load.wide[:] = wide
        load.node_left.update(node_left)
        for one, items, room, has_fixed in before:
            one.room, one.has_fixed = room, has_fixed
            load.put([one], [items])
        return False

    def _empty(self, bins: Sequence[Bin]) -> None:
        for one in bins:
            self._load.put([one], [[]])

    def _fill_all(
        self, pieces: Sequence[int], bins: Sequence[Bin], steps: int, may_go_on: Callable[[], bool]
    ) -> bool:
        state = self._attempt(pieces, bins, len(bins))
        for _ in range(steps):
            if not state.open or not may_go_on():
                break
            state = self._step(state)
        return not state.open and not state.loose

    def _step(self, state: _State) -> _State:
        """Empty some full GPUs, mostly those of many pieces, and fill again what is open."""
        random, load = self._random, self._load
        before = {one.gpu: one.items for one in load.bins}
        filled = [one for one in load.bins if one.items]
        pieces_of = np.array([len(one.items) for one in filled])
        count = min(len(filled), int(random.integers(FEWEST, MOST + 1)))
        # Many small pieces have many exact sums.
        chance = pieces_of**2 / max(1, (pieces_of**2).sum())
        chosen = random.choice(len(filled), count, False, chance).tolist() if count else []
        emptied = [filled[k] for k in chosen]
        pieces = state.loose + [i for one in emptied for i in one.items]
        self._empty(emptied)
        tried = self._attempt(pieces, state.open + emptied, len(state.open))
        if self._is_no_worse(tried, state):
            return tried
        # A GPU that nothing happened to still has the very same list.
        changed = [one for one in load.bins if one.items is not before[one.gpu]]
        self._empty(changed)
        for one in changed:
            load.put([one], [before[one.gpu]])
        return state

    def _is_no_worse(self, tried: _State, state: _State) -> bool:
        """Fewer GPUs open, or as many with a better chance, or now and then any."""
        if len(tried.open) != len(state.open):
            return len(tried.open) < len(state.open)
        if self._random.random() < 0.2:
            return True
        return self._tension(tried) <= max(1.0, self._tension(state))

    def _tension(self, state: _State) -> float:
        """What the loose pieces need of the scarcest capacity, as a part of what is open."""
        load = self._load
        if not state.open:
            return 0.0
        need = (
            np.min(np.stack(list(self._needs.values())), axis=0)[state.loose].sum(axis=0).tolist()
        )
        rooms = np.sum([one.room[1:] for one in state.open], axis=0).tolist()
        nodes = {one.node for one in state.open}
        rooms += [sum(load.node_left[n][e] for n in nodes) for e in range(load.node_dims)]
        return max((a / max(1, b) for a, b in zip(need, rooms, strict=True)), default=0.0)

    def _attempt(self, pieces: Sequence[int], bins: Sequence[Bin], most_open: int) -> _State:
        """Fill open GPUs one after another, the narrow ones first; those that do not fill stay."""
        random = self._random
        deal = PieceDealing(self._shares, self._needs, np.array(pieces, dtype=np.int64), random)
        taste = Taste(*random.choice([0.1, 0.2, 0.4, 0.8], 2).tolist())
        left = [bins[k] for k in random.permutation(len(bins)).tolist()]
        left.sort(key=lambda one: not one.has_fixed)
        waste = self._waste - sum(one.slack for one in self._load.bins if one.items)
        unfilled: list[Bin] = []
        fillings: list[tuple[Bin, list[int]]] = []
        while left and len(unfilled) <= most_open:
            one = left.pop(0)
            chosen = deal.best(one, [*left, *unfilled], waste, taste)
            if chosen is None:
                unfilled.append(one)
                continue
            waste -= one.room[0] - deal.take(one, chosen)
            fillings.append((one, [pieces[k] for k in chosen]))
        undealt = deal_to_nodes(self._load, fillings)
        loose = [pieces[k] for k in deal.loose()] + [i for _, items in undealt for i in items]
        return _State([*unfilled, *left, *(one for one, _ in undealt)], loose)
