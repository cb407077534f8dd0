"""Re-planning: keep what runs, take in what is new, move only what stands in the way."""

from collections import defaultdict
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from packer.solver.columns import Columns
from packer.solver.fill_style import FillStyle
from packer.solver.fit import groups_for
from packer.solver.geometry import Geometry
from packer.solver.guided_fill import guided_fill
from packer.solver.instance import Placed
from packer.solver.moving import move_cost
from packer.solver.packing import Packing

Integers = NDArray[np.int64]
_ROUNDS = 6


def repaired(
    geometry: Geometry, columns: Columns, style: FillStyle, may_go_on: Callable[[], bool]
) -> Packing:
    """A packing with few moves: what runs stays where it can, the rest is filled in around it."""
    packing = still_valid(geometry)
    for _ in range(_ROUNDS):
        used = packing.gpu_replicas > 0
        guided_fill(geometry, columns, None, style, may_go_on, used, packing)
        guided_fill(geometry, columns, None, style, may_go_on, None, packing)
        if not packing.missing() or not may_go_on() or not _eject(packing, columns):
            break
    return packing


def still_valid(geometry: Geometry) -> Packing:
    """What of the current state can stay: the dearest to move first, where rules collide."""
    instance = geometry.instance
    packing = Packing(geometry)
    current = instance.current
    running = () if current is None else current.placed
    for one in sorted(running, key=lambda p: (-_cost(packing, p), p)):
        if _can_stay(packing, one):
            packing.place(one)
    for one in list(packing.placed):
        if not _partners_there(packing, one):
            packing.remove(one)
    return packing


def _trouble(packing: Packing) -> float:
    """What any move costs on top of its weight, so that one large is liked more than many small."""
    current = packing.instance.current
    costs = [1] if current is None else list(current.move_cost.values()) or [1]
    return 0.3 * sum(costs) / len(costs)


def _cost(packing: Packing, one: Placed) -> int:
    current = packing.instance.current
    return 0 if current is None else move_cost(current, one.key)


def _can_stay(packing: Packing, one: Placed) -> bool:
    instance, geometry = packing.instance, packing.geometry
    i = instance.item_index.get(one.item)
    if i is None or one.node_type >= len(instance.node_types):
        return False
    item, node_type = instance.items[i], instance.node_types[one.node_type]
    if one.alternative >= len(item.alternatives) or packing.count[one.item] >= item.count:
        return False
    if one.node not in node_type.available or any(gpu >= node_type.gpus for gpu in one.gpus):
        return False
    alternative = item.alternatives[one.alternative]
    allowed = alternative.gpu_types is None or node_type.gpu_type in alternative.gpu_types
    linked = any(set(one.gpus) <= set(group) for group in groups_for(alternative, node_type))
    if not allowed or not linked or len(one.gpus) != len(alternative.shares):
        return False
    node = geometry.node_number(one.node_type, one.node)
    first = int(geometry.first_gpu[node])
    gpus = [first + gpu for gpu in one.gpus]
    fits = all(
        (packing.free[gpu] >= share).all()
        for gpu, share in zip(gpus, alternative.shares, strict=True)
    )
    fits = fits and bool((packing.node_free[node] >= alternative.node).all())
    return fits and packing.allows(one.item, node, gpus)


def _partners_there(packing: Packing, one: Placed) -> bool:
    """Whether every affinity of a replica is satisfied."""
    return all(
        packing.inside[rule.scope][unit][rule.items[1]] > 0
        for rule in packing.instance.constraints
        if rule.rule == "affinity" and rule.items[0] == one.item
        for unit in packing.units(one, rule.scope)
    )


def _eject(packing: Packing, columns: Columns) -> bool:
    """Make room for what is missing by taking out the cheapest replicas; whether any was made."""
    made = False
    missing = packing.missing()
    types: dict[int, set[int]] = defaultdict(set)
    for i, t in zip(columns.item.tolist(), columns.node_type.tolist(), strict=True):
        types[i].add(t)
    size = {i: int(columns.load[columns.item == i, 0].min(initial=2**62)) for i in missing}
    for i in sorted(missing, key=lambda i: (-size[i], i)):
        for _ in range(missing[i]):
            place = _cheapest_room(packing, columns, i, types)
            if place is None:
                break
            one, evicted = place
            for other in evicted:
                packing.remove(other)
            packing.place(one)
            made = True
    return made


def _cheapest_room(
    packing: Packing, columns: Columns, i: int, types: Mapping[int, set[int]]
) -> tuple[Placed, list[Placed]] | None:
    """A GPU where taking out others makes room for one replica, at the least move cost."""
    extra = _trouble(packing)
    geometry, instance = packing.geometry, packing.instance
    best: tuple[float, Placed, list[Placed]] | None = None
    for column in np.flatnonzero((columns.item == i) & (columns.width == 1)).tolist():
        t, share = int(columns.node_type[column]), columns.shares[column, 0]
        usable = (geometry.gpu_type == t) & geometry.usable[geometry.gpu_node]
        usable &= (geometry.gpu_capacity >= share).all(axis=1)
        for gpu in np.flatnonzero(usable).tolist():
            node = int(geometry.gpu_node[gpu])
            if (packing.node_free[node] < columns.node[column]).any():
                continue
            evicted = _evicted(packing, gpu, share - packing.free[gpu], types, t)
            if evicted is None or not packing.allows(instance.items[i].name, node, (gpu,)):
                continue
            cost = sum(_cost(packing, one) + extra for one in evicted)
            if best is None or cost < best[0]:
                one = Placed(
                    instance.items[i].name,
                    int(columns.alternative[column]),
                    t,
                    int(geometry.node_index[node]),
                    (int(geometry.gpu_index[gpu]),),
                )
                best = cost, one, evicted
    return None if best is None else best[1:]


def _evicted(
    packing: Packing, gpu: int, short: Integers, types: Mapping[int, set[int]], t: int
) -> list[Placed] | None:
    """Replicas to take off a GPU so that it gains what it is short of, cheapest per size first.

    Only replicas that may also run on another node type are taken.
    """
    extra = _trouble(packing)
    index = (int(packing.geometry.gpu_index[gpu]),)
    positions = packing.instance.item_index

    def price(one: Placed) -> tuple[float, Placed]:
        size = max(1, packing.alternative(one).shares[0][0])
        return (_cost(packing, one) + extra) / size, one

    movable = [
        one
        for one in packing.members[int(packing.geometry.gpu_node[gpu])]
        if one.gpus == index and types[positions[one.item]] - {t}
    ]
    chosen: list[Placed] = []
    for one in sorted(movable, key=price):
        if (short <= 0).all():
            break
        chosen.append(one)
        short = short - np.array(packing.alternative(one).shares[0])
    return chosen if (short <= 0).all() else None
