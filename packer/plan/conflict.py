"""A conflict in words: which demands clash, and which single change would help."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from packer.domain.demand import PartialOffload
from packer.domain.node import Inventory, NodePool, Sharing
from packer.domain.workload import Fleet, Spread, Workload
from packer.errors import Reason, Refusal, Relaxation
from packer.solver.candidates import CandidateSet
from packer.units import format_gib

MOST_NODES_ADDED = 4
"""Nodes of one pool that are offered at most."""

# How a change is tried: True when a plan exists with it, None when the time for trying is over.
Try = Callable[[Fleet, Inventory], bool | None]


def reasons(
    conflict: Iterable[str], fleet: Fleet, sets: Sequence[CandidateSet], inventory: Inventory
) -> tuple[Reason, ...]:
    """Each requirement of a conflict, in words."""
    has_spot = _has_spot(inventory)
    return tuple(Reason(one, _words(one, fleet, sets, has_spot=has_spot)) for one in conflict)


def _has_spot(inventory: Inventory) -> bool:
    return any(pool.may_be_interrupted for pool in inventory.pools)


def _words(requirement: str, fleet: Fleet, sets: Sequence[CandidateSet], *, has_spot: bool) -> str:
    kind, _, rest = requirement.partition(":")
    if kind == "count":
        return _count_words(rest, sets)
    if kind == "antiaff":
        name, _, scope = rest.rpartition(":")
        replicas = _of(name, sets).workload.replicas
        return f"{name}: no two of its {replicas} replicas on one {_SCOPES[scope]}"
    if kind == "types":
        one = _of(rest, sets)
        no_spot = has_spot and not one.workload.spot_allowed
        return f"{rest}: {_product_words(one)}" + (", and not on spot nodes" if no_spot else "")
    return _rule_words(int(rest), fleet)


_SCOPES = {"gpu": "card, because one router serves it", "node": "node", "zone": "zone"}


def _of(name: str, sets: Sequence[CandidateSet]) -> CandidateSet:
    return next(one for one in sets if one.workload.name == name)


def _count_words(name: str, sets: Sequence[CandidateSet]) -> str:
    one = _of(name, sets)
    replicas = one.workload.replicas
    asked = f"{replicas} {'replica' if replicas == 1 else 'replicas'}"
    is_derived = one.workload.derives_replicas
    if not one.candidates:
        goals = " with its goals reached" if one.workload.has_speed_wishes else ""
        up_to = "up to " if is_derived else ""
        return f"{name}: {up_to}{asked}, and no variant fits any card{goals}"
    least = min(one.candidates, key=lambda c: sum(c.shares_bytes))
    each = " + ".join(format_gib(share) for share in least.shares_bytes)
    return f"{name}: {asked}{' for its demand' if is_derived else ''}, each at least {each} GiB"


def _product_words(one: CandidateSet) -> str:
    if one.workload.allowed_gpus:
        return "only " + ", ".join(one.workload.allowed_gpus)
    if one.workload.refused_gpus:
        return "not on " + ", ".join(one.workload.refused_gpus)
    return "fits only " + ", ".join(sorted({c.gpu for c in one.candidates}))


def _rule_words(index: int, fleet: Fleet) -> str:
    if index < len(fleet.keep_apart):
        return "keepApart: " + ", ".join(fleet.keep_apart[index])
    pairs = [
        group for group in fleet.keep_together for one in group for other in group if one != other
    ]
    return "keepTogether: " + ", ".join(pairs[index - len(fleet.keep_apart)])


def refusals(sets: Sequence[CandidateSet]) -> tuple[Refusal, ...]:
    """Why each product refused the workloads without any candidate: its last word."""
    found = []
    for one in sets:
        if one.candidates:
            continue
        last_per_gpu = {refused.gpu: refused for refused in one.refused}
        for gpu, refused in last_per_gpu.items():
            quantization = one.workload.variants[refused.variant].quantization
            text = f"{quantization}, KV {refused.cache_type}: {refused.reason}"
            found.append(Refusal(one.workload.name, gpu, text))
    return tuple(found)


def relaxations(
    names: Sequence[str], fleet: Fleet, inventory: Inventory, attempt: Try
) -> tuple[Relaxation, ...]:
    """Single changes after which a plan was really found, cheapest kind first."""
    is_over = False

    def works(changed: _Change) -> bool:
        nonlocal is_over
        answer = None if is_over else attempt(changed[2], changed[3])
        is_over = answer is None
        return bool(answer)

    # Nodes are few questions, and always an answer: they are tried before the time is over.
    bought = [one for pool in inventory.pools for one in _more_nodes(pool, fleet, inventory, works)]
    settings = [one for one in _changes(names, fleet, inventory) if works(one)]
    return tuple(Relaxation(one[0], one[1], verified=True) for one in (*settings, *bought))


_Change = tuple[str, str, Fleet, Inventory]


def _changes(names: Sequence[str], fleet: Fleet, inventory: Inventory) -> Iterator[_Change]:
    """Changes to try, in the order of what they cost a user: settings, then rules, then drivers."""
    clashing = [workload for workload in fleet.workloads if workload.name in names]
    for workload in clashing:
        yield from _slower(workload, fleet, inventory)
        yield from _smaller(workload, fleet, inventory)
        yield from _looser(workload, fleet, inventory)
    for index, group in enumerate(fleet.keep_apart):
        kept = fleet.keep_apart[:index] + fleet.keep_apart[index + 1 :]
        rule = f"keepApart [{', '.join(group)}]"
        yield f"drop {rule}", "they may meet", replace(fleet, keep_apart=kept), inventory
    for index, group in enumerate(fleet.keep_together):
        kept = fleet.keep_together[:index] + fleet.keep_together[index + 1 :]
        rule = f"keepTogether [{', '.join(group)}]"
        yield f"drop {rule}", "they may part", replace(fleet, keep_together=kept), inventory
    for pool in inventory.pools:
        if pool.sharing is Sharing.WHOLE:
            shared = _with_pool(inventory, replace(pool, sharing=Sharing.DRA))
            yield f"{pool.name}: sharing dra", "needs NVIDIA's DRA driver", fleet, shared


def _slower(workload: Workload, fleet: Fleet, inventory: Inventory) -> Iterator[_Change]:
    """Lower goals, where there are any."""
    for change, price, other in _lower_goals(workload):
        yield f"{workload.name}: {change}", price, _with_workload(fleet, other), inventory


def _with_workload(fleet: Fleet, other: Workload) -> Fleet:
    """The fleet with the workload of that name replaced."""
    workloads = tuple(other if w.name == other.name else w for w in fleet.workloads)
    return replace(fleet, workloads=workloads)


def _smaller(workload: Workload, fleet: Fleet, inventory: Inventory) -> Iterator[_Change]:
    """Shorter contexts, coarser caches."""
    context = workload.context_per_slot
    for part in (2, 4):
        if context // part >= 1024:
            yield (
                f"{workload.name}: context {context // part} instead of {context}",
                "shorter conversations",
                _with_workload(fleet, replace(workload, context_per_slot=context // part)),
                inventory,
            )
    if "q8_0" not in workload.cache_types and workload.flash_attention != "off":
        types = (*workload.cache_types, "q8_0")
        smaller = _with_workload(fleet, replace(workload, cache_types=types))
        yield f"{workload.name}: allow cacheTypes q8_0", "KV at 8.5 bits", smaller, inventory


def _looser(workload: Workload, fleet: Fleet, inventory: Inventory) -> Iterator[_Change]:
    """Fewer rules about where replicas may be, and fewer replicas."""
    if workload.spread is not Spread.NONE:
        loose = _with_workload(fleet, replace(workload, spread=Spread.NONE))
        yield f"{workload.name}: spread none", "replicas may fail together", loose, inventory
    if _has_spot(inventory) and not workload.spot_allowed:
        spot = _with_workload(fleet, replace(workload, spot_allowed=True))
        yield f"{workload.name}: spot allowed", "nodes may be taken back", spot, inventory
    if workload.allowed_gpus or workload.refused_gpus:
        free = _with_workload(fleet, replace(workload, allowed_gpus=(), refused_gpus=()))
        yield f"{workload.name}: any GPU product", "no choice of cards", free, inventory
    if workload.replicas > 1 and not workload.derives_replicas:
        fewer = workload.replicas - 1
        less = _with_workload(fleet, replace(workload, replicas=fewer))
        yield (
            f"{workload.name}: {fewer} instead of {fewer + 1} replicas",
            "less served",
            less,
            inventory,
        )


def _lower_goals(workload: Workload) -> Iterator[tuple[str, str, Workload]]:
    """Half of the speed, twice the wait, or experts in the node's memory."""
    goals = workload.goals
    speed, wait = goals.decode_tokens_per_second, goals.first_token_p95_seconds
    if speed is not None:
        slower = replace(goals, decode_tokens_per_second=speed / 2)
        yield (
            f"decodeTokensPerSecond {speed / 2:g} instead of {speed:g}",
            "slower answers",
            replace(workload, goals=slower),
        )
    if wait is not None:
        later = replace(goals, first_token_p95_seconds=2 * wait)
        yield (
            f"firstTokenSeconds {2 * wait:g} instead of {wait:g}",
            "longer waits",
            replace(workload, goals=later),
        )
    has_experts = any(one.model.number("expert_count", 0) for one in workload.variants)
    is_all_on_cards = workload.partial_offload is PartialOffload.NONE
    if has_experts and is_all_on_cards and workload.has_speed_wishes:
        offloaded = replace(workload, partial_offload=PartialOffload.EXPERTS)
        yield "partialOffload experts", "slower: experts in the node's memory", offloaded


