"""Keys and values a step reads at some depth."""

from packer.domain.quantization import ElementType
from packer.performance.model_reads import LayerReads


def cache_bytes_read(layer: LayerReads, depth: int, key: ElementType, value: ElementType) -> float:
    """Bytes of keys and values one slot's step reads of one layer [bytes]. Exact.

    Args:
        layer: Layer with its window, if it has one.
        depth: Tokens already in the slot.
        key: Type of the cache of keys.
        value: Type of the cache of values.
    """
    tokens = min(depth, layer.window) if layer.window else depth
    return tokens * (layer.key * bytes_per_element(key) + layer.value * bytes_per_element(value))


def bytes_per_element(element: ElementType) -> float:
    """Average bytes of one element, such as 1.0625 for q8_0. Exact."""
    return element.block_bytes / element.block_elements
