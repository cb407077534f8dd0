"""Nodes that a cheapest placement can need; the others only make the search larger.

Where whole nodes are paid for, a list of instance types holds many nodes that no cheapest
placement uses: dearer ones with host memory that nothing fills, and more of each than the money
buys. Leaving them out changes neither the optimum nor a proof of it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from packer.solver.first_fit import first_fit_decreasing
from packer.solver.instance import DEFAULT_ZONE, Instance, Item, NodeType, Objective, Placed

Zones = dict[str, int]


@dataclass(frozen=True)
class UsefulNodes:
    """An instance with fewer nodes, and which they were before.

    Attributes:
        indices: Per node type, the index each node had.
    """

    instance: Instance
    indices: tuple[tuple[int, ...], ...]

    def as_before(self, placed: Iterable[Placed]) -> tuple[Placed, ...]:
        """Placements with the nodes they had in the whole instance."""
        return tuple(
            sorted(replace(one, node=self.indices[one.node_type][one.node]) for one in placed)
        )


def useful_nodes(instance: Instance, budget: int | None = None) -> UsefulNodes:
    """The same problem without nodes that some cheapest placement can do without. Exact.

    Only where whole nodes are paid for and nothing runs yet; other instances come back whole.

    Args:
        instance: The packing problem.
        budget: Price of a placement that exists; None takes that of first fit, if it finds one.
    """
    if instance.objective is not Objective.NODE_PRICE or instance.current is not None:
        return UsefulNodes(instance, tuple(tuple(range(t.count)) for t in instance.node_types))
    most = _most_nodes(instance, _first_fit_price(instance) if budget is None else budget)
    types = instance.node_types
    kept = [
        {} if _is_dominated(t, instance, most) else _capped(one, most[t])
        for t, one in enumerate(types)
    ]
    return _with_zones(instance, kept)


def first_nodes(instance: Instance, most: Sequence[int]) -> UsefulNodes:
    """The instance with at most so many nodes of each type in each zone."""
    kept = [_capped(one, few) for one, few in zip(instance.node_types, most, strict=True)]
    return _with_zones(instance, kept)


def _with_zones(instance: Instance, kept: Sequence[Zones]) -> UsefulNodes:
    types = instance.node_types
    indices = tuple(_first_per_zone(one, left) for one, left in zip(types, kept, strict=True))
    fewer = tuple(_with_nodes(one, some) for one, some in zip(types, indices, strict=True))
    return UsefulNodes(replace(instance, node_types=fewer), indices)


def _most_nodes(instance: Instance, budget: int | None) -> tuple[int, ...]:
    """Most nodes of each type that a cheapest placement uses: one per replica, within a budget."""
    found = []
    for one in instance.node_types:
        most = sum(item.count for item in instance.items if _may_use(item, one))
        if budget is not None and one.node_price > 0:
            most = min(most, budget // one.node_price)
        found.append(most)
    return tuple(found)


def _first_fit_price(instance: Instance) -> int | None:
    """Price of a placement that exists; None if first fit finds none."""
    placed = first_fit_decreasing(instance)
    if placed is None:
        return None
    nodes = {(one.node_type, one.node) for one in placed}
    return sum(instance.node_types[t].node_price for t, _ in nodes)


def _may_use(item: Item, one: NodeType) -> bool:
    return any(
        alternative.gpu_types is None or one.gpu_type in alternative.gpu_types
        for alternative in item.alternatives
    )


def _zones(one: NodeType) -> Zones:
    """Nodes by zone."""
    return dict(one.zones) if one.zones else {DEFAULT_ZONE: one.count}


def _capped(one: NodeType, most: int) -> Zones:
    """Nodes by zone, no more in each than are ever used; failed nodes stay out of the count."""
    if one.unavailable:
        return _zones(one)
    return {zone: min(count, most) for zone, count in _zones(one).items()}


def _is_dominated(t: int, instance: Instance, most: tuple[int, ...]) -> bool:
    """Whether another type has, in every zone, a spare node at no higher price that does as well.

    Both types together are at most as many nodes as the money buys of the cheaper one, so if a
    zone has that many of it, one is always spare to stand in for a node of the dearer one.
    """
    return any(
        other != t and _stands_in(instance, other, t, most[other])
        for other in range(len(instance.node_types))
    )


def _stands_in(instance: Instance, cheap: int, dear: int, most: int) -> bool:
    one, other = instance.node_types[cheap], instance.node_types[dear]
    if (one.node_price, cheap) >= (other.node_price, dear) or one.unavailable:
        return False
    same = (one.gpu_type, one.capacities, one.link_groups) == (
        other.gpu_type,
        other.capacities,
        other.link_groups,
    )
    zones = _zones(one)
    spare = all(zones.get(zone, 0) >= most for zone, count in _zones(other).items() if count)
    return same and spare and _has_enough(instance, one, other)


def _has_enough(instance: Instance, one: NodeType, other: NodeType) -> bool:
    """Whether a node offers as much as the other, or all that its cards' replicas can ask for."""
    return all(
        room >= size or room >= most_asked(instance, one, dim)
        for dim, (room, size) in enumerate(zip(one.node_cap, other.node_cap, strict=True))
    )


def most_asked(instance: Instance, one: NodeType, dim: int) -> int:
    """Most of a node's own dimension that replicas on its cards can take. Upper bound.

    A fractional knapsack over the first dimension of the cards: each replica at its largest for
    the node and its smallest for the cards.
    """
    wares = []
    for item in instance.items:
        usable = [
            a for a in item.alternatives if a.gpu_types is None or one.gpu_type in a.gpu_types
        ]
        if usable:
            asked = max(alternative.node[dim] for alternative in usable)
            size = min(sum(share[0] for share in a.shares) for a in usable)
            count = item.count if item.max_per_node is None else item.max_per_node
            wares.append((asked, size, min(count, item.count)))
    room = sum(capacity[0] for capacity in one.capacities)
    total = 0
    for asked, size, count in sorted(wares, key=lambda w: -w[0] / max(1, w[1])):
        whole = count if size == 0 else min(count, room // size)
        total += whole * asked
        room -= whole * size
        if whole < count:
            return total + -(-asked * room // size)
    return total


def _first_per_zone(one: NodeType, kept: Zones) -> tuple[int, ...]:
    """Indices of the nodes that stay: the first of each zone."""
    seen: Zones = {}
    indices = []
    for node, zone in enumerate(one.zone_of_node):
        seen[zone] = seen.get(zone, 0) + 1
        if seen[zone] <= kept.get(zone, 0):
            indices.append(node)
    return tuple(indices)


def _with_nodes(one: NodeType, indices: tuple[int, ...]) -> NodeType:
    """The type with only these of its nodes."""
    zones: Zones = {}
    for node in indices:
        zone = one.zone_of_node[node]
        zones[zone] = zones.get(zone, 0) + 1
    return replace(
        one,
        count=len(indices),
        zones=tuple(zones.items()) if one.zones else (),
        unavailable=frozenset(i for i, node in enumerate(indices) if node in one.unavailable),
    )
