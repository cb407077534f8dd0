"""Architectures that are modelled: which cache each layer holds, and where its odd tensors go.

A row here is a rule read in llama.cpp b11434 (src/models/<architecture>.cpp, src/llama-arch.cpp
and llama_model::create_memory in src/llama-model.cpp). An architecture without a row is refused by
name.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from enum import StrEnum
from types import MappingProxyType

from packer.errors import Problem, UnsupportedModel


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
    tied: always a copy of ``token_embd.weight``.
    tied_first: like own_or_tied, but created before the embedding, so the host always holds it too.
    none: the architecture has no output matrix.
    """

    OWN_OR_TIED = "own-or-tied"
    TIED = "tied"
    TIED_FIRST = "tied-first"
    NONE = "none"


class SharedCache(StrEnum):
    """Which later layers reuse the cache of an earlier one."""

    NONE = "none"
    FIRST_TWENTY = "first-twenty"
    BY_KEY = "by-key"


@dataclass(frozen=True)
class Window:
    """Sliding-window attention of an architecture.

    Attributes:
        period: Every ``period``-th layer is dense; None takes the pattern from the file alone.
        default_size: Window when the file names none [tokens]; 0 is no window.
        forced_size: Window whatever the file says, unless it says 0 [tokens].
        is_dense_first: Whether the dense layer opens each period instead of closing it.
        covers_attention: Whether every layer with attention has the window (no pattern).
    """

    period: int | None = None
    default_size: int = 0
    forced_size: int | None = None
    is_dense_first: bool = False
    covers_attention: bool = False


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
        has_indexer: Whether attention layers also cache indexer keys.
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
    has_indexer: bool = False
    has_output_norm_named_as_embedding_norm: bool = False
    has_rope_factors_on_dense_layers_only: bool = False

    @property
    def scans_states(self) -> bool:
        """Whether recurrent layers run Mamba's scan; delta-nets multiply instead."""
        return self.cache is not Cache.ATTENTION and self.recurrence is not Recurrence.INTERVAL


_DENSE = ArchitectureRules()
_ENCODER = ArchitectureRules(cache=Cache.NONE, output=Output.NONE)
_TIED = ArchitectureRules(output=Output.TIED)
_DELTA_NET = ArchitectureRules(cache=Cache.HYBRID, recurrence=Recurrence.INTERVAL)
_SHORT_CONVOLUTION = ArchitectureRules(
    cache=Cache.HYBRID,
    window=Window(covers_attention=True),
    recurrence=Recurrence.WITHOUT_KV_HEADS,
    has_rollback=True,
    has_output_norm_named_as_embedding_norm=True,
)
_NEMOTRON_H = ArchitectureRules(
    cache=Cache.HYBRID, recurrence=Recurrence.WITHOUT_KV_HEADS_AND_FFN, has_rollback=True
)

_RULES: dict[str, ArchitectureRules] = {
    "bert": _ENCODER,
    "command-r": _TIED,
    "deci": _DENSE,
    "deepseek2": _DENSE,
    "deepseek32": ArchitectureRules(has_indexer=True),
    "gemma2": ArchitectureRules(window=Window(period=2, default_size=4096), output=Output.TIED),
    "gemma3": ArchitectureRules(window=Window(period=6)),
    "gemma3n": ArchitectureRules(
        window=Window(period=5),
        output=Output.TIED_FIRST,
        shared_cache=SharedCache.FIRST_TWENTY,
    ),
    "gemma4": ArchitectureRules(
        window=Window(),
        output=Output.TIED_FIRST,
        shared_cache=SharedCache.BY_KEY,
        has_rope_factors_on_dense_layers_only=True,
    ),
    "glm4": _DENSE,
    "glm4moe": _DENSE,
    "gpt-oss": ArchitectureRules(window=Window(period=2)),
    "granite": _DENSE,
    "granitehybrid": ArchitectureRules(cache=Cache.HYBRID, recurrence=Recurrence.WITHOUT_KV_HEADS),
    "lfm2": _SHORT_CONVOLUTION,
    "lfm2moe": replace(_SHORT_CONVOLUTION, window=None),
    "llama": _DENSE,
    "llama4": ArchitectureRules(window=Window(period=4, forced_size=8192)),
    "mamba": ArchitectureRules(cache=Cache.RECURRENT, recurrence=Recurrence.ALL),
    "mamba2": ArchitectureRules(cache=Cache.RECURRENT, recurrence=Recurrence.ALL),
    "minimax-m2": _DENSE,
    "mistral3": _DENSE,
    "nemotron_h": _NEMOTRON_H,
    "nemotron_h_moe": _NEMOTRON_H,
    "nomic-bert": _ENCODER,
    "olmo2": ArchitectureRules(window=Window(period=4)),
    "phi3": _DENSE,
    "qwen2": _DENSE,
    "qwen3": _DENSE,
    "qwen35": replace(_DELTA_NET, has_rollback=True),
    "qwen35moe": replace(_DELTA_NET, has_rollback=True),
    "qwen3moe": _DENSE,
    "qwen3next": _DELTA_NET,
    "smollm3": _DENSE,
}

ARCHITECTURES: Mapping[str, ArchitectureRules] = MappingProxyType(_RULES)
"""Every modelled architecture by its ``general.architecture``."""


def architecture_rules(architecture: str) -> ArchitectureRules:
    """Rules of one architecture.

    Raises:
        UnsupportedModel: It is not modelled; the message names the nearest that are.
    """
    rules = ARCHITECTURES.get(architecture)
    if rules is None:
        near = get_close_matches(architecture, ARCHITECTURES, n=3, cutoff=0.4)
        known = ", ".join(near or sorted(ARCHITECTURES))
        raise UnsupportedModel(
            Problem(
                code="P0501",
                title=f"architecture {architecture!r} is not modelled",
                why="its memory would be a guess",
                help=f"{'nearest that are' if near else 'modelled are'}: {known}",
            )
        )
    return rules
