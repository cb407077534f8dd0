"""The optimum of a tiny packing instance by trying everything, written from the format alone."""

from collections.abc import Iterator
from itertools import permutations
from typing import Any

Document = dict[str, Any]
Option = tuple[int, int, int, tuple[int, ...]]  # alternative, node type, node, GPUs


def optimum(instance: Document) -> int | None:
    """Least objective over all placements; None if there is none."""
    replicas = [item for item in instance["items"] for _ in range(item["count"])]
    best: int | None = None
    for chosen in _placements(instance, replicas, []):
        if _rules_hold(instance, replicas, chosen):
            cost = _cost(instance, chosen)
            best = cost if best is None else min(best, cost)
    return best


def _is_option(instance: Document, item: Document, option: Option) -> bool:
    a, t, n, gpus = option
    alternative, node_type = item["alts"][a], instance["node_types"][t]
    links = node_type.get("links") if alternative["one_link"] and len(gpus) > 1 else None
    return (
        (not alternative["gpu_types"] or node_type["gpu_type"] in alternative["gpu_types"])
        and n in range(node_type["count"])
        and n not in node_type.get("unavailable", [])
        and len(gpus) == len(set(gpus)) == len(alternative["shares"])
        and all(gpu in range(node_type["gpus"]) for gpu in gpus)
        and (not links or any(set(gpus) <= set(link) for link in links))
    )


def _options(instance: Document, item: Document) -> list[Option]:
    found = []
    for a, alternative in enumerate(item["alts"]):
        for t, node_type in enumerate(instance["node_types"]):
            if alternative["gpu_types"] and node_type["gpu_type"] not in alternative["gpu_types"]:
                continue
            found += [
                (a, t, n, gpus)
                for n in range(node_type["count"])
                if n not in node_type.get("unavailable", [])
                for gpus in permutations(range(node_type["gpus"]), len(alternative["shares"]))
                if _links_hold(alternative, node_type, gpus)
            ]
    return found


def _links_hold(alternative: Document, node_type: Document, gpus: tuple[int, ...]) -> bool:
    links = node_type.get("links")
    if not alternative["one_link"] or not links or len(gpus) == 1:
        return True
    return any(set(gpus) <= set(link) for link in links)


def _placements(
    instance: Document, replicas: list[Document], chosen: list[Option]
) -> Iterator[list[Option]]:
    if len(chosen) == len(replicas):
        yield chosen
        return
    item = replicas[len(chosen)]
    for option in _options(instance, item):
        # Equal replicas in rising order: their names do not matter.
        if chosen and replicas[len(chosen) - 1] is item and option < chosen[-1]:
            continue
        longer = [*chosen, option]
        if _fits(instance, replicas, longer):
            yield from _placements(instance, replicas, longer)


def _fits(instance: Document, replicas: list[Document], chosen: list[Option]) -> bool:
    _, t, n, gpus = chosen[-1]
    node_type = instance["node_types"][t]
    node = [0] * len(instance["node_dims"])
    load = {gpu: [0] * len(instance["dims"]) for gpu in gpus}
    for item, (a, t2, n2, gpus2) in zip(replicas, chosen, strict=False):
        if (t2, n2) != (t, n):
            continue
        alternative = item["alts"][a]
        node = [x + y for x, y in zip(node, alternative["node"], strict=True)]
        for gpu, share in zip(gpus2, alternative["shares"], strict=True):
            if gpu in load:
                load[gpu] = [x + y for x, y in zip(load[gpu], share, strict=True)]
    caps = node_type.get("gpu_caps") or [node_type["gpu_cap"]] * node_type["gpus"]
    return all(x <= y for x, y in zip(node, node_type["node_cap"], strict=True)) and all(
        x <= y for gpu in gpus for x, y in zip(load[gpu], caps[gpu], strict=True)
    )


def _units(instance: Document, scope: str, option: Option) -> list[object]:
    _, t, n, gpus = option
    if scope == "gpu":
        return [(t, n, gpu) for gpu in gpus]
    if scope == "node":
        return [(t, n)]
    node_type = instance["node_types"][t]
    zones = node_type.get("zones") or {"z0": node_type["count"]}
    return [[name for name, count in zones.items() for _ in range(count)][n]]


def _rules_hold(instance: Document, replicas: list[Document], chosen: list[Option]) -> bool:
    for scope in ("gpu", "node", "zone"):
        inside: dict[object, list[str]] = {}
        for item, option in zip(replicas, chosen, strict=True):
            for unit in _units(instance, scope, option):
                inside.setdefault(unit, []).append(item["name"])
        rules = [rule for rule in instance["constraints"] if rule["scope"] == scope]
        for names in inside.values():
            if not _spread_holds(instance["items"], scope, names):
                return False
            if not all(_rule_holds(rule, names) for rule in rules):
                return False
    return True


def _spread_holds(items: list[Document], scope: str, names: list[str]) -> bool:
    limits = [(item["name"], item[f"max_per_{scope}"]) for item in items]
    return all(most is None or names.count(name) <= most for name, most in limits)


def _rule_holds(rule: Document, names: list[str]) -> bool:
    if rule["type"] == "anti_affinity":
        return len(set(names) & set(rule["items"])) <= 1
    return rule["items"][0] not in names or rule["items"][1] in names


def _cost(instance: Document, chosen: list[Option]) -> int:
    gpus = {(t, n, gpu) for _, t, n, used in chosen for gpu in used}
    nodes = {(t, n) for _, t, n, _ in chosen}
    types = instance["node_types"]
    if instance["objective"] == "gpus":
        return len(gpus)
    if instance["objective"] == "gpu_price":
        return sum(types[t]["gpu_price"] for t, _, _ in gpus)
    return sum(types[t]["node_price"] for t, _ in nodes)


def judged_objective(instance: Document, placed: list[Document]) -> int:
    """Objective of given placements, after checking every rule; for small fleets.

    Raises:
        AssertionError: A rule is broken.
    """
    items = {item["name"]: item for item in instance["items"]}
    for item in instance["items"]:
        assert sum(one["item"] == item["name"] for one in placed) == item["count"], item["name"]
    replicas = [items[one["item"]] for one in placed]
    chosen: list[Option] = []
    for one, item in zip(placed, replicas, strict=True):
        option = (one["alt"], one["node"][0], one["node"][1], tuple(one["gpus"]))
        assert _is_option(instance, item, option), one
        chosen.append(option)
        assert _fits(instance, replicas, chosen), one
    assert _rules_hold(instance, replicas, chosen)
    return _cost(instance, chosen)
