"""What must hold of any plan and of any refusal, found out without the planner.

The plan is read back from its file; its command lines are taken from what was rendered and go
through `estimate` like any other; refusals go to the certificate checker, which shares nothing
with the solver.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise, product
from pathlib import Path

from packer import api
from packer.domain.node import Inventory, NodePool
from packer.domain.workload import Fleet, Objective, Workload
from packer.errors import Infeasible, InvalidInput
from packer.host_services.options import HostTarget
from packer.llamacpp.arguments import parse_arguments
from packer.memory.card_reserve import card_reserve_bytes
from packer.memory.estimate import estimate_memory
from packer.memory.result import DeviceEstimate, MemoryEstimate
from packer.memory.visible_card import visible_card
from packer.plan.audit import find_contradictions
from packer.plan.plan import DeviceBytes, Placement, Plan
from packer.plan.replica_choice import counts_to_try, relaxed_instance, with_counts
from packer.solver.candidates import find_candidates_by_replicas
from packer.solver.certificate_search import is_impossible
from packer.solver.fleet_instance import fleet_instance
from packer.solver.instance_writer import format_instance
from packer.solver.offers import offers_of
from packer.spec.plan_file import format_plan, read_plan
from packer.units import MIB
from tests.rendered_commands import RenderedCommand, host_commands, kubernetes_commands

_PARTS = ("weights", "context", "compute", "draft_weights", "draft_context", "draft_compute")


def faults_of_plan(plan: Plan, inputs: api.Input, models: Path, number: int) -> Iterator[str]:
    """Everything wrong with a plan.

    Args:
        plan: The plan.
        inputs: What it was made from.
        models: Folder that model paths start from.
        number: Which hosts' target is rendered beside Kubernetes.
    """
    text = format_plan(plan)
    again = read_plan(text, "plan.json")
    if format_plan(again) != text:
        yield "the plan file is not read back as it was"
    served = _served(inputs.fleet, again)
    yield from find_contradictions(again, served, inputs.inventory, parse_arguments)
    yield from _overfull(again, inputs)
    yield from _wrong_rules(again, served, inputs.inventory)
    yield from _wrong_commands(again, inputs.inventory, models, number)


def _served(fleet: Fleet, plan: Plan) -> Fleet:
    """The fleet with the numbers the plan chose."""
    numbers = {one.name: (one.replicas, one.slots) for one in plan.workloads}
    workloads = tuple(
        replace(
            one,
            replicas=numbers[one.name][0] if one.derives_replicas else one.replicas,
            slots=numbers[one.name][1] if one.derives_slots else one.slots,
        )
        for one in fleet.workloads
    )
    return replace(fleet, workloads=workloads)


def _overfull(plan: Plan, inputs: api.Input) -> Iterator[str]:
    """Cards and nodes with more on them than they have, added up here."""
    cards: Counter[tuple[str, int]] = Counter()
    hosts: Counter[str] = Counter()
    for one in plan.placements:
        hosts[one.node] += one.host.total_bytes
        for gpu, device in zip(one.gpus, one.devices, strict=True):
            cards[one.node, gpu] += device.high_bytes
    sites = _sites(inputs.inventory)
    for (node, gpu), used in cards.items():
        pool, index = sites[node]
        reserve = card_reserve_bytes(pool, inputs.fleet.headroom)
        if used > pool.free_bytes(index, gpu) - reserve:
            yield f"{node} card {gpu} is overfull"
    for node, used in hosts.items():
        pool, index = sites[node]
        if used > pool.host_free_bytes(index):
            yield f"the memory of {node} is overfull"


def _sites(inventory: Inventory) -> dict[str, tuple[NodePool, int]]:
    return {
        pool.node_name(index): (pool, index)
        for pool in inventory.pools
        for index in range(pool.nodes)
    }


def _wrong_rules(plan: Plan, fleet: Fleet, inventory: Inventory) -> Iterator[str]:
    """Counts, spread, links, places and money, by the words of the documentation."""
    sites = _sites(inventory)
    placed = Counter(one.workload for one in plan.placements)
    for workload in fleet.workloads:
        if placed[workload.name] != workload.replicas:
            yield f"{workload.name}: {placed[workload.name]} of {workload.replicas} replicas"
        units: dict[str, list[object]] = {
            "none": [],
            "node": [p.node for p in plan.placements if p.workload == workload.name],
            "zone": [
                sites[p.node][0].zone_of(sites[p.node][1])
                for p in plan.placements
                if p.workload == workload.name
            ],
        }
        here = units[workload.spread]
        if len(set(here)) != len(here):
            yield f"{workload.name}: replicas share a {workload.spread}"
    for one in plan.placements:
        pool, _ = sites[one.node]
        links = pool.link_groups
        if len(one.gpus) > 1 and links and not any(set(one.gpus) <= set(link) for link in links):
            yield f"{one.workload}-{one.replica} is split across link groups {one.gpus}"
        if one.node in pool.unavailable:
            yield f"{one.workload}-{one.replica} is on a node that is unavailable"
    used = {one.node for one in plan.placements}
    value = sum((sites[node][0].price_per_hour or 0 for node in used), 0 * plan.objective_value)
    if plan.objective is Objective.PRICE and value != plan.objective_value:
        yield f"the nodes cost {value}, the plan says {plan.objective_value}"


def _wrong_commands(plan: Plan, inventory: Inventory, models: Path, number: int) -> Iterator[str]:
    """Rendered command lines whose bytes are not those of the plan."""
    replicas = {f"{one.workload}-{one.replica}": one for one in plan.placements}
    try:
        commands = list(kubernetes_commands(plan))
    except InvalidInput as error:
        codes = {problem.code for problem in error.problems}
        # Ways of sharing that cannot hold a plan say so; see docs/errors.md.
        if not codes <= {"P0718", "P0719", "P0720"}:
            yield f"Kubernetes: {error}"
    else:
        yield from _compared("Kubernetes", commands, replicas, inventory, models, plan)
    target = list(HostTarget)[number % len(HostTarget)]
    try:
        commands = list(host_commands(plan, target))
    except InvalidInput as error:
        yield f"{target}: {error}"
    else:
        yield from _compared(str(target), commands, replicas, inventory, models, plan)


def _compared(
    where: str,
    commands: Sequence[RenderedCommand],
    replicas: dict[str, Placement],
    inventory: Inventory,
    models: Path,
    plan: Plan,
) -> Iterator[str]:
    waiting = dict(replicas)
    for command in commands:
        placement = _taken(waiting, command)
        if placement is None:
            yield f"{where}: {command.server} serves nothing of the plan"
            continue
        pool, _ = _sites(inventory)[placement.node]
        cards = [visible_card(pool.gpu)] * len(command.group or placement.gpus)
        found = api.estimate_server(
            _with_origins(command.words, placement, models),
            cards,
            models=models,
            build=plan.server.build,
        ).memory
        for fault in _wrong_bytes(placement, found, command.group):
            yield f"{where}: {command.server}: {fault}"
    if waiting:
        yield f"{where}: nothing serves {', '.join(waiting)}"


def _taken(waiting: dict[str, Placement], command: RenderedCommand) -> Placement | None:
    """The replica a command line serves; a router and llama-swap may know it by its workload."""
    for name, one in waiting.items():
        is_here = command.node in ("", one.node) and set(one.gpus) <= {*(command.group or one.gpus)}
        if is_here and command.server in (name, one.workload):
            return waiting.pop(name)
    return None


def _with_origins(words: Sequence[str], placement: Placement, models: Path) -> list[str]:
    """The command line with the models the plan was computed from in place of mounted paths."""
    variant = placement.variant
    flags = {"--model": variant.model, "--spec-draft-model": variant.draft_model}
    changed = list(words)
    for index, (flag, _) in enumerate(pairwise(words)):
        if flag in flags:
            changed[index + 1] = flags[flag].removeprefix(f"{models}/")
    return changed


def _wrong_bytes(
    placement: Placement, found: MemoryEstimate, group: Sequence[int]
) -> Iterator[str]:
    seen = group or placement.gpus
    planned = dict(zip(placement.gpus, placement.devices, strict=True))
    for gpu, real in zip(seen, found.devices, strict=True):
        if gpu not in planned:
            if real.high_bytes:
                yield f"card {gpu} is not its own and takes {real.high_bytes} bytes"
            continue
        if _parts(planned[gpu]) != _parts(real):
            yield f"card {gpu}: planned {_parts(planned[gpu])}, estimated {_parts(real)}"
    if placement.host.total_bytes != (found.host.total_bytes):
        yield f"host: planned {placement.host.total_bytes}, estimated {found.host.total_bytes}"
    if found.context_cells_per_slot < placement.variant.context_per_slot:
        yield f"a slot has {found.context_cells_per_slot} cells"
    if found.slots != placement.variant.slots:
        yield f"{found.slots} slots"


def _parts(one: DeviceBytes | DeviceEstimate) -> tuple[int, ...]:
    parts = (getattr(one, f"{part}_bytes") for part in _PARTS)
    return (*parts, one.projector_bytes, one.process_bytes, one.low_bytes, one.high_bytes)


def faults_of_refusal(refusal: Infeasible, inputs: api.Input) -> Iterator[str]:
    """Everything wrong with an "infeasible": it must be proven again, by the checker alone."""
    if not refusal.reasons:
        yield "no reason is given"
    fleet, inventory = inputs.fleet, inputs.inventory
    offers = offers_of(inventory, fleet.headroom)
    build = fleet.server_image.build
    share = fleet.load_limit_percent / 100
    families = [
        find_candidates_by_replicas(one, offers, build=build, most_share=share)
        for one in fleet.workloads
    ]
    for family in families:
        if not any(one.candidates for one in family):
            yield from _overlooked(fleet, inventory, family[0].workload.name)
            return
    counts = counts_to_try(families, offers, fleet.load_limit_percent)
    conflict = [reason.requirement for reason in refusal.reasons]
    if len(counts.tried) == 1:
        packed = fleet_instance(fleet, inventory, counts.tried[0]).instance
        if not is_impossible(format_instance(packed), below=None, requirements=conflict):
            yield f"the conflict {conflict} can be resolved"
        return
    every = [one for family in families for one in family if one.candidates]
    packed = fleet_instance(with_counts(fleet, counts.tried[0]), inventory, every).instance
    relaxed = format_instance(relaxed_instance(packed))
    tried = (
        fleet_instance(with_counts(fleet, sets), inventory, sets).instance
        for sets in counts.tried
        if all(one.candidates for one in sets)
    )
    if is_impossible(relaxed, below=None, requirements=None):
        return
    if not counts.is_complete or not all(
        is_impossible(format_instance(one), below=None, requirements=None) for one in tried
    ):
        yield "another number of replicas may have a plan"


def _overlooked(fleet: Fleet, inventory: Inventory, name: str) -> Iterator[str]:
    """A way to run a workload that is said to fit no card: on one card, or evenly on several.

    Only for workloads whose command line is short; what a draft, a goal or a pooled cache needs is
    compared with other figures elsewhere.
    """
    (workload,) = (one for one in fleet.workloads if one.name == name)
    is_plain = not (workload.has_speed_wishes or workload.min_bits_per_weight or workload.draft)
    pools = workload.embedding or workload.reranking or workload.kv_unified
    if not is_plain or workload.is_high_fidelity or pools:
        return
    for pool, count in _sets_of_cards(workload, inventory):
        room = pool.gpu.allocatable_bytes - card_reserve_bytes(pool, fleet.headroom)
        cards = [visible_card(pool.gpu)] * count
        for variant, cache in product(workload.variants, workload.cache_types):
            options = parse_arguments(_plain_words(workload, cache))
            found = estimate_memory(variant.model, options, cards)
            fits = found.host.total_bytes <= pool.host_memory_bytes
            if fits and all(one.high_bytes <= room - MIB for one in found.devices):
                yield f"{name}: {variant.quantization} fits {count} × {pool.gpu.name}"


def _sets_of_cards(workload: Workload, inventory: Inventory) -> Iterator[tuple[NodePool, int]]:
    for pool in inventory.pools:
        allowed = not workload.allowed_gpus or pool.gpu.name in workload.allowed_gpus
        if not allowed or pool.gpu.name in workload.refused_gpus:
            continue
        cards = 1 if pool.gpu.is_slice else pool.gpus_per_node
        most = min(cards, workload.max_gpus or cards, _untouched_cards(pool))
        for count in range(1, most + 1):
            yield pool, count


def _untouched_cards(pool: NodePool) -> int:
    """Cards that nobody else holds anything of, on the node with most of them."""
    held = (pool.taken.get(pool.node_name(index), {}) for index in range(pool.nodes))
    return max((pool.gpus_per_node - sum(map(bool, one.values())) for one in held), default=0)


def _plain_words(workload: Workload, cache: str) -> tuple[str, ...]:
    cells = workload.slots * (-(-workload.context_per_slot // 256) * 256)
    return (
        *("llama-server", "-m", "m.gguf", "-ngl", "999", "--no-kv-unified", "--fit", "off"),
        *("-c", str(cells), "-np", str(workload.slots), "-ub", str(workload.ubatch_size)),
        *("-fa", "on", "-ctk", cache, "-ctv", cache),
        *("--cache-ram", str(workload.prompt_cache_bytes // MIB)),
        *("--ctx-checkpoints", str(workload.context_checkpoints)),
    )
