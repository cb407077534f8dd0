"""Key/value cache: dense, sliding-window, compressed (MLA), shared, and indexer keys."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from packer.domain.quantization import ElementType
from packer.errors import Problem, UnsupportedModel
from packer.memory.architecture_rules import Cache, Indexer, Recurrence
from packer.memory.hyperparameters import HyperParameters
from packer.memory.identity_cache import derived_once
from packer.memory.layer_split import HOST
from packer.memory.resolution import CELL_PADDING, ResolvedContext, pad
from packer.memory.tensor_size import card_bytes, host_bytes

_MOST_LAYOUTS = 1024


@dataclass(frozen=True)
class CachedRows:
    """What one layer keeps per cell.

    Attributes:
        key, value: Elements per cell; no values with a compressed cache.
        index_key, index_value: Elements per cell of the indexer's own cache.
        has_window: Whether it only keeps the sliding window.
    """

    key: int
    value: int
    index_key: int
    index_value: int
    has_window: bool


@dataclass(frozen=True)
class CacheShape:
    """Layers that a context caches, of the trunk or of the nextn blocks.

    Attributes:
        layers: Block, and the index in ``kinds`` of what it keeps.
        kinds: Different things a layer keeps; ``counts`` says how many layers keep each.
        widest_value: Elements of the widest value of all blocks, 0 with a compressed cache.
    """

    layers: tuple[tuple[int, int], ...]
    kinds: tuple[CachedRows, ...]
    counts: tuple[int, ...]
    widest_value: int


@derived_once
def trunk_cache(model: HyperParameters) -> CacheShape:
    """Layers cached by a context of the trunk. Exact.

    Source: llama.cpp b11434, src/llama-model.cpp, create_memory(); src/llama-kv-cache.cpp.
    """
    if model.rules.cache in (Cache.NONE, Cache.RECURRENT):
        return CacheShape((), (), (), 0)
    has_both = model.rules.recurrence is Recurrence.BESIDE_ATTENTION
    chosen = [
        layer
        for layer in range(min(model.trunk_count, model.cached_layers))
        if (has_both or not model.recurrent_layers[layer]) and not _is_only_ffn(model, layer)
    ]
    return _shape(model, chosen)


@derived_once
def nextn_cache(model: HyperParameters) -> CacheShape:
    """Layers cached by the context of the nextn blocks. Exact."""
    return _shape(model, range(model.trunk_count, model.block_count))


def window_cells(model: HyperParameters, context: ResolvedContext) -> int:
    """Cells of a sliding-window layer, per stream [cells]. Exact.

    Source: llama.cpp b11434, src/llama-kv-cache-iswa.cpp.
    """
    if context.is_full_window or not model.window:
        return context.cells_per_slot
    windows = model.window * (context.slots if context.is_unified else 1)
    return pad(min(context.cells_per_slot, windows + context.ubatch_size), CELL_PADDING)


def kv_cache_bytes(
    model: HyperParameters,
    context: ResolvedContext,
    layers: Sequence[int],
    has_flash_attention: bool,
) -> dict[int, int]:
    """Bytes of key/value cache on every device that holds some. Exact.

    Args:
        model: Hyper-parameters of the model.
        context: Cells, streams and cache types; a nextn context caches the nextn blocks alone.
        layers: Device of every block.
        has_flash_attention: Without it every layer's V is as wide as the widest.

    Raises:
        UnsupportedModel: A row of keys or values is not a whole number of blocks.

    Source: llama.cpp b11434, src/llama-kv-cache.cpp, llama_kv_cache().
    """
    shape = nextn_cache(model) if context.is_nextn else trunk_cache(model)
    widest = 0 if has_flash_attention else shape.widest_value
    cells = (
        context.cells_per_slot * context.streams,
        window_cells(model, context) * context.streams,
    )
    held: dict[int, int] = {}
    for (device, kind), count in _counts(shape, layers, context.is_cache_offloaded).items():
        rows = shape.kinds[kind]
        size = _layer_bytes(context, rows, widest, cells[rows.has_window], device == HOST)
        held[device] = held.get(device, 0) + size * count
    return held


def _counts(
    shape: CacheShape, layers: Sequence[int], is_offloaded: bool
) -> Counter[tuple[int, int]]:
    """Layers of each kind on each device; remembered."""
    known, key = _known_counts(shape), (tuple(layers), is_offloaded)
    found = known.get(key)
    if found is None:
        if len(known) >= _MOST_LAYOUTS:
            known.clear()
        places = [(layers[il] if is_offloaded else HOST, kind) for il, kind in shape.layers]
        found = known[key] = Counter(places)
    return found


@derived_once
def _known_counts(_: CacheShape) -> dict[tuple[tuple[int, ...], bool], Counter[tuple[int, int]]]:
    """Counts of one shape for the layouts asked so far."""
    return {}


def slot_row_bytes(context: ResolvedContext, rows: CachedRows) -> int:
    """Bytes of one cell of one layer, without padding. Exact."""
    keys = context.type_k.row_bytes(rows.key) + context.type_k.row_bytes(rows.index_key)
    values = context.type_v.row_bytes(rows.value) + context.type_v.row_bytes(rows.index_value)
    return keys + values


def _layer_bytes(
    context: ResolvedContext, rows: CachedRows, widest: int, cells: int, is_host: bool
) -> int:
    """Bytes of all tensors of one layer."""
    tensors = (
        (context.type_k, rows.key),
        (context.type_v, widest or rows.value),
        (context.type_k, rows.index_key),
        (context.type_v, rows.index_value),
    )
    return sum(_tensor_bytes(kind, row, cells, is_host) for kind, row in tensors if row)


def _shape(model: HyperParameters, chosen: Iterable[int]) -> CacheShape:
    kinds: dict[CachedRows, int] = {}
    layers = tuple((i, kinds.setdefault(_rows(model, i), len(kinds))) for i in chosen)
    widest = max(head * kv for head, kv in zip(model.head_v, model.kv_heads, strict=True))
    counts = Counter(kind for _, kind in layers)
    return CacheShape(
        layers,
        tuple(kinds),
        tuple(counts[kind] for kind in kinds.values()),
        0 if model.is_mla else widest,
    )


def _rows(model: HyperParameters, layer: int) -> CachedRows:
    """What one layer keeps per cell."""
    is_indexed = model.indexer_layers[layer]
    has_index_value = is_indexed and model.rules.indexer is Indexer.AFTER_DENSE
    return CachedRows(
        key=model.head_k[layer] * model.kv_heads[layer],
        value=0 if model.is_mla else model.head_v[layer] * model.kv_heads[layer],
        index_key=model.indexer_head if is_indexed else 0,
        index_value=model.head_v[layer] if has_index_value else 0,
        has_window=model.window_layers[layer],
    )


def _is_only_ffn(model: HyperParameters, layer: int) -> bool:
    """Whether a block of a Nemotron-H model is a feed-forward network and nothing else."""
    return (
        model.rules.recurrence is Recurrence.WITHOUT_KV_HEADS_AND_FFN
        and model.feed_forward[layer] > 0
    )


@lru_cache(maxsize=4096)
def _tensor_bytes(element: ElementType, row: int, cells: int, is_host: bool) -> int:
    """Bytes of one tensor of a cache."""
    if row % element.block_elements:
        raise UnsupportedModel(
            Problem(
                code="P0507",
                title=f"a cache row of {row} elements cannot be {element.name}",
                why=f"{element.name} packs {element.block_elements} elements in a block",
                help="use f16 for this model's cache",
            )
        )
    elements = row * cells
    return host_bytes(element, elements) if is_host else card_bytes(element, row, elements)
