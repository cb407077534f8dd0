"""Realistic plans for tests: `company_plan()` with three pools, `tiny_plan()` with one card.

Bytes are plausible, not computed: parts add up to totals and cards hold what sits on them, so
that renderers and reports can be checked for consistency without the planner.
"""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from packer.domain.basis import Basis
from packer.domain.node import Sharing
from packer.domain.workload import Objective, Spread
from packer.plan.plan import (
    Alternative,
    Baselines,
    CardBudget,
    DeviceBytes,
    HostBytes,
    Inputs,
    NodeBudget,
    PlacedVariant,
    Placement,
    Plan,
    Policy,
    Run,
    ServedBand,
    ServerImageUsed,
    Status,
    Versions,
    WorkloadSummary,
)
from packer.units import GIB, MIB

IMAGE = "ghcr.io/ggml-org/llama.cpp:server-cuda-b11434"
BUILD = "b11434"
L40S_BYTES = 45467 * MIB
A100_BYTES = 81151 * MIB
RTX_4090_BYTES = 24077 * MIB
HEADROOM_BYTES = 512 * MIB
PROCESS_BYTES = 420 * MIB

_BASIS = {
    "weights": Basis.EXACT,
    "context": Basis.EXACT,
    "compute": Basis.CALIBRATED,
    "process": Basis.CALIBRATED,
}


def device_bytes(
    weights: float, context: float, compute: float = 0.5, projector: float = 0.0
) -> DeviceBytes:
    """Bytes of one replica on one card from its parts [GiB]; the band is ±1 %."""
    parts = [int(part * GIB) for part in (weights, context, compute, projector)]
    total = sum(parts) + PROCESS_BYTES
    return DeviceBytes(
        weights_bytes=parts[0],
        context_bytes=parts[1],
        compute_bytes=parts[2],
        draft_weights_bytes=0,
        draft_context_bytes=0,
        draft_compute_bytes=0,
        projector_bytes=parts[3],
        process_bytes=PROCESS_BYTES,
        total_bytes=total,
        low_bytes=total - total // 100,
        high_bytes=total + total // 100,
        basis=dict(_BASIS),
    )


def host_bytes(
    weights: float = 0.3, prompt_cache: float = 2.0, checkpoints: float = 0.25
) -> HostBytes:
    """Bytes of one replica in its node's memory from its parts [GiB]."""
    weights_bytes = int(weights * GIB)
    prompt_cache_bytes = int(prompt_cache * GIB)
    checkpoint_bytes = int(checkpoints * GIB)
    fixed = {"compute_bytes": 40 * MIB, "output_bytes": 2 * MIB, "process_bytes": 600 * MIB}
    return HostBytes(
        weights_bytes=weights_bytes,
        context_bytes=0,
        prompt_cache_bytes=prompt_cache_bytes,
        checkpoint_bytes=checkpoint_bytes,
        draft_bytes=0,
        total_bytes=weights_bytes + prompt_cache_bytes + checkpoint_bytes + sum(fixed.values()),
        **fixed,
    )


def command_line(
    alias: str, model_path: str, *, slots: int, context: int, cache_type: str, extra: Sequence[str]
) -> tuple[str, ...]:
    """A command line with every sizing flag, as the planner writes it."""
    return (
        "llama-server",
        *("--model", model_path),
        *("--alias", alias),
        *("--host", "0.0.0.0"),
        *("--port", "8080"),
        *("--ctx-size", str(slots * context)),
        *("--parallel", str(slots)),
        "--no-kv-unified",
        *("--batch-size", "2048"),
        *("--ubatch-size", "512"),
        *("--cache-type-k", cache_type),
        *("--cache-type-v", cache_type),
        *("--flash-attn", "on"),
        *("--gpu-layers", "999"),
        *("--cache-ram", "2048"),
        *("--ctx-checkpoints", "8"),
        *("--fit", "off"),
        "--metrics",
        *extra,
    )


