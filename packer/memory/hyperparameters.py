"""Hyper-parameters as llama.cpp resolves them: defaults filled in, one value per layer."""

from collections.abc import Sequence
from dataclasses import dataclass

from packer.domain.model import MetadataValue, ModelFile
from packer.errors import InvalidModelFile, Location, Problem
from packer.memory.architecture_rules import (
    ArchitectureRules,
    Indexer,
    Recurrence,
    SharedCache,
    Window,
)
from packer.memory.architectures import architecture_rules
from packer.memory.identity_cache import derived_once

_MOST_LAYERS = 512  # LLAMA_MAX_LAYERS
_LAYERS_WITH_OWN_CACHE_IN_GEMMA3N = 20
_SPARSE_INDEXERS_FROM_CONTEXT = 1048576  # GLM-5.2; before it every layer had its own


@dataclass(frozen=True)
class StateSpace:
    """Sizes of the recurrent part; zero where the model has none.

    Attributes:
        shortconv_cells: ``shortconv.l_cache`` of LFM2 [tokens].
        wkv_head, token_shifts: Head size and shifted tokens of RWKV.
        kda_head: Head size of Kimi's delta attention.
        linear_head: Head size of MiniMax-01's lightning attention.
    """

    convolution: int = 0
    inner: int = 0
    state: int = 0
    rank: int = 0
    groups: int = 0
    shortconv_cells: int = 0
    wkv_head: int = 0
    token_shifts: int = 2
    kda_head: int = 0
    linear_head: int = 0


@dataclass(frozen=True)
class HyperParameters:
    """Sizes of one model. Tuples have one entry per block, nextn blocks included.

    Attributes:
        block_count: All blocks, ``n_layer_all``.
        nextn_count: Trailing blocks for multi-token prediction.
        head_k, head_v: Elements of one key and one value head in each block.
        feed_forward: Width of the dense feed-forward network, 0 where there is none.
        expert_feed_forward: Width of one expert.
        experts, experts_used: Experts of a block, and how many of them one token takes.
        shared_expert_feed_forward: Width of the shared expert, 0 if there is none.
        window: Sliding window [tokens], 0 for none; ``window_layers`` says where.
        cached_layers: Blocks from the start that own a cache; later ones reuse it.
        is_mla: Whether keys are compressed and no values are cached.
        indexer_head: Elements of a cached indexer key; ``indexer_layers`` says where.
    """

    architecture: str
    rules: ArchitectureRules
    block_count: int
    nextn_count: int
    context_length: int
    embedding: int
    output_embedding: int
    vocabulary: int
    heads: tuple[int, ...]
    kv_heads: tuple[int, ...]
    head_k: tuple[int, ...]
    head_v: tuple[int, ...]
    feed_forward: tuple[int, ...]
    expert_feed_forward: tuple[int, ...]
    experts: int
    experts_used: int
    shared_expert_feed_forward: int
    window: int
    window_layers: tuple[bool, ...]
    recurrent_layers: tuple[bool, ...]
    cached_layers: int
    is_mla: bool
    kv_lora_rank: int
    indexer_head: int
    indexer_layers: tuple[bool, ...]
    is_causal: bool
    pooling: int
    state_space: StateSpace

    @property
    def trunk_count(self) -> int:
        """Blocks without the nextn blocks, ``n_layer``."""
        return self.block_count - self.nextn_count


