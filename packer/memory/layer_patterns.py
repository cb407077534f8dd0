"""Which blocks have a window, a recurrent state, an indexer, or a cache of their own."""

from collections.abc import Sequence

from packer.memory.architecture_rules import (
    ArchitectureRules,
    Indexer,
    Recurrence,
    SharedCache,
    Window,
)
from packer.memory.metadata_keys import MetadataKeys

_LAYERS_WITH_OWN_CACHE_IN_GEMMA3N = 20
_SPARSE_INDEXERS_FROM_CONTEXT = 1048576  # GLM-5.2; before it every layer had its own


def recurrent_layers(
    rules: ArchitectureRules,
    keys: MetadataKeys,
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


def window_pattern(
    rule: Window | None, keys: MetadataKeys, layers: int, nextn: int, recurrent: Sequence[bool]
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


def _pattern(rule: Window, keys: MetadataKeys, layers: int, trunk: int) -> tuple[bool, ...]:
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


def indexer_layers(
    rules: ArchitectureRules, keys: MetadataKeys, layers: int, nextn: int
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


def cached_layers(rules: ArchitectureRules, keys: MetadataKeys, layers: int) -> int:
    """Blocks from the start that own a cache."""
    match rules.shared_cache:
        case SharedCache.NONE:
            return layers
        case SharedCache.FIRST_TWENTY:
            return min(layers, _LAYERS_WITH_OWN_CACHE_IN_GEMMA3N)
        case SharedCache.BY_KEY:
            return layers - min(layers, keys.number("attention.shared_kv_layers", 0))