def placement(
    workload: str,
    replica: int,
    node: str,
    gpus: tuple[int, ...],
    devices: tuple[DeviceBytes, ...],
    *,
    file: str,
    quantization: str = "Q4_K_M",
    rank: int = 0,
    slots: int = 4,
    context: int = 16384,
    cache_type: str = "f16",
    layers: tuple[int, ...] = (33,),
    basis: Basis = Basis.ESTIMATED,
    extra: tuple[str, ...] = (),
    host: HostBytes | None = None,
    projector_file: str = "",
) -> Placement:
    """One replica; `file` is the model's path in the claim `models`, mounted read-only."""
    split = ("--split-mode", "layer", "--tensor-split", ",".join(map(str, layers)))
    flags = (*(split if len(gpus) > 1 else ("--split-mode", "none")), *extra)
    if projector_file:
        flags = (*flags, "--mmproj", f"/models/pvc/models/{projector_file}")
    return Placement(
        workload=workload,
        replica=replica,
        variant=PlacedVariant(
            quantization=quantization,
            rank=rank,
            model=f"catalogue:{workload}:{quantization}",
            mount=f"pvc://models/{file}",
            file_bytes=sum(device.weights_bytes for device in devices),
            cache_type_k=cache_type,
            cache_type_v=cache_type,
            context_per_slot=context,
            slots=slots,
            layers_per_gpu=layers,
            layer_count=sum(layers),
            basis=basis,
            projector_model=f"catalogue:{workload}:mmproj" if projector_file else "",
            projector_mount=f"pvc://models/{projector_file}" if projector_file else "",
        ),
        node=node,
        gpus=gpus,
        argv=command_line(
            workload,
            f"/models/pvc/models/{file}",
            slots=slots,
            context=context,
            cache_type=cache_type,
            extra=flags,
        ),
        devices=devices,
        host=host or host_bytes(),
    )


