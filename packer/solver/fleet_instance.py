"""A fleet on an inventory as a neutral packing instance, and a solution back as assignments.

Bytes become whole MiB, shares rounded up and capacities down, so a solution of the instance always
fits in bytes. The bound is that of the instance: a fleet that fits only by less than a MiB per
process and card would be called one card larger.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial

from packer.domain.node import Inventory, NodePool, Sharing
from packer.domain.workload import Fleet, Objective, Spread, Workload
from packer.memory.card_reserve import card_reserve_bytes
from packer.solver import instance as neutral
from packer.solver.assignment import Assignment
from packer.solver.candidates import Candidate, CandidateSet
from packer.solver.router_cards import DIMENSION, part_of, router_parts, with_parts
from packer.units import MIB


@dataclass(frozen=True)
class FleetInstance:
    """The instance, and what its numbers stand for.

    Attributes:
        candidates: Workload name → candidate per alternative index.
        sites: Per node type, its pool and the pool's node index per node.
        money_scale: Integer prices are hourly prices times this.
    """

    instance: neutral.Instance
    candidates: Mapping[str, tuple[Candidate, ...]]
    sites: tuple[tuple[NodePool, tuple[int, ...]], ...]
    money_scale: int

    def assignments(self, placed: Iterable[neutral.Placed]) -> tuple[Assignment, ...]:
        """Replicas of a solution with their candidates and cards, numbered in node order."""
        replicas: dict[str, int] = {}
        found = []
        for one in sorted(placed, key=lambda p: (p.item, p.node_type, p.node, p.gpus)):
            pool, indices = self.sites[one.node_type]
            replica = replicas.get(one.item, 0)
            replicas[one.item] = replica + 1
            candidate = self.candidates[one.item][one.alternative]
            found.append(Assignment(candidate, replica, pool, indices[one.node], one.gpus))
        return tuple(found)

    def value(self, integer: int) -> Decimal:
        """Cards, or money per hour, of an integer objective. Exact."""
        return Decimal(integer) / self.money_scale


def fleet_instance(
    fleet: Fleet,
    inventory: Inventory,
    candidate_sets: Sequence[CandidateSet],
    *,
    weighs_moves: bool = False,
) -> FleetInstance:
    """The packing instance of a fleet.

    Args:
        fleet: What must be placed.
        inventory: Where.
        candidate_sets: One per workload, in the order of the fleet.
        weighs_moves: Whether moves are weighed against the objective, in its thousandths.
    """
    by_price = fleet.objective is Objective.PRICE
    scale = (_money_scale(inventory) if by_price else 1) * (1000 if weighs_moves else 1)
    objective = neutral.Objective.NODE_PRICE if by_price else neutral.Objective.GPUS
    if weighs_moves and not by_price:
        objective = neutral.Objective.GPU_PRICE
    has_routers = any(pool.sharing is Sharing.WHOLE for pool in inventory.pools)
    sites = tuple(site for pool in inventory.pools for site in _sites(pool))
    loads, parts = _loads(candidate_sets, fleet), router_parts(candidate_sets, inventory)
    dims = {"vram_mib": True, "load_permille": loads is not None, DIMENSION: parts is not None}
    instance = neutral.Instance(
        name=f"{fleet.name} on {inventory.name}",
        dims=tuple(name for name, is_used in dims.items() if is_used),
        node_dims=("host_mib",),
        objective=objective,
        node_types=tuple(
            with_parts(
                _with_load(_node_type(number, pool, nodes, fleet, scale), loads), pool, parts
            )
            for number, (pool, nodes) in enumerate(sites)
        ),
        items=_items(
            candidate_sets, has_routers=has_routers, has_load=loads is not None, parts=parts
        ),
        constraints=tuple(_constraints(fleet)),
        even_headroom=True,
    )
    candidates = {one.workload.name: one.candidates for one in candidate_sets}
    return FleetInstance(instance, candidates, sites, scale)


def _money_scale(inventory: Inventory) -> int:
    """Smallest power of ten that makes every price a whole number."""
    digits = 0
    for pool in inventory.pools:
        if pool.price_per_hour is not None:
            exponent = pool.price_per_hour.normalize().as_tuple().exponent
            digits = max(digits, -int(exponent))
    return int(10**digits)


def _sites(pool: NodePool) -> list[tuple[NodePool, tuple[int, ...]]]:
    """Nodes of a pool, grouped by what others hold on their cards and of their memory."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for node in range(pool.nodes):
        taken = pool.taken.get(pool.node_name(node), {})
        key = tuple(taken.get(gpu, 0) for gpu in range(pool.gpus_per_node)) if taken else ()
        groups.setdefault((pool.host_free_bytes(node) // MIB, *key), []).append(node)
    return [(pool, tuple(nodes)) for nodes in groups.values()]


def _node_type(
    number: int, pool: NodePool, nodes: tuple[int, ...], fleet: Fleet, scale: int
) -> neutral.NodeType:
    headroom = card_reserve_bytes(pool, fleet.headroom)
    room = (pool.gpu.allocatable_bytes - headroom) // MIB
    each = tuple(
        (max(0, (pool.free_bytes(nodes[0], gpu) - headroom) // MIB),)
        for gpu in range(pool.gpus_per_node)
    )
    zones: dict[str, int] = {}
    for node in nodes:
        zone = pool.zone_of(node) or neutral.DEFAULT_ZONE
        zones[zone] = zones.get(zone, 0) + 1
    return neutral.NodeType(
        name=f"{pool.name}#{number}",
        gpu_type=_gpu_type(pool.gpu.name, is_spot=pool.may_be_interrupted),
        count=len(nodes),
        gpus=pool.gpus_per_node,
        gpu_cap=(room,),
        node_cap=(pool.host_free_bytes(nodes[0]) // MIB,),
        gpu_price=scale,
        node_price=int((pool.price_per_hour or 0) * scale),
        zones=tuple(zones.items()),
        links=pool.link_groups,
        unavailable=frozenset(
            i for i, node in enumerate(nodes) if pool.node_name(node) in pool.unavailable
        ),
        gpu_caps=each if any(cap != (room,) for cap in each) else (),
    )


def _loads(sets: Sequence[CandidateSet], fleet: Fleet) -> int | None:
    """Load a card may carry [thousandths of its time]; None where no candidate has any."""
    has_load = any(one.way.load_permille for each in sets for one in each.candidates)
    return 10 * fleet.load_limit_percent if has_load else None


def _with_load(node_type: neutral.NodeType, limit: int | None) -> neutral.NodeType:
    """The node type whose cards have time as a second dimension."""
    if limit is None:
        return node_type
    return replace(
        node_type,
        gpu_cap=(*node_type.gpu_cap, limit),
        gpu_caps=tuple((*cap, limit) for cap in node_type.gpu_caps),
    )


def _items(
    sets: Sequence[CandidateSet], *, has_routers: bool, has_load: bool, parts: int | None
) -> tuple[neutral.Item, ...]:
    """Every workload as an item; speed decides last between ways that are wanted alike."""
    has_ranks = any(one.slowness for each in sets for one in each.candidates)
    return tuple(
        _item(one, partial(_share, has_load=has_load, parts=parts), has_routers, has_ranks)
        for one in sets
    )


def _share(
    one: Candidate, share_bytes: int, *, has_load: bool, parts: int | None
) -> neutral.Vector:
    load = (one.way.load_permille,) if has_load else ()
    return (-(-share_bytes // MIB), *load, *part_of(one, parts))


def _name(workload: Workload, one: Candidate) -> str:
    name = f"{workload.variants[one.variant].quantization}/{one.options.cache_type_k}"
    name += f"/{one.gpu}x{len(one.shares_bytes)}"
    drafting = f"/{one.way.speculation}" if one.way.speculation else ""
    return f"{name}/{one.way.slots}{drafting}" if one.way.slots or drafting else name


def _item(
    candidates: CandidateSet,
    share: Callable[[Candidate, int], neutral.Vector],
    has_routers: bool,
    has_ranks: bool,
) -> neutral.Item:
    workload = candidates.workload
    return neutral.Item(
        name=workload.name,
        count=workload.replicas,
        alternatives=tuple(
            neutral.Alternative(
                name=_name(workload, one),
                shares=tuple(share(one, each) for each in one.shares_bytes),
                node=(-(-one.host_bytes // MIB),),
                gpu_types=_gpu_types(one.gpu, spot_allowed=workload.spot_allowed),
                # Link groups are named in an inventory so that a split model stays within one.
                one_link=len(one.shares_bytes) > 1,
                penalty=10 * one.penalty + min(9, one.slowness) if has_ranks else one.penalty,
            )
            for one in candidates.candidates
        ),
        # A router runs one process per model name.
        max_per_gpu=1 if has_routers and workload.replicas > 1 else None,
        max_per_node=1 if workload.spread is Spread.NODE else None,
        max_per_zone=1 if workload.spread is Spread.ZONE else None,
    )


def _gpu_type(product: str, *, is_spot: bool) -> str:
    """Cards that may be taken back at any time are another type to the packing."""
    return f"{product} (spot)" if is_spot else product


def _gpu_types(product: str, *, spot_allowed: bool) -> frozenset[str]:
    terms = (False, True) if spot_allowed else (False,)
    return frozenset(_gpu_type(product, is_spot=is_spot) for is_spot in terms)


def _constraints(fleet: Fleet) -> Iterable[neutral.Constraint]:
    for group in fleet.keep_apart:
        yield neutral.Constraint(neutral.Rule.ANTI_AFFINITY, group, neutral.Scope.NODE)
    for group in fleet.keep_together:
        for one in group:
            for other in group:
                if one != other:
                    pair = (one, other)
                    yield neutral.Constraint(neutral.Rule.AFFINITY, pair, neutral.Scope.NODE)
