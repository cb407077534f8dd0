"""Workloads: which models must be served, and what each is allowed to use."""

from dataclasses import dataclass
from enum import StrEnum

from packer.domain.model import ModelFile


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


@dataclass(frozen=True)
class Fleet:
    """All workloads with their fleet-wide rules.

    Attributes:
        keep_apart: Groups of workload names of which no two share a card's node.
        keep_together: Pairs or groups whose replicas share a node.
    """

    name: str
    server_image: ServerImage
    objective: Objective
    workloads: tuple[Workload, ...]
    headroom: Headroom = Headroom()
    keep_apart: tuple[tuple[str, ...], ...] = ()
    keep_together: tuple[tuple[str, ...], ...] = ()