def _more_nodes(
    pool: NodePool, fleet: Fleet, inventory: Inventory, works: Callable[[_Change], bool]
) -> Iterator[_Change]:
    """The fewest more nodes of a pool that are enough, if a few are."""
    if not works(_grown(pool, MOST_NODES_ADDED, fleet, inventory)):
        return
    yield next(
        one
        for more in range(1, MOST_NODES_ADDED + 1)
        if works(one := _grown(pool, more, fleet, inventory)) or more == MOST_NODES_ADDED
    )


def _grown(pool: NodePool, more: int, fleet: Fleet, inventory: Inventory) -> _Change:
    new = (f"{pool.name}-new", *(f"{pool.name}-new-{n}" for n in range(2, more + 1)))
    zones = dict(pool.zones)
    if zones:
        zones[list(zones)[-1]] += more
    grown = replace(
        pool,
        nodes=pool.nodes + more,
        node_names=(*pool.node_names, *new) if pool.node_names else (),
        zones=zones,
    )
    price = pool.price_per_hour
    if price is None:
        paid = "price unknown"
    else:
        paid = f"+{more * price} {pool.price.currency if pool.price else ''}/h"
    nodes = f"one more {pool.name} node" if more == 1 else f"{more} more {pool.name} nodes"
    change = f"{nodes} ({more * pool.gpus_per_node} × {pool.gpu.name})"
    return change, paid, fleet, _with_pool(inventory, grown)


def _with_pool(inventory: Inventory, changed: NodePool) -> Inventory:
    """The inventory with the pool of that name replaced."""
    pools = tuple(changed if pool.name == changed.name else pool for pool in inventory.pools)
    return replace(inventory, pools=pools)
