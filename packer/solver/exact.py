"""The exact model as a CP-SAT program: what it minimises, and how it meets placements."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from ortools.sat.python import cp_model

from packer.solver.exact_rules import RuledModel
from packer.solver.exact_spots import Expression, Spot
from packer.solver.instance import Placed, Vector
from packer.solver.share_dealing import deal_shares


class ExactModel(RuledModel):
    """Every rule of the format over some GPUs and replicas, with the levels that are minimised."""

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
