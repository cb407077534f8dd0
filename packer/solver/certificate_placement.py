"""Counting what placements cost, refusing any that break a rule. Part of the independent judge."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Document = Mapping[str, Any]


def count_objective(instance: Document, placed: Sequence[Document]) -> int:
    """The objective of placements, counted. Exact.

    Raises:
        ValueError: A rule of the format is broken.
    """
    count = _Count(instance)
    for one in placed:
        count.add(one)
    count.check_demand()
    count.check_capacity()
    count.check_spread()
    count.check_constraints()
    return count.objective()


class _Count:
    def __init__(self, instance: Document) -> None:
        self.instance = instance
        self.types = instance["node_types"]
        self.items = {item["name"]: item for item in instance["items"]}
        self.zones = [_zone_names(one) for one in self.types]
        self.gpu_load: dict[tuple[int, int, int], Counter[int]] = defaultdict(Counter)
        self.node_load: dict[tuple[int, int], Counter[int]] = defaultdict(Counter)
        self.placed: Counter[str] = Counter()
        self.per: dict[str, Counter[tuple[Any, str]]] = {
            scope: Counter() for scope in ("gpu", "node", "zone")
        }

    def add(self, one: Document) -> None:
        item = self.items[one["item"]]
        t, n = one["node"]
        node_type = self.types[t]
        gpus = one["gpus"]
        _need(all(type(v) is int and v >= 0 for v in (one["alt"], t, n, *gpus)), "index", one)
        alternative = item["alts"][one["alt"]]
        _need(n < node_type["count"], "no such node", one)
        _need(n not in (node_type.get("unavailable") or ()), "node is unavailable", one)
        _need(len(gpus) == len(set(gpus)) == len(alternative["shares"]), "distinct GPUs", one)
        _need(all(g < node_type["gpus"] for g in gpus), "no such GPU", one)
        allowed = alternative.get("gpu_types")
        _need(not allowed or node_type["gpu_type"] in allowed, "GPU type refused", one)
        links = node_type.get("links")
        if alternative.get("one_link") and links and len(gpus) > 1:
            _need(any(set(gpus) <= set(group) for group in links), "not within one link", one)
        self._take(one["item"], alternative, t, n, gpus)

    def _take(self, name: str, alternative: Document, t: int, n: int, gpus: Sequence[int]) -> None:
        for gpu, share in zip(gpus, alternative["shares"], strict=True):
            for d, amount in enumerate(share):
                self.gpu_load[t, n, gpu][d] += amount
            self.per["gpu"][(t, n, gpu), name] += 1
        for e, amount in enumerate(alternative["node"]):
            self.node_load[t, n][e] += amount
        self.node_load[t, n][-1] += 1
        self.placed[name] += 1
        self.per["node"][(t, n), name] += 1
        self.per["zone"][self.zones[t][n], name] += 1

    def check_demand(self) -> None:
        for name, item in self.items.items():
            _need(self.placed[name] == item["count"], "wrong number of replicas of", name)

    def check_capacity(self) -> None:
        for (t, _, gpu), load in self.gpu_load.items():
            caps = self.types[t].get("gpu_caps")
            capacity = caps[gpu] if caps else self.types[t]["gpu_cap"]
            _need(all(load[d] <= room for d, room in enumerate(capacity)), "GPU over capacity", t)
        for (t, _), load in self.node_load.items():
            capacity = self.types[t]["node_cap"]
            _need(all(load[e] <= room for e, room in enumerate(capacity)), "node over capacity", t)

    def check_spread(self) -> None:
        for scope, counts in self.per.items():
            for (_, name), count in counts.items():
                most = self.items[name].get(f"max_per_{scope}")
                _need(most is None or count <= most, "too many per", scope, name)

    def check_constraints(self) -> None:
        for rule in self.instance["constraints"]:
            inside: dict[Any, set[str]] = defaultdict(set)
            for unit, name in self.per[rule["scope"]]:
                inside[unit].add(name)
            for names in inside.values():
                if rule["type"] == "anti_affinity":
                    _need(len(names & set(rule["items"])) <= 1, "anti-affinity broken")
                else:
                    first, second = rule["items"]
                    _need(first not in names or second in names, "affinity broken")

    def objective(self) -> int:
        kind = self.instance["objective"]
        if kind == "gpus":
            return len(self.gpu_load)
        if kind == "gpu_price":
            return sum(self.types[t]["gpu_price"] for t, _, _ in self.gpu_load)
        _need(kind == "node_price", "unknown objective", kind)
        return sum(self.types[t]["node_price"] for t, _ in self.node_load)


def _zone_names(node_type: Document) -> list[str]:
    zones = node_type.get("zones") or {"z0": node_type["count"]}
    return [name for name, count in zones.items() for _ in range(count)]


def _need(holds: bool, *what: object) -> None:
    if not holds:
        raise ValueError(" ".join(map(str, _shown(what))))


def _shown(what: Iterable[object]) -> Iterable[object]:
    return (dict(one) if isinstance(one, Mapping) else one for one in what)
