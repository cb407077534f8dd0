"""What the graphs of one llama_context depend on beside the model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from packer.domain.model import Tensor
from packer.domain.quantization import ElementType


@dataclass(frozen=True)
class Batch:
    """One batch a graph is reserved for: tokens over all sequences, and rows of output."""

    tokens: int
    sequences: int
    outputs: int

    @property
    def tokens_per_sequence(self) -> int:
        """Tokens of one sequence; llama.cpp rounds batches up so that this is whole."""
        return self.tokens // self.sequences


@dataclass(frozen=True)
class GraphContext:
    """One context with its devices. Backends are numbered: cards first, the host last.

    Attributes:
        streams: Separate caches.
        cells, window_cells: Cells per stream of dense and of sliding-window layers.
        has_flash_attention: As resolved.
        transposes_values: Whether the cache was laid out for attention without it.
        positions: Positions that are taken, in multiples of 256; few architectures ask.
        states: Recurrent states in memory, one per slot.
        rollback_depth: Older recurrent states kept for each.
        pooling: ``none``, ``mean``, ``cls``, ``last`` or ``rank``; empty returns logits.
        host: Backend of the host.
        layers: Backend of every block and of the output layer.
        blocks: Blocks that are built; repetitions that change no buffer are left out.
        keeps_cache_on_host: Whether caches lie on the host whatever the layer's backend.
        is_fully_offloaded: Whether every block and the output layer are on cards by count.
        home_of: Backend of a weight by its name, given the block it is used in.
        reads_nextn: Whether hidden states of every token leave for nextn blocks.
        is_nextn: Whether this is the context of the nextn blocks.
        adapters: Tensors of every LoRA adapter by name.
    """

    streams: int
    cells: int
    window_cells: int
    type_k: ElementType
    type_v: ElementType
    has_flash_attention: bool
    transposes_values: bool
    positions: int
    states: int
    rollback_depth: int
    pooling: str
    host: int
    layers: tuple[int, ...]
    blocks: tuple[int, ...]
    keeps_cache_on_host: bool
    is_fully_offloaded: bool
    home_of: Callable[[str, int], int]
    reads_nextn: bool
    is_nextn: bool
    adapters: tuple[Mapping[str, Tensor], ...]

    def cache_home(self, layer: int) -> int:
        """Backend whose memory holds a layer's cache."""
        return self.host if self.keeps_cache_on_host else self.layers[layer]
