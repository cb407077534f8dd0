"""Rules of the exact model: spread limits, anti-affinity and affinity at every scope."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from ortools.sat.python import cp_model

from packer.solver.exact_spots import Expression, SpotModel
from packer.solver.instance import Item, Rule, Scope
from packer.solver.packing import Packing


class RuledModel(SpotModel):
    """Placements that also keep the rules of the instance."""

    def __init__(
        self,
        packing: Packing,
        demand: Mapping[int, int],
        gpus: Iterable[int],
        kept: Sequence[Sequence[int]] | None = None,
        optional: Collection[int] = (),
    ) -> None:
        super().__init__(packing, demand, gpus, kept, optional)
        self._presence: dict[tuple[Scope, int, str], cp_model.IntVar] = {}
        self._add_spread()
        self._add_constraints()

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
