"""From assignments to a plan: placements with command lines, and the budget of every node."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from decimal import Decimal

from packer.domain.basis import Basis
from packer.domain.model_mount import MODEL_ROOT, model_pod_path
from packer.domain.node import Inventory, NodePool
from packer.domain.server_options import ServerOptions
from packer.domain.serving_options import ServingOptions
from packer.domain.workload import Fleet, Variant, Workload
from packer.memory.card_reserve import card_reserve_bytes
from packer.memory.result import DeviceEstimate, HostEstimate
from packer.performance.learnt import Learnt
from packer.plan.plan import (
    CardBudget,
    DeviceBytes,
    HostBytes,
    NodeBudget,
    PlacedVariant,
    Placement,
)
from packer.plan.replica_figures import planned_speed, replica_of
from packer.solver.assignment import Assignment
from packer.solver.replica_options import drafts_with_model

FormatCommand = Callable[[ServerOptions, ServingOptions], tuple[str, ...]]


def placements_of(
    assignments: Iterable[Assignment],
    fleet: Fleet,
    format_command: FormatCommand,
    learnt: Learnt | None = None,
) -> tuple[Placement, ...]:
    """Placements in the order of the fleet file, each with its exact command line.

    Args:
        assignments: What was chosen for every replica.
        fleet: What was asked.
        format_command: Writes a command line.
        learnt: The user's own measurements of speed.
    """
    order = {workload.name: rank for rank, workload in enumerate(fleet.workloads)}
    workloads = {workload.name: workload for workload in fleet.workloads}
    build = fleet.server_image.build
    placed = [
        _placement(one, workloads[one.candidate.workload], format_command, learnt, build)
        for one in assignments
    ]
    return tuple(sorted(placed, key=lambda p: (order[p.workload], p.replica)))


def _placement(
    one: Assignment,
    workload: Workload,
    format_command: FormatCommand,
    learnt: Learnt | None,
    build: str,
) -> Placement:
    candidate, estimate = one.candidate, one.candidate.estimate
    variant = workload.variants[candidate.variant]
    draft = workload.draft if drafts_with_model(workload, candidate.way) else None
    replica = replica_of(workload, variant, candidate.options, estimate, one.pool, learnt, build)
    serving = ServingOptions(
        alias=workload.name,
        model_path=path_in_pod(variant),
        draft_path=path_in_pod(draft.variant) if draft else "",
        projector_path=path_in_pod(workload.projector) if workload.projector else "",
    )
    return Placement(
        workload=workload.name,
        replica=one.replica,
        variant=_placed_variant(one, workload, variant),
        node=one.node_name,
        gpus=one.gpus,
        argv=format_command(candidate.options, serving),
        devices=tuple(map(_device_bytes, estimate.devices)),
        host=_host_bytes(estimate.host),
        speed=planned_speed(replica, workload, candidate.way.load_permille),
    )


def path_in_pod(variant: Variant) -> str:
    """Path inside the pod; without a mount, where the model would lie, to be mounted by hand."""
    if variant.mount:
        return model_pod_path(variant.mount)
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", variant.model.name.rpartition("/")[2])
    return f"{MODEL_ROOT}/{name.removesuffix('.gguf')}.gguf"


def _placed_variant(one: Assignment, workload: Workload, variant: Variant) -> PlacedVariant:
    options, estimate = one.candidate.options, one.candidate.estimate
    counts = tuple(estimate.layers.count(card) for card in range(len(estimate.devices)))
    basis = Basis.EXACT
    for device in estimate.devices:
        for part in device.basis.values():
            basis = basis.worse(part)
    way, projector = one.candidate.way, workload.projector
    draft = workload.draft if drafts_with_model(workload, way) else None
    return PlacedVariant(
        quantization=variant.quantization,
        rank=one.candidate.variant,
        model=variant.model.origin,
        mount=variant.mount,
        file_bytes=variant.model.file_bytes,
        cache_type_k=options.cache_type_k,
        cache_type_v=options.cache_type_v,
        context_per_slot=workload.context_per_slot,
        slots=estimate.slots,
        layers_per_gpu=counts,
        layer_count=len(estimate.layers),
        basis=basis,
        draft_model=draft.variant.model.origin if draft else "",
        draft_mount=draft.variant.mount if draft else "",
        projector_model=projector.model.origin if projector else "",
        projector_mount=projector.mount if projector else "",
        speculation=str(way.speculation) if way.speculation else "",
        cpu_expert_layers=options.cpu_moe_layers,
        cache_cells=way.pool_cells or 0,
    )


def _device_bytes(device: DeviceEstimate) -> DeviceBytes:
    return DeviceBytes(
        weights_bytes=device.weights_bytes,
        context_bytes=device.context_bytes,
        compute_bytes=device.compute_bytes,
        draft_weights_bytes=device.draft_weights_bytes,
        draft_context_bytes=device.draft_context_bytes,
        draft_compute_bytes=device.draft_compute_bytes,
        projector_bytes=device.projector_bytes,
        process_bytes=device.process_bytes,
        total_bytes=device.total_bytes,
        low_bytes=device.low_bytes,
        high_bytes=device.high_bytes,
        basis=dict(device.basis),
    )


def _host_bytes(host: HostEstimate) -> HostBytes:
    return HostBytes(
        weights_bytes=host.weights_bytes,
        context_bytes=host.context_bytes,
        compute_bytes=host.compute_bytes,
        output_bytes=host.output_bytes,
        prompt_cache_bytes=host.prompt_cache_bytes,
        checkpoint_bytes=host.checkpoint_bytes,
        draft_bytes=host.draft_weights_bytes + host.draft_context_bytes + host.draft_compute_bytes,
        process_bytes=host.process_bytes,
        total_bytes=host.total_bytes,
    )


def node_budgets(
    placements: Iterable[Placement], fleet: Fleet, inventory: Inventory
) -> tuple[NodeBudget, ...]:
    """Budget of every node that exists and of every rentable node that is used, in file order."""
    on_node: Mapping[str, list[Placement]] = defaultdict(list)
    for placement in placements:
        on_node[placement.node].append(placement)
    return tuple(
        _node_budget(pool, index, on_node.get(pool.node_name(index), []), fleet)
        for pool in inventory.pools
        for index in range(pool.nodes)
        if not pool.is_rentable or pool.node_name(index) in on_node
    )


def _node_budget(
    pool: NodePool, index: int, placements: list[Placement], fleet: Fleet
) -> NodeBudget:
    name = pool.node_name(index)
    empty = CardBudget(
        index=0,
        uuid="",
        allocatable_bytes=pool.gpu.allocatable_bytes,
        taken_bytes=0,
        headroom_bytes=card_reserve_bytes(pool, fleet.headroom),
        used_bytes=0,
        expected_bytes=0,
    )
    uuids = pool.gpu_uuids.get(name, ())
    cards = tuple(
        replace(
            empty,
            index=gpu,
            uuid=uuids[gpu] if gpu < len(uuids) else "",
            taken_bytes=pool.taken.get(name, {}).get(gpu, 0),
            used_bytes=sum(device.high_bytes for device in _on_card(placements, gpu)),
            expected_bytes=sum(device.total_bytes for device in _on_card(placements, gpu)),
        )
        for gpu in range(pool.gpus_per_node)
    )
    price = pool.price
    return NodeBudget(
        name=name,
        pool=pool.name,
        product=pool.gpu.name,
        zone=pool.zone_of(index),
        sharing=pool.sharing,
        is_used=bool(placements),
        cards=cards,
        host_allocatable_bytes=pool.host_free_bytes(index),
        host_used_bytes=sum(placement.host.total_bytes for placement in placements),
        price_per_hour=pool.price_per_hour,
        currency=price.currency if price else "",
        product_label=pool.gpu.label,
        is_live=bool(pool.node_names),
    )


def _on_card(placements: Iterable[Placement], gpu: int) -> Iterable[DeviceBytes]:
    for placement in placements:
        for index, device in zip(placement.gpus, placement.devices, strict=True):
            if index == gpu:
                yield device


def price_of(nodes: Iterable[NodeBudget]) -> Decimal | None:
    """Hourly price of all used nodes, or None when one of them has no known price. Exact."""
    total = Decimal(0)
    for node in nodes:
        if node.is_used:
            if node.price_per_hour is None:
                return None
            total += node.price_per_hour
    return total