class _Keys:
    """Typed look-ups of one header's metadata, with the errors a bad header deserves."""

    def __init__(self, model: ModelFile) -> None:
        self.model = model

    def value(self, key: str) -> MetadataValue | None:
        """Raw value under ``<architecture>.<key>``."""
        return self.model.metadata.get(f"{self.model.architecture}.{key}")

    def number(self, key: str, default: int | None = None) -> int:
        """Whole, non-negative number."""
        value = self.value(key)
        if value is None and default is not None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise self.problem(key, "a whole number")
        return value

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        value = self.value(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.problem(key, "true or false")
        return value

    def per_layer(self, key: str, layers: int, default: Sequence[int]) -> tuple[int, ...]:
        """One number per block, given once for all or as an array."""
        value = self.value(key)
        if value is None:
            return tuple(default)
        values = value if isinstance(value, tuple) else (value,) * layers
        if len(values) < layers or not all(isinstance(v, int) and v >= 0 for v in values):
            raise self.problem(key, f"a whole number or {layers} of them")
        return tuple(int(v) for v in values[:layers])

    def problem(self, key: str, wanted: str) -> InvalidModelFile:
        """Error for a missing or mistyped key."""
        full = f"{self.model.architecture}.{key}"
        state = "is missing" if self.value(key) is None else f"is not {wanted}"
        return InvalidModelFile(
            Problem(
                code="P0502",
                title=f"{full} {state}",
                where=Location(self.model.origin or self.model.name),
                why="memory cannot be computed without it",
                help="convert the model again with llama.cpp's own converter",
            )
        )


@derived_once
def read_hyperparameters(model: ModelFile) -> HyperParameters:
    """Hyper-parameters of a model; the answer is remembered for each header.

    Raises:
        UnsupportedModel: The architecture is not modelled.
        InvalidModelFile: A key is missing or has the wrong type.

    Source:
        llama.cpp b11434, src/llama-model.cpp, llama_model_base::load_hparams(), and
        load_arch_hparams() in src/models/.
    """
    rules = architecture_rules(model.architecture)
    keys = _Keys(model)
    layers = keys.number("block_count")
    if not 0 < layers <= _MOST_LAYERS:
        raise keys.problem("block_count", f"between 1 and {_MOST_LAYERS}")
    nextn = min(keys.number("nextn_predict_layers", 0), layers)
    none = (0,) * layers
    heads = keys.per_layer("attention.head_count", layers, none)
    kv_heads = keys.per_layer("attention.head_count_kv", layers, heads)
    feed_forward = keys.per_layer("feed_forward_length", layers, none)
    recurrent = _recurrent_layers(rules, keys, layers, nextn, kv_heads, feed_forward)
    window, window_layers = _window(rules.window, keys, layers, nextn, recurrent)
    embedding = keys.number("embedding_length")
    head = embedding // heads[0] if heads[0] else 0
    head_k = keys.number("attention.key_length", head)
    head_v = keys.number("attention.value_length", head)
    window_k = keys.number("attention.key_length_swa", head_k)
    window_v = keys.number("attention.value_length_swa", head_v)
    return HyperParameters(
        architecture=model.architecture,
        rules=rules,
        block_count=layers,
        nextn_count=nextn,
        context_length=keys.number("context_length"),
        embedding=embedding,
        output_embedding=keys.number("embedding_length_out", 0) or embedding,
        vocabulary=model.vocabulary_size,
        heads=heads,
        kv_heads=kv_heads,
        head_k=tuple(window_k if w else head_k for w in window_layers),
        head_v=tuple(window_v if w else head_v for w in window_layers),
        feed_forward=feed_forward,
        expert_feed_forward=keys.per_layer("expert_feed_forward_length", layers, none),
        experts=keys.number("expert_count", 0),
        experts_used=max(keys.per_layer("expert_used_count", layers, none)),
        shared_expert_feed_forward=keys.number("expert_shared_feed_forward_length", 0),
        window=window,
        window_layers=window_layers,
        recurrent_layers=recurrent,
        cached_layers=_cached_layers(rules, keys, layers),
        is_mla=keys.number("attention.key_length_mla", 0) > 0
        and keys.number("attention.value_length_mla", 0) > 0,
        kv_lora_rank=keys.number("attention.kv_lora_rank", 0),
        indexer_head=keys.number("attention.indexer.key_length", 0),
        indexer_layers=_indexer_layers(rules, keys, layers, nextn),
        is_causal=keys.flag("attention.causal", True),
        pooling=keys.number("pooling_type", 0),
        state_space=StateSpace(
            convolution=keys.number("ssm.conv_kernel", 0),
            inner=keys.number("ssm.inner_size", 0),
            state=keys.number("ssm.state_size", 0),
            rank=keys.number("ssm.time_step_rank", 0),
            groups=keys.number("ssm.group_count", 0),
            shortconv_cells=keys.number("shortconv.l_cache", 0),
            wkv_head=keys.number("wkv.head_size", 0),
            token_shifts=keys.number("token_shift_count", 2),
            kda_head=keys.number("kda.head_dim", 0),
            linear_head=head_k if model.architecture == "minimax-01" else 0,
        ),
    )


def _recurrent_layers(
    rules: ArchitectureRules,
    keys: _Keys,
    layers: int,
    nextn: int,
    kv_heads: Sequence[int],
    feed_forward: Sequence[int],
) -> tuple[bool, ...]:
    """Whether each block holds a recurrent state."""
    trunk = layers - nextn
    match rules.recurrence:
        case Recurrence.NONE:
            return (False,) * layers
        case Recurrence.ALL | Recurrence.BESIDE_ATTENTION:
            return (True,) * layers
        case Recurrence.WITHOUT_KV_HEADS:
            return tuple(i < trunk and kv_heads[i] == 0 for i in range(layers))
        case Recurrence.WITHOUT_KV_HEADS_AND_FFN:
            return tuple(
                i < trunk and kv_heads[i] == 0 and feed_forward[i] == 0 for i in range(layers)
            )
        case Recurrence.INTERVAL:
            listed = keys.per_layer("attention.recurrent_layers", layers, ())
            if listed:
                return tuple(bool(value) for value in listed)
            interval = keys.number("full_attention_interval", rules.interval)
            if interval == 0:
                raise keys.problem("full_attention_interval", "above zero")
            return tuple(i < trunk and (i + 1) % interval != 0 for i in range(layers))


def _window(
    rule: Window | None, keys: _Keys, layers: int, nextn: int, recurrent: Sequence[bool]
) -> tuple[int, tuple[bool, ...]]:
    """Sliding window [tokens] and the blocks that have it."""
    nowhere = (False,) * layers
    if rule is None:
        return 0, nowhere
    if rule.only_with_layers not in (None, layers - nextn):
        return 0, nowhere
    size = keys.number("attention.sliding_window", rule.default_size)
    if size == 0:
        return 0, nowhere
    if rule.forced_size is not None:
        size = rule.forced_size
    trunk = layers - nextn
    if rule.covers_attention:
        return size, tuple(i < trunk and not recurrent[i] for i in range(layers))
    return size, _pattern(rule, keys, layers, trunk)


def _pattern(rule: Window, keys: _Keys, layers: int, trunk: int) -> tuple[bool, ...]:
    """Blocks with a window, from the file's pattern or the architecture's period."""
    key = "attention.sliding_window_pattern"
    listed = keys.value(key)
    if isinstance(listed, tuple):
        return tuple(bool(v) for v in keys.per_layer(key, layers, ()))
    if rule.period is None:
        raise keys.problem(key, f"{layers} of true and false")
    period = keys.number(key, rule.period)
    return tuple(i < trunk and _has_window(i, period, rule.is_dense_first) for i in range(layers))


def _has_window(layer: int, period: int, is_dense_first: bool) -> bool:
    """Whether a block has the window. Source: llama_hparams::set_swa_pattern()."""
    if period == 0:
        return True
    return layer % period != 0 if is_dense_first else layer % period < period - 1


def _indexer_layers(
    rules: ArchitectureRules, keys: _Keys, layers: int, nextn: int
) -> tuple[bool, ...]:
    """Whether each block caches indexer keys; nextn blocks never do."""
    trunk = layers - nextn
    match rules.indexer:
        case Indexer.NONE:
            return (False,) * layers
        case Indexer.EVERY_LAYER:
            return tuple(i < trunk for i in range(layers))
        case Indexer.AFTER_DENSE:
            dense = keys.number("leading_dense_block_count", 0)
            return tuple(dense <= i < trunk for i in range(layers))
        case Indexer.BY_TYPES:
            is_sparse = keys.number("context_length") >= _SPARSE_INDEXERS_FROM_CONTEXT
            default = [i < 2 or (i - 2) % 4 == 0 or not is_sparse for i in range(trunk)]
            types = keys.per_layer("attention.indexer.types", trunk, default)
            return (*map(bool, types), *(False,) * nextn)


def _cached_layers(rules: ArchitectureRules, keys: _Keys, layers: int) -> int:
    """Blocks from the start that own a cache."""
    match rules.shared_cache:
        case SharedCache.NONE:
            return layers
        case SharedCache.FIRST_TWENTY:
            return min(layers, _LAYERS_WITH_OWN_CACHE_IN_GEMMA3N)
        case SharedCache.BY_KEY:
            return layers - min(layers, keys.number("attention.shared_kv_layers", 0))
