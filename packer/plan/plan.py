"""A plan: what was decided, for people and programs. The dataclasses are the JSON contract.

``plan.json`` has exactly these fields; ``packer.spec.plan_file`` reads, writes and publishes its
JSON Schema. Everything outside ``run`` is a function of the inputs alone: same inputs, same bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from packer.domain.basis import Basis
from packer.domain.node import Sharing
from packer.domain.rendering import Gateway
from packer.domain.workload import Objective, Spread
from packer.performance.figure import SpeedBasis
from packer.performance.learnt import Learnt
from packer.plan.plan_fields import LEFT_OUT

API_VERSION = "gpu-packer/v1"


class Status(StrEnum):
    """How good the plan is known to be."""

    OPTIMAL = "optimal"
    FEASIBLE = "feasible"


@dataclass(frozen=True)
class ServerImageUsed:
    """Image and llama.cpp build the command lines were written for."""

    image: str
    build: str


@dataclass(frozen=True)
class PlacedVariant:
    """What was chosen for one replica.

    Attributes:
        quantization: Chosen file, such as ``Q4_K_M``.
        rank: Its place in the user's list, 0 is the most wanted.
        model: Origin of the header the bytes were computed from (path or catalogue reference).
        mount: URI the pod mounts; empty if the fleet names none.
        file_bytes: Size of the model file [bytes].
        cache_type_k, cache_type_v: KV cache element types.
        context_per_slot: [tokens]. slots: conversations at once.
        layers_per_gpu: Layers per card, in the order of ``gpus``; the output layer counts as one.
        basis: Worst basis of the bytes.
        speculation: How it drafts where the planner may choose, such as ``mtp, depth 2``.
        cpu_expert_layers: Layers whose experts stay in the node's memory, ``--n-cpu-moe``.
        cache_cells: Cells all slots share, where they share them and the planner sized the pool.
    """

    quantization: str
    rank: int
    model: str
    mount: str
    file_bytes: int
    cache_type_k: str
    cache_type_v: str
    context_per_slot: int
    slots: int
    layers_per_gpu: tuple[int, ...]
    layer_count: int
    basis: Basis
    draft_model: str = ""
    draft_mount: str = ""
    projector_model: str = ""
    projector_mount: str = ""
    speculation: str = field(default="", metadata=LEFT_OUT)
    cpu_expert_layers: int = field(default=0, metadata=LEFT_OUT)
    cache_cells: int = field(default=0, metadata=LEFT_OUT)


@dataclass(frozen=True)
class DeviceBytes:
    """Bytes of one replica on one card, by part; ``high_bytes`` (the upper band) is packed."""

    weights_bytes: int
    context_bytes: int
    compute_bytes: int
    draft_weights_bytes: int
    draft_context_bytes: int
    draft_compute_bytes: int
    projector_bytes: int
    process_bytes: int
    total_bytes: int
    low_bytes: int
    high_bytes: int
    basis: Mapping[str, Basis]


@dataclass(frozen=True)
class HostBytes:
    """Bytes of one replica in its node's memory, by part."""

    weights_bytes: int
    context_bytes: int
    compute_bytes: int
    output_bytes: int
    prompt_cache_bytes: int
    checkpoint_bytes: int
    draft_bytes: int
    process_bytes: int
    total_bytes: int


@dataclass(frozen=True)
class PlannedFigure:
    """One estimate of speed with its band; ``basis`` is measured, calibrated or default."""

    value: float
    low: float
    high: float
    basis: SpeedBasis


@dataclass(frozen=True)
class PlannedSpeed:
    """Speed of one replica, alone on its cards unless said otherwise.

    Attributes:
        decode_tokens_per_second: Of one slot, while ``slots`` of them decode at ``depth``.
        prefill_tokens_per_second: Of a prompt as long as ``depth``.
        slots: Slots busy in 95 of 100 moments; all of them without a demand.
        first_token_p95_seconds: At its share of the demand, with the cards' time it was given.
        load_permille: Part of each card's time it needs to reach its goals; 0 without a demand.
        requests_per_second: Its share of the demand; 0 without one.
        overflow_probability: Chance that the tokens in flight exceed a shared cache.
    """

    decode_tokens_per_second: PlannedFigure
    decode_aggregate_tokens_per_second: PlannedFigure
    prefill_tokens_per_second: PlannedFigure
    depth: int
    slots: int
    first_token_p95_seconds: float | None = None
    load_permille: int = 0
    requests_per_second: float = 0.0
    overflow_probability: float = 0.0


