"""What can differ between architectures beside their hyper-parameters."""

from dataclasses import dataclass
from enum import StrEnum


class Cache(StrEnum):
    """What a context of this architecture remembers."""

    NONE = "none"
    ATTENTION = "attention"
    RECURRENT = "recurrent"
    HYBRID = "hybrid"


class Recurrence(StrEnum):
    """Which layers hold a recurrent state instead of keys and values."""

    NONE = "none"
    ALL = "all"
    INTERVAL = "interval"
    WITHOUT_KV_HEADS = "without-kv-heads"
    WITHOUT_KV_HEADS_AND_FFN = "without-kv-heads-and-ffn"
    BESIDE_ATTENTION = "beside-attention"


class Output(StrEnum):
    """Where the output matrix comes from.

    own_or_tied: ``output.weight``, or a copy of ``token_embd.weight`` when the file has none.
    tied_first: The same, but created before the embedding, so that there are always two.
    none: the architecture has no output matrix.
    """

    OWN_OR_TIED = "own-or-tied"
    TIED_FIRST = "tied-first"
    NONE = "none"


class SharedCache(StrEnum):
    """Which later layers reuse the cache of an earlier one."""

    NONE = "none"
    FIRST_TWENTY = "first-twenty"
    BY_KEY = "by-key"


class Indexer(StrEnum):
    """Which attention layers also cache keys of a sparse-attention indexer.

    by_types: The layers that the file calls full; every layer if it says nothing.
    after_dense: The layers behind the leading dense ones, with a value of one head beside the key.
    """

    NONE = "none"
    EVERY_LAYER = "every-layer"
    BY_TYPES = "by-types"
    AFTER_DENSE = "after-dense"


@dataclass(frozen=True)
class Window:
    """Sliding-window attention of an architecture.

    Attributes:
        period: Every ``period``-th layer is dense; None takes the pattern from the file alone.
        default_size: Window when the file names none [tokens]; 0 is no window.
        forced_size: Window whatever the file says, unless that is 0 [tokens].
        only_with_layers: Number of layers without which there is no window; None for any.
        is_dense_first: Whether the dense layer opens each period instead of closing it.
        covers_attention: Whether every layer with attention has the window (no pattern).
    """

    period: int | None = None
    default_size: int = 0
    forced_size: int | None = None
    is_dense_first: bool = False
    covers_attention: bool = False
    only_with_layers: int | None = None


@dataclass(frozen=True)
class ArchitectureRules:
    """What decides the bytes of one architecture beside its hyper-parameters.

    Attributes:
        cache: Kind of memory of a context.
        window: Sliding window, or None.
        recurrence: Which layers are recurrent.
        has_rollback: Whether speculation keeps one recurrent state per drafted token.
        output: Where the output matrix comes from.
        shared_cache: Whether later layers reuse earlier caches.
        interval: Period of the layers that are not recurrent, if the file does not say.
        indexer: Which attention layers also cache indexer keys.
        has_no_flash_attention: Whether llama.cpp turns flash attention off whatever is asked.
        has_output_norm_named_as_embedding_norm: Whether ``token_embd_norm`` is the output norm.
        has_rope_factors_on_dense_layers_only: Whether only devices with a layer that has no window
            hold a copy of the rope factors.
    """

    cache: Cache = Cache.ATTENTION
    window: Window | None = None
    recurrence: Recurrence = Recurrence.NONE
    has_rollback: bool = False
    output: Output = Output.OWN_OR_TIED
    shared_cache: SharedCache = SharedCache.NONE
    interval: int = 4
    indexer: Indexer = Indexer.NONE
    has_no_flash_attention: bool = False
    has_output_norm_named_as_embedding_norm: bool = False
    has_rope_factors_on_dense_layers_only: bool = False

    @property
    def scans_states(self) -> bool:
        """Whether recurrent layers run Mamba's scan; delta-nets multiply instead."""
        return self.cache is not Cache.ATTENTION and self.recurrence is not Recurrence.INTERVAL
