"""The GPUs of one type, filled one after the other from one pool of single-GPU columns."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from packer.solver.fill_style import FillState
from packer.solver.instance import Placed
from packer.solver.subset_sum import fullest_subset, layered_sums

Integers = NDArray[np.int64]

MOST_LAYERS = 32
"""Steps of a second capacity while a GPU is completed; small capacities are tracked exactly."""


class CardFilling:
    """The GPUs of one type, filled one after the other from one pool of single-GPU columns."""

    def __init__(
        self,
        state: FillState,
        t: int,
        pool: Integers,
        elsewhere: NDArray[np.bool_],
        later: Sequence[int],
    ) -> None:
        self.state, self.t = state, t
        columns, types = state.columns, state.packing.instance.node_types
        order = np.argsort(-columns.shares[pool, 0, 0], kind="stable")
        self.pool = pool[order]
        self.item = columns.item[self.pool]
        self.share = columns.shares[self.pool, 0]
        self.node = columns.node[self.pool]
        self.size = self.share[:, 0]
        self.elsewhere = elsewhere[self.item]
        # What stays behind must fit the tightest of the types filled later.
        capacity = np.array([types[one].gpu_cap for one in (t, *later)], dtype=float)
        tightest = (capacity[:, :1] / np.maximum(capacity, 1)).max(axis=0)
        self.future = self.share * tightest
        self.placed: Counter[int] = Counter()

    def fill(self, node: int, gpu: int) -> bool:
        """Fill one GPU; False where nothing is left to place."""
        state, packing = self.state, self.state.packing
        room = packing.free[gpu]
        fits = (state.left[self.item] > 0) & (self.share <= room).all(axis=1)
        if self.node.shape[1]:
            fits &= (self.node <= packing.node_free[node]).all(axis=1)
        candidates = np.flatnonzero(fits)
        if not len(candidates):
            return bool((state.left[self.item] > 0).any())
        candidates = self._welcome(candidates, node, gpu)
        if not len(candidates):
            return True
        forced = self._forced(candidates, node)
        self._place(forced, node, gpu)
        room = packing.free[gpu]
        candidates = candidates[
            (state.left[self.item[candidates]] > 0) & (self.share[candidates] <= room).all(axis=1)
        ]
        if len(candidates):
            self._complete(candidates, node, gpu)
        return True

    def _complete(self, candidates: Integers, node: int, gpu: int) -> None:
        """Add the fullest subset of a sample."""
        room = self.state.packing.free[gpu]
        scarce = self._scarce_dimension(candidates)
        offered = np.array(self._offer(candidates, scarce), dtype=np.int64)
        if scarce is None:
            sizes = self.size[offered].tolist()
            chosen = fullest_subset(sizes, int(room[0]), self.state.style.finest)
            over = (self.share[offered[chosen]].sum(axis=0) > room).nonzero()[0]
            scarce = int(over[0]) if len(over) else None
        if scarce is not None:
            chosen = self._layered(offered, room, scarce)
        self._place(offered[chosen].tolist(), node, gpu)

    def _layered(self, offered: Integers, room: Integers, scarce: int) -> list[int]:
        """The fullest subset that also keeps the other capacities, rich in the scarce one."""
        style = self.state.style
        layers = max(1, min(int(room[scarce]), MOST_LAYERS))
        steps = np.rint(self.share[offered, scarce] * (layers / max(1, room[scarce])))
        sums = layered_sums(
            self.size[offered].tolist(),
            steps.astype(int).tolist(),
            int(room[0]),
            layers,
            style.finest,
        )
        chosen: list[int] = []
        for tolerance in (style.tolerance, 0.02, 0.2):
            for chosen in sums.subsets(tolerance):
                if (self.share[offered[chosen]].sum(axis=0) <= room).all():
                    return chosen
        return chosen

    def _scarce_dimension(self, candidates: Integers) -> int | None:
        """The dimension that would run short first where the rest must go; None if none does."""
        weights = self.future[candidates] * self.state.left[self.item[candidates]][:, None]
        scarce = weights.sum(axis=0) / max(1e-12, weights[:, 0].sum())
        dim = int(scarce.argmax())
        return dim if scarce[dim] > self.state.style.balance_from and dim else None

    def _welcome(self, candidates: Integers, node: int, gpu: int) -> Integers:
        """Candidates no rule keeps off this GPU."""
        ruled = self.state.watched[self.item[candidates]]
        if not ruled.any():
            return candidates
        fine: NDArray[np.bool_] = ~ruled
        for position in np.flatnonzero(ruled):
            fine[position] = self.state.allows(int(self.item[candidates[position]]), node, gpu)
        return np.asarray(candidates[fine])

    def _forced(self, candidates: Integers, node: int) -> list[int]:
        """The largest replica that must go to this type, and those that need every node left."""
        state, t = self.state, self.t
        geometry, instance = state.packing.geometry, state.packing.instance
        nodes = instance.node_types[t].count
        ahead = geometry.first_node[t] + nodes - node
        must = candidates[~self.elsewhere[candidates]]
        forced = [int((must if len(must) else candidates)[0])]
        for c in candidates[state.watched[self.item[candidates]]].tolist():
            i = int(self.item[c])
            most = instance.items[i].max_per_node
            if most is None or c in forced:
                continue
            if state.style.spread_out:
                ahead = nodes - self.placed[i] // most
            if state.left[i] >= most * ahead * state.style.urgent_from:
                forced.insert(0, c)
        return forced

    def _offer(self, candidates: Integers, scarce: int | None) -> list[int]:
        """Replicas for one GPU, the ones to be preferred first."""
        style = self.state.style
        must = candidates[~self.elsewhere[candidates]]
        if scarce is None:
            large = (must if len(must) else candidates)[: style.largest]
        else:
            density = self.future[candidates, scarce] / np.maximum(self.future[candidates, 0], 1e-9)
            large = candidates[np.argsort(-density, kind="stable")][: style.largest]
        rest = candidates[
            [self.state.random.randrange(len(candidates)) for _ in range(style.sample)]
        ]
        rest = np.sort(rest)
        return self._copies(np.concatenate([large, rest]))

    def _copies(self, columns: Integers) -> list[int]:
        """Columns, each as often as it is named and its item has replicas left."""
        used: Counter[int] = Counter()
        offered: list[int] = []
        for c in columns.tolist():
            i = int(self.item[c])
            if used[i] < self.state.left[i]:
                used[i] += 1
                offered.append(c)
        return offered

    def _place(self, chosen: list[int], node: int, gpu: int) -> None:
        state, packing = self.state, self.state.packing
        geometry = packing.geometry
        index = int(geometry.gpu_index[gpu])
        for c in chosen:
            i = int(self.item[c])
            room = (self.share[c] <= packing.free[gpu]).all()
            if not room or (self.node[c] > packing.node_free[node]).any():
                continue
            if not state.left[i] or not state.allows(i, node, gpu):
                continue
            packing.place(
                Placed(
                    packing.instance.items[i].name,
                    int(state.columns.alternative[self.pool[c]]),
                    self.t,
                    int(geometry.node_index[node]),
                    (index,),
                )
            )
            state.left[i] -= 1
            self.placed[i] += 1