@dataclass(frozen=True)
class Placement:
    """One replica: where it goes, what it runs, what it takes.

    Attributes:
        workload, replica: Whose, and which (0-based).
        node: Node name. gpus: Card indices on that node, in CUDA order of the process.
        argv: Exact command line, program first; the model is the path inside the pod.
        devices: Bytes per card, in the order of ``gpus``.
        speed: What it will do; None where the fleet says nothing about speed or demand.
    """

    workload: str
    replica: int
    variant: PlacedVariant
    node: str
    gpus: tuple[int, ...]
    argv: tuple[str, ...]
    devices: tuple[DeviceBytes, ...]
    host: HostBytes
    speed: PlannedSpeed | None = field(default=None, metadata=LEFT_OUT)


@dataclass(frozen=True)
class CardBudget:
    """One card of a node: what it offers and what is planned on it.

    Attributes:
        allocatable_bytes: What llama.cpp sees as total [bytes].
        taken_bytes: Held by others before this plan [bytes].
        headroom_bytes: Kept free by rule [bytes].
        used_bytes: Sum of the upper bands of every replica on it [bytes].
        expected_bytes: Sum of the totals [bytes].
    """

    index: int
    uuid: str
    allocatable_bytes: int
    taken_bytes: int
    headroom_bytes: int
    used_bytes: int
    expected_bytes: int

    @property
    def slack_bytes(self) -> int:
        """Left over after headroom [bytes]."""
        return self.allocatable_bytes - self.taken_bytes - self.headroom_bytes - self.used_bytes


@dataclass(frozen=True)
class NodeBudget:
    """One node that exists or would be rented; ``is_used`` when at least one replica sits on it.

    Attributes:
        product_label: Value of the nodes' ``nvidia.com/gpu.product`` label; empty if unknown.
        is_live: Whether ``name`` is that of a node in a cluster, not one we made up.
    """

    name: str
    pool: str
    product: str
    zone: str
    sharing: Sharing
    is_used: bool
    cards: tuple[CardBudget, ...]
    host_allocatable_bytes: int
    host_used_bytes: int
    price_per_hour: Decimal | None
    currency: str
    product_label: str = ""
    is_live: bool = False


@dataclass(frozen=True)
class Alternative:
    """A choice that was not taken, and why."""

    choice: str
    reason: str


@dataclass(frozen=True)
class ServedBand:
    """Which requests a workload serves of those that name the same model.

    A gateway sends a request to the workload with the smallest ``max_prompt_tokens`` that is at
    least the length of its prompt.

    Attributes:
        route: Name clients ask for; several workloads share it.
        above_prompt_tokens: Longest prompt that goes to the band below; 0 for the first.
        max_prompt_tokens: Longest prompt that goes here.
        max_tokens: Prompt and answer together: the context of a slot.
    """

    route: str
    above_prompt_tokens: int
    max_prompt_tokens: int
    max_tokens: int


@dataclass(frozen=True)
class ServedDemand:
    """What a workload's traffic is, and what was promised.

    Attributes:
        requests_per_second: What all replicas together are sized for.
        input_p50, input_p95, output_p50, output_p95: Tokens of prompts and answers.
        burstiness: Variance over mean of arrivals, 1 for independent ones.
        goal_decode_tokens_per_second, goal_first_token_p95_seconds: What was asked; 0 is nothing.
    """

    requests_per_second: float
    input_p50: int
    input_p95: int
    output_p50: int
    output_p95: int
    burstiness: float
    goal_decode_tokens_per_second: float
    goal_first_token_p95_seconds: float


@dataclass(frozen=True)
class WorkloadSummary:
    """What was asked for one workload and why it got what it got.

    Attributes:
        why_not_better: One line: why no earlier quantization, or ``""`` when the first was chosen.
        refused: Candidates that were refused, with the arithmetic.
        decisions: What was chosen among slots, replicas and ways to speculate, and why.
        band: Requests it serves, where several workloads share them by length.
        min_available: Replicas that must stay during a change.
    """

    name: str
    model: str
    architecture: str
    replicas: int
    quantizations: tuple[str, ...]
    cache_types: tuple[str, ...]
    context_per_slot: int
    slots: int
    spread: Spread
    embedding: bool
    reranking: bool
    min_available: int
    why_not_better: str
    refused: tuple[Alternative, ...] = ()
    demand: ServedDemand | None = field(default=None, metadata=LEFT_OUT)
    decisions: tuple[Alternative, ...] = field(default=(), metadata=LEFT_OUT)
    band: ServedBand | None = field(default=None, metadata=LEFT_OUT)


