"""Re-running a finite search: is nothing cheaper possible, or nothing at all? For small cases.

A model of its own, written from the format's rules: shares are counted per position and GPU, and
counts that no GPU exceeds can always be dealt out to replicas on distinct GPUs.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from ortools.sat.python import cp_model

from packer.solver.certificate_rules import Rules, needed, within
from packer.solver.interruptible import run_solver

Document = Mapping[str, Any]

EFFORT = 300.0
"""Deterministic time of the search; a longer one counts as not shown."""


def is_impossible(
    instance: Document, *, below: int | None, requirements: Sequence[str] | None
) -> bool:
    """Whether it is proven that no placement costs less than ``below``, or exists at all.

    Args:
        instance: The packing problem.
        below: Only placements cheaper than this count; None counts all.
        requirements: Only these must be met; None means all.
    """
    rules = Rules(instance, requirements)
    model = _Model(instance, rules)
    if below is not None:
        model.model.add(model.cost() <= below - 1)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 2
    solver.parameters.interleave_search = True
    solver.parameters.max_deterministic_time = EFFORT
    return bool(run_solver(solver, model.model) == cp_model.INFEASIBLE)


class _Model:
    """Booleans and counts of the search."""

    def __init__(self, instance: Document, rules: Rules) -> None:
        self.instance, self.rules = instance, rules
        self.model = cp_model.CpModel()
        self.types = instance["node_types"]
        self.used: dict[tuple[int, int, int], cp_model.IntVar] = {}
        self.node_used: dict[tuple[int, int], cp_model.IntVar] = {}
        self.shares: dict[tuple[int, int, int], list[tuple[Sequence[int], Any]]] = defaultdict(list)
        self.node_use: dict[tuple[int, int], list[tuple[Sequence[int], Any]]] = defaultdict(list)
        self.here: dict[str, dict[str, dict[Any, list[Any]]]] = {
            scope: defaultdict(lambda: defaultdict(list)) for scope in ("gpu", "node", "zone")
        }
        self.nodes = [
            (t, n)
            for t, one in enumerate(self.types)
            for n in range(one["count"])
            if n not in (one.get("unavailable") or ())
        ]
        self.zones = [
            [
                name
                for name, count in (one.get("zones") or {"z0": one["count"]}).items()
                for _ in range(count)
            ]
            for one in self.types
        ]
        for item in rules.items:
            self._place(item)
        self._capacities()
        self._spread()
        self._constraints()
        self._symmetry()

    def _place(self, item: Document) -> None:
        replicas = []
        spans = any(
            one["type"] == "affinity" and one["scope"] == "gpu" and one["items"][1] == item["name"]
            for one in self.rules.constraints
        )
        alternatives = item["alts"] if spans else needed(item["alts"])
        for alternative in alternatives:
            for t, n in self.nodes:
                for group in self._groups(alternative, t):
                    count = self._spot(item, alternative, t, n, group)
                    if count is not None:
                        replicas.append(count)
        least = item["count"] if self.rules.must(item) else 0
        self.model.add_linear_constraint(cp_model.LinearExpr.sum(replicas), least, item["count"])

    def _groups(self, alternative: Document, t: int) -> list[list[int]]:
        links = self.types[t].get("links")
        if alternative.get("one_link") and links and len(alternative["shares"]) > 1:
            return [list(group) for group in links]
        return [list(range(self.types[t]["gpus"]))]

    def _spot(
        self, item: Document, alternative: Document, t: int, n: int, group: Sequence[int]
    ) -> Any | None:
        allowed = self.rules.types(item, alternative)
        one, shares = self.types[t], alternative["shares"]
        if allowed is not None and one["gpu_type"] not in allowed:
            return None
        if len(group) < len(shares) or not within(alternative["node"], one["node_cap"]):
            return None
        name = item["name"]
        count = self.model.new_int_var(0, item["count"], "")
        on_gpu = defaultdict(list)
        for share, times in Counter(map(tuple, shares)).items():
            fitting = [g for g in group if within(share, self._capacity(t, g))]
            amounts = {g: self.model.new_int_var(0, item["count"], "") for g in fitting}
            self.model.add(cp_model.LinearExpr.sum(list(amounts.values())) == times * count)
            for g, amount in amounts.items():
                on_gpu[g].append(amount)
                self.shares[t, n, g].append((share, amount))
                self.here["gpu"][name][t, n, g].append(amount)
        for amounts_here in on_gpu.values():
            self.model.add(cp_model.LinearExpr.sum(amounts_here) <= count)
        self.node_use[t, n].append((alternative["node"], count))
        self.here["node"][name][t, n].append(count)
        self.here["zone"][name][self.zones[t][n]].append(count)
        return count

    def _capacity(self, t: int, gpu: int) -> Sequence[int]:
        caps = self.types[t].get("gpu_caps")
        chosen: Sequence[int] = caps[gpu] if caps else self.types[t]["gpu_cap"]
        return chosen

    def _capacities(self) -> None:
        for t, n in self.nodes:
            on = self.node_used[t, n] = self.model.new_bool_var("")
            for gpu in range(self.types[t]["gpus"]):
                used = self.used[t, n, gpu] = self.model.new_bool_var("")
                self.model.add_implication(used, on)
                placed = self.shares[t, n, gpu]
                for d, room in enumerate(self._capacity(t, gpu)):
                    load = sum(share[d] * amount for share, amount in placed)
                    self.model.add(load <= room * used)
                for share, amount in placed:
                    if not any(share):
                        self.model.add(amount == 0).only_enforce_if(used.negated())
            for e, room in enumerate(self.types[t]["node_cap"]):
                if any(need[e] for need, _ in self.node_use[t, n]):
                    self.model.add(sum(need[e] * c for need, c in self.node_use[t, n]) <= room)

    def _spread(self) -> None:
        for item in self.rules.items:
            for scope in ("gpu", "node", "zone"):
                most = self.rules.limit(item, scope)
                if most is None:
                    continue
                for amounts in self.here[scope][item["name"]].values():
                    self.model.add(cp_model.LinearExpr.sum(amounts) <= most)

    def _constraints(self) -> None:
        present: dict[tuple[str, str, Any], cp_model.IntVar] = {}
        for scope in ("gpu", "node", "zone"):
            for rule in self.rules.constraints:
                for name in rule["items"] if rule["scope"] == scope else ():
                    for unit, amounts in self.here[scope][name].items():
                        if (scope, name, unit) not in present:
                            present[scope, name, unit] = self._presence(amounts)
        for rule in self.rules.constraints:
            self._rule(rule, present)

    def _presence(self, amounts: Sequence[Any]) -> cp_model.IntVar:
        flag = self.model.new_bool_var("")
        total = cp_model.LinearExpr.sum(list(amounts))
        self.model.add(total >= 1).only_enforce_if(flag)
        self.model.add(total == 0).only_enforce_if(flag.negated())
        return flag

    def _rule(
        self, rule: Document, present: Mapping[tuple[str, str, Any], cp_model.IntVar]
    ) -> None:
        scope = rule["scope"]
        if rule["type"] == "affinity":
            first, second = rule["items"]
            for unit in list(self.here[scope][first]):
                partner = present.get((scope, second, unit))
                self.model.add(present[scope, first, unit] <= (0 if partner is None else partner))
            return
        units = {unit for name in rule["items"] for unit in self.here[scope][name]}
        for unit in units:
            names = [
                name for name in dict.fromkeys(rule["items"]) if (scope, name, unit) in present
            ]
            self.model.add_at_most_one([present[scope, name, unit] for name in names])

    def _symmetry(self) -> None:
        """Equal GPUs and equal nodes in order of use: any placement can be renumbered so."""
        for t, n in self.nodes:
            one = self.types[t]
            groups = one.get("links") or [range(one["gpus"])]
            for group in (
                groups if len({g for gs in groups for g in gs}) == sum(map(len, groups)) else ()
            ):
                for left, right in pairwise(group):
                    if list(self._capacity(t, left)) == list(self._capacity(t, right)):
                        self.model.add_implication(self.used[t, n, right], self.used[t, n, left])
        alike: dict[Any, list[tuple[int, int]]] = defaultdict(list)
        for t, n in self.nodes:
            alike[t, self.zones[t][n]].append((t, n))
        for same in alike.values():
            gpus = range(self.types[same[0][0]]["gpus"])
            used = [sum(self.used[t, n, g] for g in gpus) for t, n in same]
            for left, right in pairwise(used):
                self.model.add(left >= right)

    def cost(self) -> Any:
        """The objective."""
        kind = self.instance["objective"]
        if kind == "gpus":
            return sum(self.used.values())
        if kind == "gpu_price":
            return sum(self.types[t]["gpu_price"] * v for (t, _, _), v in self.used.items())
        return sum(self.types[t]["node_price"] * v for (t, _), v in self.node_used.items())
