"""The best placement of a tiny fleet by trying all of them, written from the rules alone.

Knows nothing of packing instances. What it shares with the planner is the list of candidates and
the whole MiB that docs/concepts.md describes.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import permutations

from packer.domain.node import Inventory, NodePool, Sharing
from packer.domain.workload import Fleet, Objective, Spread, Workload
from packer.memory.card_reserve import card_reserve_bytes
from packer.solver.candidates import Candidate, find_candidates
from packer.solver.offers import offers_of
from packer.units import MIB


@dataclass(frozen=True)
class Site:
    """One node that may be used."""

    pool: NodePool
    index: int

    @property
    def name(self) -> str:
        return self.pool.node_name(self.index)


@dataclass(frozen=True)
class Place:
    """One replica as a candidate on the cards of a node."""

    workload: Workload
    candidate: Candidate
    site: Site
    gpus: tuple[int, ...]


def best_value(fleet: Fleet, inventory: Inventory) -> Decimal | None:
    """Least cards or money over all placements; None if there is none."""
    sites = [
        Site(pool, index)
        for pool in inventory.pools
        for index in range(pool.nodes)
        if pool.node_name(index) not in pool.unavailable
    ]
    offers = offers_of(inventory, fleet.headroom)
    build = fleet.server_image.build
    choices = []
    for workload in fleet.workloads:
        candidates = find_candidates(workload, offers, build=build).candidates
        places = [
            Place(workload, candidate, site, gpus)
            for candidate in candidates
            for site in sites
            if site.pool.gpu.name == candidate.gpu
            for gpus in _card_sets(site.pool, len(candidate.shares_bytes))
        ]
        choices += [places] * workload.replicas
    values = (_value(fleet, chosen) for chosen in _complete(fleet, inventory, choices, []))
    return min(values, default=None)


def _card_sets(pool: NodePool, cards: int) -> Iterator[tuple[int, ...]]:
    for gpus in permutations(range(pool.gpus_per_node), cards):
        groups = pool.link_groups or (gpus,)
        if len(gpus) == 1 or any(set(gpus) <= set(group) for group in groups):
            yield gpus


def _complete(
    fleet: Fleet, inventory: Inventory, choices: Sequence[Sequence[Place]], chosen: list[Place]
) -> Iterator[list[Place]]:
    if len(chosen) == len(choices):
        if _rules_hold(fleet, inventory, chosen):
            yield chosen
        return
    for place in choices[len(chosen)]:
        longer = [*chosen, place]
        if _fits(fleet, longer):
            yield from _complete(fleet, inventory, choices, longer)


def _fits(fleet: Fleet, chosen: Sequence[Place]) -> bool:
    """Whether the node of the last place still holds everything on it, in whole MiB."""
    site = chosen[-1].site
    used: Counter[int] = Counter()
    host = 0
    for place in chosen:
        if place.site != site:
            continue
        host += -(-place.candidate.host_bytes // MIB)
        for gpu, share in zip(place.gpus, place.candidate.shares_bytes, strict=True):
            used[gpu] += -(-share // MIB)
    reserve = card_reserve_bytes(site.pool, fleet.headroom)
    return host <= site.pool.host_memory_bytes // MIB and all(
        used[gpu] <= (site.pool.free_bytes(site.index, gpu) - reserve) // MIB for gpu in used
    )


def _rules_hold(fleet: Fleet, inventory: Inventory, chosen: Sequence[Place]) -> bool:
    has_routers = any(pool.sharing is Sharing.WHOLE for pool in inventory.pools)
    seen: Counter[object] = Counter()
    on_node: dict[str, set[str]] = defaultdict(set)
    for place in chosen:
        workload, site = place.workload, place.site
        on_node[site.name].add(workload.name)
        if workload.spread is Spread.NODE:
            seen[workload.name, site.name] += 1
        if workload.spread is Spread.ZONE:
            seen[workload.name, "zone", site.pool.zone_of(site.index)] += 1
        if has_routers:
            seen.update((workload.name, site.name, gpu) for gpu in place.gpus)
    if any(_is_crowded(place, other) for place, other in permutations(chosen, 2)):
        return False
    return max(seen.values(), default=0) <= 1 and all(
        _neighbours_agree(fleet, names) for names in on_node.values()
    )


def _is_crowded(place: Place, other: Place) -> bool:
    """Whether a split model shares a card that a router serves."""
    is_router = place.site.pool.sharing is Sharing.WHOLE
    is_split = len(place.gpus) > 1
    return (
        is_router and is_split and place.site == other.site and bool({*place.gpus} & {*other.gpus})
    )


def _neighbours_agree(fleet: Fleet, names: set[str]) -> bool:
    """Whether these workloads may be the ones on a node."""
    apart = all(len(names & set(group)) <= 1 for group in fleet.keep_apart)
    together = all(not names & set(group) or set(group) <= names for group in fleet.keep_together)
    return apart and together


def _value(fleet: Fleet, chosen: Sequence[Place]) -> Decimal:
    if fleet.objective is Objective.CARDS:
        return Decimal(len({(place.site.name, gpu) for place in chosen for gpu in place.gpus}))
    prices = {place.site.name: place.site.pool.price_per_hour for place in chosen}
    return sum((price or Decimal(0) for price in prices.values()), Decimal(0))