@dataclass(frozen=True)
class Baselines:
    """The same fleet, planned in simpler ways; None where that way finds no placement or no price.

    Attributes:
        fp16_one_model_per_card_set_cards: One FP16 model per card set, no sharing.
        fp16_basis: How the FP16 sizes are known.
        first_fit_decreasing_cards: Best variant that fits, first-fit-decreasing.
        lower_bound_cards: Proven: no plan needs fewer.
    """

    fp16_one_model_per_card_set_cards: int | None
    fp16_one_model_per_card_set_price_per_hour: Decimal | None
    quantized_one_model_per_card_set_cards: int | None
    quantized_one_model_per_card_set_price_per_hour: Decimal | None
    first_fit_decreasing_cards: int | None
    first_fit_decreasing_price_per_hour: Decimal | None
    lower_bound_cards: int | None
    lower_bound_price_per_hour: Decimal | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Inputs:
    """SHA-256 of what the plan was made from."""

    fleet_name: str
    fleet_sha256: str
    inventory_name: str
    inventory_sha256: str


@dataclass(frozen=True)
class Versions:
    """What computed the plan."""

    gpu_packer: str
    ortools: str
    llama_cpp_build: str
    catalogue: str


@dataclass(frozen=True)
class Policy:
    """Rules the plan obeys.

    Attributes:
        load_limit_permille: Most of a card's time that may be planned; 0 where no demand is known.
        gateway: Front door the fleet asks for.
    """

    objective: Objective
    headroom_bytes: int
    headroom_percent: int
    keep_apart: tuple[tuple[str, ...], ...]
    keep_together: tuple[tuple[str, ...], ...]
    seed: int
    gap_limit: str
    load_limit_permille: int = field(default=0, metadata=LEFT_OUT)
    gateway: Gateway = field(default=Gateway.NONE, metadata=LEFT_OUT)


@dataclass(frozen=True)
class Run:
    """Facts of the machine and the clock; no hash covers them."""

    solver_seconds: float
    total_seconds: float
    created: str
    python: str
    platform: str
    processors: int


@dataclass(frozen=True)
class MovedReplica:
    """A replica that runs elsewhere or otherwise than in the plan it replaces."""

    workload: str
    replica: int
    from_node: str
    from_gpus: tuple[int, ...]
    node: str
    gpus: tuple[int, ...]


@dataclass(frozen=True)
class Moves:
    """What changes against the plan this one was made from.

    Attributes:
        kept: Replicas that go on as they are.
        moved: Replicas that stop and start again, elsewhere or with another command line.
        started: Replicas that were not there, as ``name-number``.
        stopped: Replicas that are not needed any more, likewise.
    """

    kept: int
    moved: tuple[MovedReplica, ...]
    started: tuple[str, ...]
    stopped: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """A placement of every replica, with its proof and its cost.

    Attributes:
        objective_value, bound: Cards, or price in ``currency`` per hour; bound ≤ value is proven.
        gap: (value − bound) / value, 0 when optimal.
        cards: Cards with at least one replica. cards_available: Cards in the inventory.
        price_per_hour: Of all used nodes; None when any price is unknown.
        moves: Changes against the plan this one was made from; None for a plan from nothing.
        calibration: What the user's own measurements said, as far as it was used.
    """

    name: str
    status: Status
    objective: Objective
    objective_value: Decimal
    bound: Decimal
    gap: float
    cards: int
    cards_available: int
    price_per_hour: Decimal | None
    currency: str
    baselines: Baselines
    server: ServerImageUsed
    workloads: tuple[WorkloadSummary, ...]
    placements: tuple[Placement, ...]
    nodes: tuple[NodeBudget, ...]
    policy: Policy
    inputs: Inputs
    versions: Versions
    notes: tuple[str, ...]
    run: Run
    moves: Moves | None = None
    calibration: Learnt | None = field(default=None, metadata=LEFT_OUT)
    apiVersion: str = field(default=API_VERSION)  # noqa: N815 — the name Kubernetes tools expect
    kind: str = field(default="Plan")
