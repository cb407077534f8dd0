"""Requirements of an instance under their ids, and instances with only some of them.

``count:<item>`` its replicas must be placed, ``antiaff:<item>:<scope>`` its spread limit,
``types:<item>`` its GPU types, ``constraint:<index>``. Supply and capacities are never dropped.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from packer.solver.instance import Instance, Item, Rule, Scope


@dataclass(frozen=True)
class Part:
    """An instance with some requirements dropped.

    Attributes:
        optional: Items whose replicas may be placed but need not be, because a kept affinity
            could use them.
    """

    instance: Instance
    optional: frozenset[str]


def requirements(instance: Instance) -> tuple[str, ...]:
    """Every requirement that can be dropped; rules before demands, so demands are kept longest."""
    rules = [f"constraint:{position}" for position in range(len(instance.constraints))]
    for item in instance.items:
        if item.count:
            rules += _rules_of(item)
    return (*rules, *(f"count:{item.name}" for item in instance.items if item.count))


def _rules_of(item: Item) -> Iterable[str]:
    if any(one.gpu_types is not None for one in item.alternatives):
        yield f"types:{item.name}"
    for scope in Scope:
        if item.most_per(scope) is not None:
            yield f"antiaff:{item.name}:{scope}"


def with_only(instance: Instance, kept: Collection[str]) -> Part:
    """The instance with only these requirements."""
    wanted = frozenset(kept)
    constraints = tuple(
        one
        for position, one in enumerate(instance.constraints)
        if f"constraint:{position}" in wanted
    )
    partners = {one.items[1] for one in constraints if one.rule is Rule.AFFINITY}
    items = tuple(
        _relaxed(item, wanted)
        for item in instance.items
        if f"count:{item.name}" in wanted or (item.name in partners and item.count)
    )
    names = {item.name for item in items}
    part = replace(
        instance,
        items=items,
        constraints=tuple(
            replace(one, items=tuple(name for name in one.items if name in names))
            for one in constraints
            if one.rule is Rule.ANTI_AFFINITY or one.items[0] in names
        ),
        current=None,
    )
    return Part(part, frozenset(name for name in names if f"count:{name}" not in wanted))


def _relaxed(item: Item, kept: frozenset[str]) -> Item:
    alternatives = item.alternatives
    if f"types:{item.name}" not in kept:
        alternatives = tuple(replace(one, gpu_types=None) for one in alternatives)

    def limit(scope: Scope) -> int | None:
        return item.most_per(scope) if f"antiaff:{item.name}:{scope}" in kept else None

    return replace(
        item,
        alternatives=alternatives,
        max_per_gpu=limit(Scope.GPU),
        max_per_node=limit(Scope.NODE),
        max_per_zone=limit(Scope.ZONE),
    )
