"""Architectures that are modelled: which cache each layer holds, and where its odd tensors go.

A row here is a rule read in llama.cpp b11434 (src/models/<architecture>.cpp, src/llama-arch.cpp
and llama_model::create_memory in src/llama-model.cpp). An architecture without a row is refused by
name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
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
    """

    cache: Cache = Cache.ATTENTION
    window: Window | None = None
    recurrence: Recurrence = Recurrence.NONE
    has_rollback: bool = False
    output: Output = Output.OWN_OR_TIED
    shared_cache: SharedCache = SharedCache.NONE
    has_indexer: bool = False
    has_output_norm_named_as_embedding_norm: bool = False


_DENSE = ArchitectureRules()
_ENCODER = ArchitectureRules(cache=Cache.NONE, output=Output.NONE)

_RULES: dict[str, ArchitectureRules] = {
    "bert": _ENCODER,
    "gemma3": ArchitectureRules(window=Window(period=6)),
    "gpt-oss": ArchitectureRules(window=Window(period=2)),
    "llama": _DENSE,
    "qwen2": _DENSE,
    "qwen3": _DENSE,
    "qwen3moe": _DENSE,
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
