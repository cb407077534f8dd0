"""Workloads: which models must be served, and what each is allowed to use."""

from dataclasses import dataclass, replace
from enum import StrEnum

from packer.domain.demand import (
    NO_GOALS,
    CachePool,
    Demand,
    Goals,
    LengthBand,
    PartialOffload,
)
from packer.domain.model import ModelFile
from packer.domain.rendering import Gateway
from packer.domain.speculation import Speculation


class Objective(StrEnum):
    """What a plan minimises first."""

    CARDS = "cards"
    PRICE = "price"


class Spread(StrEnum):
    """Where replicas of one workload may not meet."""

    NONE = "none"
    NODE = "node"
    ZONE = "zone"


@dataclass(frozen=True)
class ServerImage:
    """Container image of llama-server and the llama.cpp build in it, such as ``b11434``."""

    image: str
    build: str


@dataclass(frozen=True)
class Headroom:
    """Room kept free on every card by rule: the larger of bytes and percent of allocatable."""

    bytes: int = 512 * 2**20
    percent: int = 2

    def on(self, allocatable_bytes: int) -> int:
        """Headroom of a card [bytes]. Exact."""
        return max(self.bytes, -(-allocatable_bytes * self.percent // 100))


@dataclass(frozen=True)
class Variant:
    """One acceptable file of a workload's model; variants are listed best first.

    Attributes:
        quantization: Its name, such as ``Q4_K_M``; ``file`` when the user named one file.
        model: Header of the file, or the catalogue's profile of it.
        mount: What the pods mount, a URI such as ``pvc://claim/path``; empty if not said.
    """

    quantization: str
    model: ModelFile
    mount: str = ""

    @property
    def bits_per_weight(self) -> float:
        """Bytes of the file × 8 ÷ parameters."""
        return self.model.file_bytes * 8 / max(1, self.model.parameter_count)


@dataclass(frozen=True)
class Draft:
    """A draft model for speculative decoding, served in the same process."""

    variant: Variant
    depth: int = 3
    cache_type: str = "f16"


@dataclass(frozen=True)
class Workload:
    """One model to serve, with everything its replicas need.

    Attributes:
        context_per_slot: Tokens one conversation may hold [tokens].
        slots: Conversations at once in one replica, ``--parallel``.
        cache_types: Acceptable KV cache types, best first; K and V use the same.
        flash_attention: ``on``, ``off`` or ``auto``; a quantized V cache needs it.
        allowed_gpus: Product names; empty allows every one.
        max_gpus: Most cards one replica may be split over; None is a whole node.
        prompt_cache_bytes: ``--cache-ram`` [bytes].
        spot_allowed: Whether its replicas may sit on nodes that can be taken back at any time.
        demand: Traffic of all replicas; None where slots and replicas are stated.
        goals: What every replica must reach.
        derives_slots, derives_replicas: Whether the planner chooses them for the demand.
        cache_pool: Whether slots share their cache; ``cache_pool_quantile`` of all moments fit it.
        speculations: Ways to draft that the planner may choose from; empty leaves it to ``draft``.
        is_high_fidelity: Keys and values no coarser than q8_0.
        min_bits_per_weight: Coarsest file; 0 allows every one.
        partial_offload: What may stay in the node's memory.
        band: Requests it serves, where several workloads share them by length.
    """

    name: str
    model: str
    variants: tuple[Variant, ...]
    context_per_slot: int
    slots: int = 1
    kv_unified: bool = False
    replicas: int = 1
    cache_types: tuple[str, ...] = ("f16",)
    flash_attention: str = "on"
    spread: Spread = Spread.NONE
    allowed_gpus: tuple[str, ...] = ()
    refused_gpus: tuple[str, ...] = ()
    max_gpus: int | None = None
    embedding: bool = False
    reranking: bool = False
    batch_size: int = 2048
    ubatch_size: int = 512
    draft: Draft | None = None
    projector: Variant | None = None
    prompt_cache_bytes: int = 2 * 2**30
    context_checkpoints: int = 8
    min_available: int | None = None
    spot_allowed: bool = False
    demand: Demand | None = None
    goals: Goals = NO_GOALS
    derives_slots: bool = False
    derives_replicas: bool = False
    cache_pool: CachePool = CachePool.GUARANTEED
    cache_pool_quantile: float = 0.999
    speculations: tuple[Speculation, ...] = ()
    is_high_fidelity: bool = False
    min_bits_per_weight: float = 0.0
    partial_offload: PartialOffload = PartialOffload.NONE
    band: LengthBand | None = None

    @property
    def has_speed_wishes(self) -> bool:
        """Whether the planner has to look at speed."""
        return self.demand is not None or not self.goals.is_empty or bool(self.speculations)

    def without_wishes(self) -> "Workload":
        """The same with its slots and replicas as they are, whatever their speed or quality."""
        return replace(
            self,
            demand=None,
            goals=NO_GOALS,
            derives_slots=False,
            derives_replicas=False,
            speculations=(),
            is_high_fidelity=False,
            min_bits_per_weight=0.0,
            partial_offload=PartialOffload.NONE,
        )


@dataclass(frozen=True)
class Fleet:
    """All workloads with their fleet-wide rules.

    Attributes:
        keep_apart: Groups of workload names of which no two share a card's node.
        keep_together: Pairs or groups whose replicas share a node.
        load_limit_percent: Most of a card's time that workloads with a demand may need.
        gateway: Front door of all models, unless rendering says otherwise.
    """

    name: str
    server_image: ServerImage
    objective: Objective
    workloads: tuple[Workload, ...]
    headroom: Headroom = Headroom()
    keep_apart: tuple[tuple[str, ...], ...] = ()
    keep_together: tuple[tuple[str, ...], ...] = ()
    load_limit_percent: int = 85
    gateway: Gateway = Gateway.NONE
