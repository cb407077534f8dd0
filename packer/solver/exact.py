"""The exact model: every rule of the format as a CP-SAT program over some GPUs and replicas.

Equal replicas are counted, not named: ``u`` replicas of an alternative on a group of GPUs take
``s[share, gpu]`` shares, and any such counts with ``Σ_share s <= u`` per GPU can be dealt out to
replicas on distinct GPUs (König's edge colouring of a bipartite graph), so nothing is lost.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ortools.sat.python import cp_model

from packer.solver.fit import groups_for
from packer.solver.instance import Alternative, Item, NodeType, Placed, Rule, Scope, Vector
from packer.solver.packing import Packing
from packer.solver.share_dealing import deal_shares

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


class ExactModel:
    """Placements of ``demand`` onto ``gpus``, around what a packing already holds."""

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
        self._presence: dict[tuple[Scope, int, str], cp_model.IntVar] = {}
        self._kept_sets = self._current_sets()
        self._add_spots()
        self._add_demand()
        self._add_gpu_capacity()
        self._add_nodes()
        self._add_spread()
        self._add_constraints()

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

    def _add_spread(self) -> None:
        for i in self.demand:
            item = self.instance.items[i]
            for scope in Scope:
                most = item.most_per(scope)
                if most is None:
                    continue
                for unit, amounts in self._amounts(item, scope).items():
                    already = self.packing.inside[scope][unit][item.name]
                    self.model.add(cp_model.LinearExpr.sum(amounts) <= most - already)

    def _amounts(self, item: Item, scope: Scope) -> Mapping[int, list[Expression]]:
        """Replicas (shares, on GPUs) of an item in every unit of a scope."""
        i = self.instance.item_index[item.name]
        amounts: dict[int, list[Expression]] = defaultdict(list)
        if scope is Scope.GPU:
            for gpu, here in self._on_gpu.items():
                found = [variable for j, _, variable in here if j == i]
                if found:
                    amounts[gpu] = list(found)
            return amounts
        for spot in self.spots:
            if spot.item == i:
                node = spot.node
                unit = node if scope is Scope.NODE else int(self.geometry.node_zone[node])
                amounts[unit].append(spot.replicas)
        return amounts

    def _present(self, name: str, scope: Scope) -> Mapping[int, Expression]:
        """Whether an item is in a unit, for every unit it can be in or already is in."""
        i = self.instance.item_index[name]
        present: dict[int, Expression] = {}
        for unit, inside in self.packing.inside[scope].items():
            if inside[name] > 0:
                present[unit] = 1
        if i not in self.demand:
            return present
        for unit, amounts in self._amounts(self.instance.items[i], scope).items():
            if unit in present:
                continue
            key = scope, unit, name
            if key not in self._presence:
                variable = self._presence[key] = self.model.new_bool_var("")
                total = cp_model.LinearExpr.sum(amounts)
                shares = max(len(one.shares) for one in self.instance.items[i].alternatives)
                self.model.add(total <= self.demand[i] * shares * variable)
                self.model.add(total >= variable)
            present[unit] = self._presence[key]
        return present

    def _add_constraints(self) -> None:
        for constraint in self.instance.constraints:
            presences = {
                name: self._present(name, constraint.scope)
                for name in dict.fromkeys(constraint.items)
            }
            if constraint.rule is Rule.ANTI_AFFINITY:
                self._keep_apart(list(presences.values()))
            else:
                first, second = constraint.items
                for unit, present in presences[first].items():
                    self.model.add(present <= presences[second].get(unit, 0))

    def _keep_apart(self, presences: list[Mapping[int, Expression]]) -> None:
        for unit in {unit for present in presences for unit in present}:
            here = [present[unit] for present in presences if unit in present]
            if len(here) > 1:
                self.model.add(sum(here) <= 1)

    def cost(self) -> Expression:
        """What the GPUs and nodes newly used cost."""
        terms = [
            int(self.geometry.gpu_cost[gpu]) * variable
            for gpu, variable in self.used.items()
            if self.geometry.gpu_cost[gpu]
        ]
        terms += [
            int(self.geometry.node_cost[node]) * variable
            for node, variable in self.node_used.items()
            if self.geometry.node_cost[node]
        ]
        return sum(terms) if terms else 0

    def penalty(self) -> Expression:
        """Summed penalties of the alternatives chosen."""
        terms = [
            self._alternative(spot).penalty * spot.replicas
            for spot in self.spots
            if self._alternative(spot).penalty
        ]
        return sum(terms) if terms else 0

    def kept(self) -> Mapping[tuple[str, int, int, int, Vector], cp_model.IntVar]:
        """Replicas kept where and as they run now, per place."""
        current = self.instance.current
        now = Counter(one.key for one in (() if current is None else current.placed))
        for one in self.packing.placed:
            now[one.key] -= 1
        found: dict[tuple[str, int, int, int, Vector], cp_model.IntVar] = {}
        spots = self._spots_by_key()
        for key, count in now.items():
            amount = spots.get(key)
            if count > 0 and amount is not None:
                variable = self.model.new_int_var(0, count, "")
                self.model.add(variable <= amount)
                found[key] = variable
        return found

    def _spots_by_key(self) -> Mapping[tuple[str, int, int, int, Vector], Expression]:
        found: dict[tuple[str, int, int, int, Vector], Expression] = {}
        for spot in self.spots:
            item = self.instance.items[spot.item]
            node_type = int(self.geometry.node_type[spot.node])
            node = int(self.geometry.node_index[spot.node])
            first = int(self.geometry.first_gpu[spot.node])
            width = len(item.alternatives[spot.alternative].shares)
            gpus = sorted({gpu for gpu, _ in spot.counts})
            if width == 1:
                for (gpu, _), variable in spot.counts.items():
                    found[item.name, spot.alternative, node_type, node, (gpu - first,)] = variable
            elif len(gpus) == width:
                key = tuple(gpu - first for gpu in gpus)
                found[item.name, spot.alternative, node_type, node, key] = spot.replicas
        return found

    def peak(self, scale: int = 1000) -> cp_model.IntVar:
        """Fullest GPU in thousandths of its dimension 0, to be made as small as can be."""
        peak = self.model.new_int_var(0, scale, "")
        for gpu, here in self._on_gpu.items():
            capacity = int(self.geometry.gpu_capacity[gpu, 0])
            taken = capacity - int(self.packing.free[gpu, 0])
            if capacity:
                load = cp_model.LinearExpr.weighted_sum(
                    [variable for _, _, variable in here], [share[0] for _, share, _ in here]
                )
                self.model.add(scale * (load + taken) <= capacity * peak)
        return peak

    def break_symmetry(self) -> None:
        """Order equal GPUs of a node, and equal nodes, by whether they are used.

        Right for the objective, which does not know where things run now.
        """
        if self.packing.node_replicas.any():
            return
        for gpus in self._nodes.values():
            classes: dict[tuple[int, ...], list[int]] = defaultdict(list)
            for gpu in gpus:
                capacity = tuple(self.geometry.gpu_capacity[gpu].tolist())
                classes[(int(self.geometry.gpu_link[gpu]), *capacity)].append(gpu)
            for same in classes.values():
                self._order([self.used[gpu] for gpu in same])
        alike: dict[tuple[int, int], list[int]] = defaultdict(list)
        for node in self._nodes:
            alike[int(self.geometry.node_type[node]), int(self.geometry.node_zone[node])].append(
                node
            )
        for nodes in alike.values():
            used = [sum(self.used[gpu] for gpu in self._nodes[node]) for node in nodes]
            self._order(used)

    def _order(self, used: Sequence[Expression]) -> None:
        for left, right in pairwise(used):
            self.model.add(left >= right)

    def load(self, gpu: int) -> Expression:
        """What the model puts on a GPU, in dimension 0."""
        here = self._on_gpu[gpu]
        return cp_model.LinearExpr.weighted_sum(
            [variable for _, _, variable in here], [share[0] for _, share, _ in here]
        )

    def hint(self, placed: Iterable[Placed]) -> None:
        """Start the search from known placements of this model's replicas."""
        amounts: Counter[tuple[int, int, int, int, Vector]] = Counter()
        gpus_used, nodes_used = set(), set()
        for one in placed:
            i = self.instance.item_index[one.item]
            node = self.geometry.node_number(one.node_type, one.node)
            first = int(self.geometry.first_gpu[node])
            shares = self.instance.items[i].alternatives[one.alternative].shares
            for gpu, share in zip(one.gpus, shares, strict=True):
                amounts[i, one.alternative, node, first + gpu, share] += 1
                gpus_used.add(first + gpu)
            nodes_used.add(node)
        # One variable may stand for a GPU and its node; two hints of one make the model invalid.
        hints: dict[int, int] = {}
        for spot in self.spots:
            self._hint_spot(spot, amounts, hints)
        for gpu, variable in self.used.items():
            hints[variable.index] = gpu in gpus_used
        for node, variable in self.node_used.items():
            hints[variable.index] = node in nodes_used
        for index, value in hints.items():
            self.model.add_hint(self.model.get_int_var_from_proto_index(index), value)

    def _hint_spot(
        self,
        spot: Spot,
        amounts: Counter[tuple[int, int, int, int, Vector]],
        hints: dict[int, int],
    ) -> None:
        """Hint one spot; what it takes is not offered to the next spot of the same node."""
        total = 0
        for (gpu, position), variable in spot.counts.items():
            key = (spot.item, spot.alternative, spot.node, gpu, spot.shares[position][0])
            hints[variable.index] = amounts[key]
            total += amounts.pop(key, 0)
        if isinstance(spot.replicas, cp_model.IntVar):
            width = sum(times for _, times in spot.shares)
            hints[spot.replicas.index] = total // width

    def read(self, value: "cp_model.CpSolver") -> list[Placed]:
        """Placements of a solution."""
        placed = []
        for spot in self.spots:
            replicas = int(value.value(spot.replicas))
            if not replicas:
                continue
            counts = {key: int(value.value(variable)) for key, variable in spot.counts.items()}
            alternative = self._alternative(spot)
            for gpus in deal_shares(alternative.shares, spot.shares, counts, replicas):
                first = int(self.geometry.first_gpu[spot.node])
                placed.append(
                    Placed(
                        self.instance.items[spot.item].name,
                        spot.alternative,
                        int(self.geometry.node_type[spot.node]),
                        int(self.geometry.node_index[spot.node]),
                        tuple(gpu - first for gpu in gpus),
                    )
                )
        return placed

    def size(self) -> int:
        """Variables in the model."""
        return len(self.model.proto.variables)
