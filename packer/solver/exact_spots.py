"""Where replicas can be put: the variables of the exact model, demand and capacities.

Equal replicas are counted, not named: ``u`` replicas of an alternative on a group of GPUs take
``s[share, gpu]`` shares, and any such counts with ``Σ_share s <= u`` per GPU can be dealt out to
replicas on distinct GPUs (König's edge colouring of a bipartite graph), so nothing is lost.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ortools.sat.python import cp_model

from packer.solver.fit import groups_for
from packer.solver.instance import Alternative, NodeType, Vector
from packer.solver.packing import Packing

Expression = cp_model.LinearExpr | int


@dataclass(frozen=True)
class Spot:
    """Replicas of one alternative on one group of GPUs of a node.

    Attributes:
        shares: Distinct shares with how often each occurs in one replica.
        counts: Per GPU number and position in ``shares``, the shares put there.
        replicas: How many replicas.
    """

    item: int
    alternative: int
    node: int
    shares: tuple[tuple[Vector, int], ...]
    counts: Mapping[tuple[int, int], cp_model.IntVar]
    replicas: Expression


class SpotModel:
    """Placements of ``demand`` onto ``gpus`` within every capacity, around what a packing holds."""

    def __init__(
        self,
        packing: Packing,
        demand: Mapping[int, int],
        gpus: Iterable[int],
        kept: Sequence[Sequence[int]] | None = None,
        optional: Collection[int] = (),
    ) -> None:
        self.packing, self.demand, self._alternatives = packing, demand, kept
        self._optional = frozenset(optional)
        self.geometry, self.instance = packing.geometry, packing.instance
        self.model = cp_model.CpModel()
        self.spots: list[Spot] = []
        self.used: dict[int, cp_model.IntVar] = {}
        self.node_used: dict[int, cp_model.IntVar] = {}
        self._nodes: dict[int, list[int]] = defaultdict(list)
        for gpu in sorted(gpus):
            if self.geometry.usable[self.geometry.gpu_node[gpu]]:
                self._nodes[int(self.geometry.gpu_node[gpu])].append(gpu)
        self._on_gpu: dict[int, list[tuple[int, Vector, cp_model.IntVar]]] = defaultdict(list)
        self._on_node: dict[int, list[Spot]] = defaultdict(list)
        self._kept_sets = self._current_sets()
        self._add_spots()
        self._add_demand()
        self._add_gpu_capacity()
        self._add_nodes()

    def _current_sets(self) -> Mapping[tuple[int, int, int], set[Vector]]:
        """GPU sets replicas run on now, by item, alternative and node number."""
        sets: dict[tuple[int, int, int], set[Vector]] = defaultdict(set)
        current = self.instance.current
        for one in () if current is None else current.placed:
            if len(one.gpus) > 1 and one.item in self.instance.item_index:
                node = self.geometry.node_number(one.node_type, one.node)
                first = int(self.geometry.first_gpu[node])
                key = self.instance.item_index[one.item], one.alternative, node
                sets[key].add(tuple(sorted(first + gpu for gpu in one.gpus)))
        return sets

    def _add_spots(self) -> None:
        for i in self.demand:
            alternatives = self.instance.items[i].alternatives
            kept = range(len(alternatives)) if self._alternatives is None else self._alternatives[i]
            for a in kept:
                alternative = alternatives[a]
                for node, gpus in self._nodes.items():
                    node_type = self.instance.node_types[int(self.geometry.node_type[node])]
                    if self._fits_node(alternative, node_type, node):
                        self._add_spots_on_node(i, a, node, gpus, node_type)

    def _fits_node(self, alternative: Alternative, node_type: NodeType, node: int) -> bool:
        allowed = alternative.gpu_types is None or node_type.gpu_type in alternative.gpu_types
        room = self.packing.node_free[node]
        return allowed and all(n <= r for n, r in zip(alternative.node, room, strict=True))

    def _add_spots_on_node(
        self, i: int, a: int, node: int, gpus: list[int], node_type: NodeType
    ) -> None:
        alternative = self.instance.items[i].alternatives[a]
        first = int(self.geometry.first_gpu[node])
        inside = set(gpus)
        groups = [
            tuple(first + gpu for gpu in group if first + gpu in inside)
            for group in groups_for(alternative, node_type)
        ]
        for kept in self._kept_sets.get((i, a, node), ()):
            if set(kept) <= inside and kept not in groups:
                groups.append(kept)
        for group in groups:
            self._add_spot(i, a, node, group)

    def _add_spot(self, i: int, a: int, node: int, group: Vector) -> None:
        alternative = self.instance.items[i].alternatives[a]
        shares = tuple(Counter(alternative.shares).items())
        most = self.demand[i]
        if most == 0 or len(group) < len(alternative.shares):
            return
        counts: dict[tuple[int, int], cp_model.IntVar] = {}
        for gpu in group:
            for position, (share, _) in enumerate(shares):
                copies = self._copies(share, gpu, most)
                if copies:
                    counts[gpu, position] = self.model.new_int_var(0, copies, "")
        if not all(any(p == position for _, p in counts) for position in range(len(shares))):
            return
        spot = self._spot(i, a, node, shares, counts, most)
        self.spots.append(spot)
        self._on_node[node].append(spot)
        for (gpu, position), variable in counts.items():
            self._on_gpu[gpu].append((i, shares[position][0], variable))

    def _copies(self, share: Vector, gpu: int, most: int) -> int:
        room = self.packing.free[gpu]
        return min([most] + [int(r) // s for r, s in zip(room, share, strict=True) if s])

    def _spot(
        self,
        i: int,
        a: int,
        node: int,
        shares: tuple[tuple[Vector, int], ...],
        counts: dict[tuple[int, int], cp_model.IntVar],
        most: int,
    ) -> Spot:
        if len(shares) == 1 and shares[0][1] == 1:
            total: Expression = cp_model.LinearExpr.sum(list(counts.values()))
            return Spot(i, a, node, shares, counts, total)
        replicas = self.model.new_int_var(0, most, "")
        for position, (_, times) in enumerate(shares):
            placed = [variable for (_, p), variable in counts.items() if p == position]
            self.model.add(cp_model.LinearExpr.sum(placed) == times * replicas)
        for gpu in {gpu for gpu, _ in counts}:
            here = [variable for (g, _), variable in counts.items() if g == gpu]
            self.model.add(cp_model.LinearExpr.sum(here) <= replicas)
        return Spot(i, a, node, shares, counts, replicas)

    def _add_demand(self) -> None:
        places: dict[int, list[Expression]] = defaultdict(list)
        for spot in self.spots:
            places[spot.item].append(spot.replicas)
        for i, count in self.demand.items():
            least = 0 if i in self._optional else count
            self.model.add_linear_constraint(cp_model.LinearExpr.sum(places[i]), least, count)

    def _add_gpu_capacity(self) -> None:
        for gpus in self._nodes.values():
            for gpu in gpus:
                self._add_capacity_of(gpu)

    def _add_capacity_of(self, gpu: int) -> None:
        here = self._on_gpu[gpu]
        sunk = bool(self.packing.gpu_replicas[gpu])
        used: cp_model.IntVar | int = 1
        if not sunk:
            used = self.used[gpu] = self.model.new_bool_var("")
        variables = [variable for _, _, variable in here]
        for d, room in enumerate(self.packing.free[gpu].tolist()):
            weights = [share[d] for _, share, _ in here]
            self.model.add(cp_model.LinearExpr.weighted_sum(variables, weights) <= room * used)
        for _, share, variable in here:
            if not sunk and not any(share):
                self.model.add(variable <= sum(self.demand.values()) * used)

    def _add_nodes(self) -> None:
        for node, gpus in self._nodes.items():
            spots = self._on_node[node]
            for e, room in enumerate(self.packing.node_free[node].tolist()):
                needs = [self._alternative(spot).node[e] for spot in spots]
                use = sum(need * spot.replicas for need, spot in zip(needs, spots, strict=True))
                if any(needs):
                    self.model.add(use <= room)
            if self.geometry.charges_nodes and not self.packing.node_replicas[node]:
                on = self.node_used[node] = self.model.new_bool_var("")
                for gpu in gpus:
                    self.model.add_implication(self.used[gpu], on)

    def _alternative(self, spot: Spot) -> Alternative:
        return self.instance.items[spot.item].alternatives[spot.alternative]
