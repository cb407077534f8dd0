"""Losing one card, node or zone: who stops, and does the fleet still fit on what is left (N−1)?"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from packer.domain.node import Inventory, NodePool
from packer.plan.plan import Placement, Plan
from packer.plan.replanning import Questions
from packer.plan.risk import Loss, Unit, Verdict

_MOST_REMEDIES = 4
Site = tuple[str, int | None]
"""A node and one of its cards; None is the whole node."""


@dataclass(frozen=True)
class _Case:
    """One thing that may be lost, what is lost with it, and what is left."""

    unit: Unit
    name: str
    sites: frozenset[Site]
    left: Inventory
    alike: object


def losses(plan: Plan, inventory: Inventory, questions: Questions) -> tuple[Loss, ...]:
    """Every kind of loss once, zones first, then nodes and cards, each by its hardest example.

    Cards and nodes that are equal before anything is placed leave the same behind, so one answer
    holds for all of them. A node that would be rented is lost as one that cannot be rented.
    """
    cases = [*_zones(plan, inventory), *_nodes(plan, inventory), *_cards(plan, inventory)]
    by_kind: dict[tuple[Unit, object], list[_Case]] = {}
    for case in cases:
        by_kind.setdefault((case.unit, case.alike), []).append(case)
    found = []
    for alike in by_kind.values():
        worst = max(alike, key=lambda case: _harm(plan, case))
        found.append(_loss(plan, inventory, worst, len(alike), questions))
    return tuple(found)


def _harm(plan: Plan, case: _Case) -> tuple[int, int]:
    """Workloads that are out, and replicas that stop."""
    hit = _hit(plan, case)
    return len(_out(plan, hit)), len(hit)


def _loss(plan: Plan, inventory: Inventory, case: _Case, alike: int, questions: Questions) -> Loss:
    hit = _hit(plan, case)
    after = questions.on(case.left)
    remedy = ""
    if after.verdict is Verdict.DOES_NOT_FIT:
        remedy = _remedy(inventory, case, questions)
    return Loss(
        unit=case.unit,
        example=case.name,
        alike=alike,
        replicas_lost=len(hit),
        workloads_out=_out(plan, hit),
        after=after,
        remedy=remedy,
    )


def _hit(plan: Plan, case: _Case) -> list[Placement]:
    """Replicas that stop: those with at least one card there."""
    return [
        one
        for one in plan.placements
        if (one.node, None) in case.sites or any((one.node, gpu) in case.sites for gpu in one.gpus)
    ]


def _out(plan: Plan, hit: Sequence[Placement]) -> tuple[str, ...]:
    """Workloads that lose every replica."""
    stopped = [one.workload for one in hit]
    return tuple(
        workload.name
        for workload in plan.workloads
        if workload.replicas and stopped.count(workload.name) == workload.replicas
    )


def _sites(plan: Plan, inventory: Inventory) -> Iterator[tuple[NodePool, int, str]]:
    """Nodes that can be lost: those that exist and may be used, and rented ones in use."""
    used = {node.name for node in plan.nodes if node.is_used}
    for pool in inventory.pools:
        for index in range(pool.nodes):
            name = pool.node_name(index)
            exists = not pool.is_rentable or name in used
            if exists and name not in pool.unavailable:
                yield pool, index, name


def _zones(plan: Plan, inventory: Inventory) -> Iterator[_Case]:
    """Zones with a node that can be lost; all nodes of the zone go with it, of every pool."""
    zones = dict.fromkeys(pool.zone_of(index) for pool, index, _ in _sites(plan, inventory))
    for zone in zones:
        if not zone:
            continue
        gone = {
            pool.name: [
                pool.node_name(index) for index in range(pool.nodes) if pool.zone_of(index) == zone
            ]
            for pool in inventory.pools
        }
        sites = frozenset((name, None) for names in gone.values() for name in names)
        yield _Case(Unit.ZONE, f"zone {zone}", sites, _without(inventory, gone), zone)


def _nodes(plan: Plan, inventory: Inventory) -> Iterator[_Case]:
    for pool, index, name in _sites(plan, inventory):
        left = _without(inventory, {pool.name: [name]})
        yield _Case(Unit.NODE, name, frozenset({(name, None)}), left, _kind(pool, index))


def _cards(plan: Plan, inventory: Inventory) -> Iterator[_Case]:
    for pool, index, name in _sites(plan, inventory):
        held = pool.taken.get(name, {})
        for gpu in range(pool.gpus_per_node):
            links = [len(group) for group in pool.link_groups if gpu in group]
            alike = (*_kind(pool, index), held.get(gpu, 0), *links)
            left = _without_card(inventory, pool, name, gpu)
            sites = frozenset({(name, gpu)})
            yield _Case(Unit.CARD, f"{name} card {gpu}", sites, left, alike)


def _kind(pool: NodePool, index: int) -> tuple[object, ...]:
    """What a node must share with another for their loss to leave the same behind."""
    name = pool.node_name(index)
    held = sorted(pool.taken.get(name, {}).items())
    return pool.name, pool.zone_of(index), tuple(held), pool.host_free_bytes(index)


def _without(inventory: Inventory, gone: Mapping[str, Sequence[str]]) -> Inventory:
    pools = tuple(
        replace(pool, unavailable=tuple(dict.fromkeys((*pool.unavailable, *gone[pool.name]))))
        if gone.get(pool.name)
        else pool
        for pool in inventory.pools
    )
    return replace(inventory, pools=pools)


def _without_card(inventory: Inventory, pool: NodePool, name: str, gpu: int) -> Inventory:
    """The inventory with one card that has no memory left for anyone."""
    held = {**pool.taken.get(name, {}), gpu: pool.gpu.allocatable_bytes}
    changed = replace(pool, taken={**pool.taken, name: held})
    pools = tuple(changed if one.name == pool.name else one for one in inventory.pools)
    return replace(inventory, pools=pools)


def _remedy(inventory: Inventory, case: _Case, questions: Questions) -> str:
    """The cheapest pool of which one node more lets the fleet fit again, in words."""
    by_price = sorted(
        inventory.pools, key=lambda pool: (pool.price_per_hour is None, pool.price_per_hour or 0)
    )
    for pool in by_price[:_MOST_REMEDIES]:
        answer = questions.on(_with_one_more(case.left, pool.name))
        if answer.verdict is Verdict.FITS:
            price = pool.price_per_hour
            money = "price unknown" if price is None else f"+{price} {_currency(pool)}/h"
            return f"one more {pool.name} node ({pool.gpus_per_node} × {pool.gpu.name}), {money}"
    return ""


def _currency(pool: NodePool) -> str:
    return pool.price.currency if pool.price else ""


def _with_one_more(inventory: Inventory, name: str) -> Inventory:
    """One node more of a pool, in a zone that was not lost if there is one."""
    return replace(
        inventory,
        pools=tuple(_grown(pool) if pool.name == name else pool for pool in inventory.pools),
    )


def _grown(pool: NodePool) -> NodePool:
    names = (*pool.node_names, f"{pool.name}-new") if pool.node_names else ()
    zones = dict(pool.zones)
    if zones:
        zones[_last_living_zone(pool)] += 1
        # Nodes are numbered zone by zone: a node more in between renames those after it.
        return _renumbered(replace(pool, nodes=pool.nodes + 1, zones=zones), pool)
    return replace(pool, nodes=pool.nodes + 1, node_names=names)


def _last_living_zone(pool: NodePool) -> str:
    living = [
        zone
        for zone in pool.zones
        if any(
            pool.zone_of(index) == zone and pool.node_name(index) not in pool.unavailable
            for index in range(pool.nodes)
        )
    ]
    return (living or list(pool.zones))[-1]


def _renumbered(grown: NodePool, pool: NodePool) -> NodePool:
    """The grown pool with the old nodes' names kept and the new one's put in its zone."""
    old: dict[str, list[str]] = {zone: [] for zone in pool.zones}
    for index in range(pool.nodes):
        old[pool.zone_of(index)].append(pool.node_name(index))
    names = []
    for zone, count in grown.zones.items():
        kept = old[zone]
        names += [*kept, *([f"{pool.name}-new"] if len(kept) < count else [])]
    return replace(grown, node_names=tuple(names))
