"""The independent audit: every card's budget again, from the chosen command lines alone.

Shares no code with the solver. It believes nothing in the plan but ``argv``, ``node`` and ``gpus``:
it parses each command line, asks the memory model what that process takes, adds up every card and
node, and compares with what the plan says and with every wish and rule of the fleet.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from packer.domain.node import Inventory
from packer.domain.server_options import ServerOptions
from packer.domain.workload import Fleet, Workload
from packer.errors import AuditFailed, InvalidInput
from packer.memory.calibration import with_measured_processes
from packer.memory.card_reserve import card_reserve_bytes
from packer.memory.estimate import estimate_memory
from packer.memory.result import MemoryEstimate
from packer.memory.visible_card import visible_card
from packer.plan.audit_rules import Site, broken_rules
from packer.plan.audit_speed import broken_speeds
from packer.plan.audit_wishes import broken_wishes, variant_of
from packer.plan.plan import Placement, Plan

ParseArguments = Callable[[Sequence[str]], ServerOptions]


def audit(plan: Plan, fleet: Fleet, inventory: Inventory, parse: ParseArguments) -> None:
    """Raise AuditFailed with every contradiction of a plan, its command lines and the rules."""
    findings = tuple(find_contradictions(plan, fleet, inventory, parse))
    if findings:
        raise AuditFailed(findings)


def find_contradictions(
    plan: Plan, fleet: Fleet, inventory: Inventory, parse: ParseArguments
) -> Iterator[str]:
    """Every way the plan contradicts its own command lines, its inventory or its fleet.

    Process overheads are those of the calibration that the plan records.
    """
    learnt = plan.calibration
    inventory = with_measured_processes(inventory, learnt.processes if learnt else ())
    sites = {
        pool.node_name(index): Site(pool, index)
        for pool in inventory.pools
        for index in range(pool.nodes)
    }
    workloads = {workload.name: workload for workload in fleet.workloads}
    sound: list[Placement] = []
    estimates: dict[tuple[str, int], MemoryEstimate] = {}
    for placement in plan.placements:
        broken = list(_broken_references(placement, workloads, sites))
        yield from broken
        if broken:
            continue
        workload, who = workloads[placement.workload], _who(placement)
        try:
            options = parse(placement.argv)
            estimate = _recompute(placement, workload, sites[placement.node], options, plan)
        except InvalidInput as error:
            yield f"{who}: its argv is refused: {error.problems[0].title}"
            continue
        yield from (f"{who}: {one}" for one in broken_wishes(placement, workload, options))
        sound.append(placement)
        estimates[placement.workload, placement.replica] = estimate
    yield from _wrong_bytes(sound, estimates, workloads)
    yield from _overfull_cards(plan, sound, estimates, sites, fleet)
    yield from _overfull_nodes(sound, estimates, sites)
    yield from broken_speeds(plan, sound, estimates, workloads, sites, parse)
    yield from broken_rules(plan, sound, fleet, sites)


def _who(placement: Placement) -> str:
    return f"{placement.workload}-{placement.replica}"


def _broken_references(
    placement: Placement, workloads: Mapping[str, Workload], sites: Mapping[str, Site]
) -> Iterator[str]:
    who = _who(placement)
    site = sites.get(placement.node)
    workload = workloads.get(placement.workload)
    if workload is None:
        yield f"{who}: no such workload"
    elif variant_of(placement, workload) is None:
        yield f"{who}: {placement.variant.quantization} is not among its quantizations"
    if site is None:
        yield f"{who}: no node {placement.node}"
        return
    yield from _broken_site(who, placement, site)
    if workload is not None and not _allows(workload, site.pool.gpu.name):
        yield f"{who}: {site.pool.gpu.name} is refused by the fleet"


def _broken_site(who: str, placement: Placement, site: Site) -> Iterator[str]:
    if placement.node in site.pool.unavailable:
        yield f"{who}: node {placement.node} is unavailable"
    if len(set(placement.gpus)) != len(placement.gpus) or not placement.gpus:
        yield f"{who}: its cards are not distinct"
    if any(not 0 <= gpu < site.pool.gpus_per_node for gpu in placement.gpus):
        yield f"{who}: {placement.node} has no such card"


def _allows(workload: Workload, product: str) -> bool:
    allowed = not workload.allowed_gpus or product in workload.allowed_gpus
    return allowed and product not in workload.refused_gpus


def _recompute(
    placement: Placement, workload: Workload, site: Site, options: ServerOptions, plan: Plan
) -> MemoryEstimate:
    """Bytes of one process, from its command line on the cards it is given."""
    card = visible_card(site.pool.gpu)
    variant = variant_of(placement, workload)
    assert variant is not None  # noqa: S101 — _broken_references has seen it
    return estimate_memory(
        variant.model,
        options,
        [card] * len(placement.gpus),
        draft=workload.draft.variant.model if workload.draft and options.draft else None,
        projector=workload.projector.model if workload.projector else None,
        build=plan.server.build,
    )


_Estimates = Mapping[tuple[str, int], MemoryEstimate]


def _wrong_bytes(
    placements: Iterable[Placement], estimates: _Estimates, workloads: Mapping[str, Workload]
) -> Iterator[str]:
    for placement in placements:
        who = _who(placement)
        estimate = estimates[placement.workload, placement.replica]
        for said, real in zip(placement.devices, estimate.devices, strict=False):
            if (said.total_bytes, said.high_bytes) != (real.total_bytes, real.high_bytes):
                yield f"{who}: the plan says {said.high_bytes} bytes, its argv {real.high_bytes}"
        if len(placement.devices) != len(estimate.devices):
            yield f"{who}: the plan lists {len(placement.devices)} cards"
        if placement.host.total_bytes != estimate.host.total_bytes:
            yield f"{who}: the plan and its argv differ on node memory"
        asked = workloads[placement.workload].context_per_slot
        if estimate.context_cells_per_slot < asked:
            yield f"{who}: a slot holds {estimate.context_cells_per_slot} cells, {asked} are asked"


def _overfull_cards(
    plan: Plan,
    placements: Iterable[Placement],
    estimates: _Estimates,
    sites: Mapping[str, Site],
    fleet: Fleet,
) -> Iterator[str]:
    used: dict[tuple[str, int], int] = defaultdict(int)
    for placement in placements:
        estimate = estimates[placement.workload, placement.replica]
        for gpu, device in zip(placement.gpus, estimate.devices, strict=False):
            used[placement.node, gpu] += device.high_bytes
    for (node, gpu), total in used.items():
        site = sites[node]
        free = site.pool.free_bytes(site.index, gpu)
        room = free - card_reserve_bytes(site.pool, fleet.headroom)
        if total > room:
            yield f"{node} card {gpu}: {total} bytes are planned, {room} are allocatable"
    stated = {
        (node.name, card.index): card.used_bytes
        for node in plan.nodes
        for card in node.cards
        if card.used_bytes
    }
    for place in stated.keys() | used.keys():
        if stated.get(place, 0) != used.get(place, 0):
            yield f"{place[0]} card {place[1]}: the plan's sum is not that of its processes"


def _overfull_nodes(
    placements: Iterable[Placement], estimates: _Estimates, sites: Mapping[str, Site]
) -> Iterator[str]:
    used: Counter[str] = Counter()
    for placement in placements:
        estimate = estimates[placement.workload, placement.replica]
        used[placement.node] += estimate.host.total_bytes
    for node, total in used.items():
        limit = sites[node].pool.host_free_bytes(sites[node].index)
        if total > limit:
            yield f"{node}: {total} bytes of node memory are planned, {limit} are there"
