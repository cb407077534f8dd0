"""The answer of a memory estimate: bytes per device and on the host, by part."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from packer.domain.basis import Basis
from packer.memory.part import Part


@dataclass(frozen=True)
class Card:
    """A visible GPU as a llama-server meets it.

    Attributes:
        allocatable_bytes: What this process may use at most [bytes].
        free_bytes: What is free at load time [bytes]; decides an absent ``--tensor-split``.
        generation: GPU generation for the process overhead; empty if unknown.
        process: Process overhead measured on the user's own cards; None takes the generation's.
    """

    name: str
    allocatable_bytes: int
    free_bytes: int | None = None
    generation: str = ""
    compute_capability: str = ""
    process: Part | None = None


@dataclass(frozen=True)
class DeviceEstimate:
    """Bytes one process takes on one card; parts add up to ``total_bytes``.

    Attributes:
        basis: Part (``weights``, ``context``, ``compute``, ``draft_weights``, ``draft_context``,
            ``draft_compute``, ``projector``, ``process``) → how far its figure can be trusted.
        low_bytes, high_bytes: The band the real total lies in.
    """

    name: str
    weights_bytes: int
    context_bytes: int
    compute_bytes: int
    draft_weights_bytes: int
    draft_context_bytes: int
    draft_compute_bytes: int
    projector_bytes: int
    process_bytes: int
    low_bytes: int
    high_bytes: int
    allocatable_bytes: int
    basis: Mapping[str, Basis]

    @property
    def total_bytes(self) -> int:
        """Sum of all parts [bytes]."""
        return (
            self.weights_bytes
            + self.context_bytes
            + self.compute_bytes
            + self.draft_weights_bytes
            + self.draft_context_bytes
            + self.draft_compute_bytes
            + self.projector_bytes
            + self.process_bytes
        )


@dataclass(frozen=True)
class HostEstimate:
    """Bytes one process takes of the node's memory.

    Attributes:
        basis: Part → how far its figure can be trusted; exact where none is named. Prompt cache and
            checkpoints are limits a server may reach.
    """

    weights_bytes: int
    context_bytes: int
    compute_bytes: int
    output_bytes: int
    draft_weights_bytes: int
    draft_context_bytes: int
    draft_compute_bytes: int
    prompt_cache_bytes: int
    checkpoint_bytes: int
    process_bytes: int
    basis: Mapping[str, Basis] = field(default_factory=dict)

    @property
    def total_bytes(self) -> int:
        """Sum of all parts [bytes]."""
        return (
            self.weights_bytes
            + self.context_bytes
            + self.compute_bytes
            + self.output_bytes
            + self.draft_weights_bytes
            + self.draft_context_bytes
            + self.draft_compute_bytes
            + self.prompt_cache_bytes
            + self.checkpoint_bytes
            + self.process_bytes
        )


@dataclass(frozen=True)
class MemoryEstimate:
    """What one llama-server process allocates, everywhere.

    Attributes:
        devices: One per visible card, in CUDA order.
        layers: Block → card index, or -1 for the host; the last entry is the output layer.
        context_cells: ``n_ctx`` after llama.cpp's padding [cells].
        context_cells_per_slot: ``n_ctx_seq`` [cells].
        fits: Whether ``high_bytes`` ≤ allocatable on every card, and the host's total on the host.
        notes: What a reader must know: fall-backs, parts not modelled, the build used.
    """

    devices: tuple[DeviceEstimate, ...]
    host: HostEstimate
    layers: tuple[int, ...]
    context_cells: int
    context_cells_per_slot: int
    slots: int
    flash_attention: bool
    fits: bool
    build: str
    notes: tuple[str, ...] = field(default=())