def node(
    name: str,
    pool: str,
    product: str,
    label: str,
    card_bytes: int,
    card_count: int,
    placements: Sequence[Placement],
    *,
    zone: str = "",
    sharing: Sharing = Sharing.DRA,
    uuids: tuple[str, ...] = (),
    is_live: bool = False,
    price: str | None = "7.20",
    host_gib: int = 256,
) -> NodeBudget:
    """One node whose budgets are the sums of the placements on it."""
    here = [placed for placed in placements if placed.node == name]
    used, expected = [0] * card_count, [0] * card_count
    for placed in here:
        for gpu, device in zip(placed.gpus, placed.devices, strict=True):
            used[gpu] += device.high_bytes
            expected[gpu] += device.total_bytes
    return NodeBudget(
        name=name,
        pool=pool,
        product=product,
        zone=zone,
        sharing=sharing,
        is_used=bool(here),
        cards=tuple(
            CardBudget(
                index=index,
                uuid=uuids[index] if uuids else "",
                allocatable_bytes=card_bytes,
                taken_bytes=0,
                headroom_bytes=max(HEADROOM_BYTES, -(-card_bytes * 2 // 100)),
                used_bytes=used[index],
                expected_bytes=expected[index],
            )
            for index in range(card_count)
        ),
        host_allocatable_bytes=host_gib * GIB,
        host_used_bytes=sum(placed.host.total_bytes for placed in here),
        price_per_hour=None if price is None else Decimal(price),
        currency="USD",
        product_label=label,
        is_live=is_live,
    )


def summary(
    name: str,
    model: str,
    architecture: str,
    replicas: int = 1,
    *,
    quantizations: tuple[str, ...] = ("Q4_K_M",),
    spread: Spread = Spread.NONE,
    slots: int = 4,
    context: int = 16384,
    embedding: bool = False,
    why_not_better: str = "",
    refused: tuple[Alternative, ...] = (),
) -> WorkloadSummary:
    """What was asked for one workload."""
    return WorkloadSummary(
        name=name,
        model=model,
        architecture=architecture,
        replicas=replicas,
        quantizations=quantizations,
        cache_types=("f16", "q8_0"),
        context_per_slot=context,
        slots=slots,
        spread=spread,
        embedding=embedding,
        reranking=False,
        min_available=max(0, replicas - 1),
        why_not_better=why_not_better,
        refused=refused,
    )


def plan_of(
    name: str,
    workloads: tuple[WorkloadSummary, ...],
    placements: tuple[Placement, ...],
    nodes: tuple[NodeBudget, ...],
    *,
    baselines: Baselines,
    notes: tuple[str, ...] = (),
    keep_apart: tuple[tuple[str, ...], ...] = (),
) -> Plan:
    """A plan, proven optimal for its number of cards."""
    cards = len({(placed.node, gpu) for placed in placements for gpu in placed.gpus})
    prices = [used.price_per_hour for used in nodes if used.is_used]
    known = [price for price in prices if price is not None]
    return Plan(
        name=name,
        status=Status.OPTIMAL,
        objective=Objective.CARDS,
        objective_value=Decimal(cards),
        bound=Decimal(cards),
        gap=0.0,
        cards=cards,
        cards_available=sum(len(each.cards) for each in nodes),
        price_per_hour=sum(known, Decimal(0)) if len(known) == len(prices) else None,
        currency="USD",
        baselines=baselines,
        server=ServerImageUsed(IMAGE, BUILD),
        workloads=workloads,
        placements=placements,
        nodes=nodes,
        policy=Policy(Objective.CARDS, HEADROOM_BYTES, 2, keep_apart, (), 1, "0"),
        inputs=Inputs("fleet.yaml", "1f" * 32, "inventory.yaml", "2e" * 32),
        versions=Versions("0.1.0", "9.15.6755", BUILD, "2026-11"),
        notes=notes,
        run=Run(1.25, 3.5, "2026-11-22T10:00:00Z", "3.11.7", "Linux-x86_64", 2),
    )


def company_plan() -> Plan:
    """Three pools, split replicas, two replicas spread over nodes, embeddings, a whole pool.

    On `a100-0` two split models overlap: cards 0–1 and 1–2 form one group of three cards.
    The 4090 pool shares whole cards, so its two card groups become router pods.
    """
    placements = (
        *(
            placement(
                "chat",
                replica,
                f"l40s-{replica}",
                (0, 1),
                (device_bytes(19.6, 5.1), device_bytes(20.0, 5.0)),
                file="Llama-3.3-70B-Instruct-Q4_K_M.gguf",
                rank=1,
                slots=8,
                cache_type="q8_0",
                layers=(40, 41),
                basis=Basis.EXACT,
            )
            for replica in (0, 1)
        ),
        placement(
            "code",
            0,
            "l40s-0",
            (2,),
            (device_bytes(25.4, 8.0),),
            file="Qwen2.5-Coder-32B-Q6_K.gguf",
            quantization="Q6_K",
            layers=(65,),
        ),
        placement(
            "embed",
            0,
            "l40s-0",
            (0,),
            (device_bytes(0.6, 1.1),),
            file="Qwen3-Embedding-0.6B-F16.gguf",
            quantization="F16",
            slots=8,
            context=2048,
            layers=(29,),
            extra=("--embedding", "--pooling", "last"),
            host=host_bytes(prompt_cache=0.0, checkpoints=0.0),
        ),
        placement(
            "embed",
            1,
            "rtx-0",
            (0,),
            (device_bytes(0.6, 1.1),),
            file="Qwen3-Embedding-0.6B-F16.gguf",
            quantization="F16",
            slots=8,
            context=2048,
            layers=(29,),
            extra=("--embedding", "--pooling", "last"),
            host=host_bytes(prompt_cache=0.0, checkpoints=0.0),
        ),
        placement(
            "moe",
            0,
            "a100-0",
            (0, 1),
            (device_bytes(30.0, 9.5), device_bytes(30.3, 9.0)),
            file="Qwen3-30B-A3B-BF16.gguf",
            quantization="BF16",
            layers=(24, 25),
        ),
        placement(
            "oss",
            0,
            "a100-0",
            (1, 2),
            (device_bytes(28.9, 4.1), device_bytes(30.0, 4.0)),
            file="gpt-oss-120b-mxfp4-00001-of-00003.gguf",
            quantization="MXFP4",
            layers=(18, 19),
        ),
        placement(
            "vision",
            0,
            "rtx-0",
            (1,),
            (device_bytes(7.3, 3.0, projector=0.8),),
            file="gemma-3-12b-it-Q4_K_M.gguf",
            layers=(49,),
            projector_file="mmproj-gemma-3-12b.gguf",
        ),
        placement(
            "small",
            0,
            "rtx-0",
            (1,),
            (device_bytes(4.6, 2.0),),
            file="Qwen3-8B-Q4_K_M.gguf",
            layers=(37,),
        ),
    )
    l40s = ("l40s", "L40S", "NVIDIA-L40S", L40S_BYTES, 4, placements)
    nodes = (
        node("l40s-0", *l40s, zone="eu-a"),
        node("l40s-1", *l40s, zone="eu-b"),
        node("l40s-2", *l40s, zone="eu-b"),
        node(
            "a100-0",
            "a100",
            "A100 SXM 80GB",
            "NVIDIA-A100-SXM4-80GB",
            A100_BYTES,
            8,
            placements,
            zone="eu-a",
            price="19.60",
            host_gib=960,
        ),
        node(
            "rtx-0",
            "rtx",
            "RTX 4090",
            "NVIDIA-GeForce-RTX-4090",
            RTX_4090_BYTES,
            2,
            placements,
            zone="eu-a",
            sharing=Sharing.WHOLE,
            price="0.90",
            host_gib=64,
        ),
    )
    refused = (
        Alternative("Q5_K_M", "needs 52.3 GiB on 2 × L40S; 43.5 GiB are left on the second"),
    )
    workloads = (
        summary(
            "chat",
            "catalogue:llama-3.1-70b",
            "llama",
            2,
            quantizations=("Q5_K_M", "Q4_K_M"),
            spread=Spread.NODE,
            slots=8,
            why_not_better="Q5_K_M needs 2 more cards",
            refused=refused,
        ),
        summary("code", "catalogue:qwen2.5-coder-32b", "qwen2", quantizations=("Q6_K", "Q4_K_M")),
        summary(
            "embed",
            "catalogue:qwen3-embedding-0.6b",
            "qwen3",
            2,
            quantizations=("F16",),
            slots=8,
            context=2048,
            embedding=True,
        ),
        summary("moe", "catalogue:qwen3-30b-a3b", "qwen3moe", quantizations=("BF16",)),
        summary("oss", "catalogue:gpt-oss-120b", "gpt-oss", quantizations=("MXFP4",)),
        summary("vision", "catalogue:gemma-3-12b", "gemma3"),
        summary("small", "catalogue:qwen3-8b", "qwen3"),
    )
    return plan_of(
        "company",
        workloads,
        placements,
        nodes,
        baselines=Baselines(
            fp16_one_model_per_card_set_cards=19,
            fp16_one_model_per_card_set_price_per_hour=Decimal("61.20"),
            quantized_one_model_per_card_set_cards=13,
            quantized_one_model_per_card_set_price_per_hour=Decimal("41.30"),
            first_fit_decreasing_cards=11,
            first_fit_decreasing_price_per_hour=Decimal("34.90"),
            lower_bound_cards=10,
            lower_bound_price_per_hour=Decimal("34.90"),
        ),
        notes=("catalogue sizes are estimated until the served file's header has been read",),
    )


def tiny_plan() -> Plan:
    """One model on one card of one node without a price."""
    placements = (
        placement("chat", 0, "lab-0", (0,), (device_bytes(4.6, 2.0),), file="Qwen3-8B-Q4_K_M.gguf"),
    )
    lab = node(
        "lab-0", "lab", "L40S", "NVIDIA-L40S", L40S_BYTES, 1, placements, price=None, host_gib=64
    )
    return plan_of(
        "tiny",
        (summary("chat", "catalogue:qwen3-8b", "qwen3"),),
        placements,
        (lab,),
        baselines=Baselines(1, None, 1, None, 1, None, 1, None),
    )


SLICE_UUIDS = tuple(f"MIG-00000000-0000-0000-0000-{slice_:012d}" for slice_ in range(4))
CARD_UUIDS = tuple(f"GPU-00000000-0000-0000-0000-{slice_ // 2:012d}" for slice_ in range(4))
"""The cards the slices of `sliced_plan` are cut from, two of each."""


def sliced_plan(uuids: tuple[str, ...] = ()) -> Plan:
    """Three models on two of four MIG slices of one node."""
    placements = (
        placement("chat", 0, "mig-0", (0,), (device_bytes(18.0, 5.0),), file="chat.gguf"),
        placement("small", 0, "mig-0", (0,), (device_bytes(4.6, 2.0),), file="small.gguf"),
        placement("code", 0, "mig-0", (1,), (device_bytes(25.4, 8.0),), file="code.gguf"),
    )
    budget = node(
        "mig-0",
        "mig",
        "A100 SXM 80GB 3g.40gb",
        "NVIDIA-A100-SXM4-80GB-MIG-3g.40gb",
        40192 * MIB,
        4,
        placements,
        sharing=Sharing.MIG,
        uuids=uuids,
        is_live=bool(uuids),
    )
    return plan_of(
        "sliced",
        (
            summary("chat", "catalogue:qwen3-32b", "qwen3"),
            summary("small", "catalogue:qwen3-8b", "qwen3"),
            summary("code", "catalogue:qwen2.5-coder-32b", "qwen2"),
        ),
        placements,
        (budget,),
        baselines=Baselines(3, None, 3, None, 2, None, 2, None),
    )


def banded_plan() -> Plan:
    """The company's plan, in which `small` and `vision` share the name `assist` by prompt length.

    Embeddings are there already; `code` is made a reranker.
    """
    plan = company_plan()
    bands = {
        "small": ServedBand("assist", 0, 3000, 4096),
        "vision": ServedBand("assist", 3000, 15000, 16384),
    }
    workloads = tuple(
        replace(one, band=bands.get(one.name), reranking=one.name == "code")
        for one in plan.workloads
    )
    return replace(plan, workloads=workloads)
