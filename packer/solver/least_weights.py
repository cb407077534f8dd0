"""Bytes that cannot but lie on cards: a bound that costs nothing, so what fails it is not sized."""

from packer.domain.demand import PartialOffload
from packer.domain.model import ModelFile
from packer.domain.workload import Variant, Workload
from packer.memory.hyperparameters import read_hyperparameters
from packer.memory.identity_cache import derived_once
from packer.memory.kv_cache import trunk_cache
from packer.memory.resolution import cache_type
from packer.performance.depth import bytes_per_element
from packer.solver.candidate import Offer
from packer.units import format_gib


@derived_once
def embedding_bytes(model: ModelFile) -> int:
    """Bytes that may stay in the node's memory: token embeddings of every kind. Exact."""
    return sum(t.data_bytes for t in model.tensors if "token_embd" in t.name)


def least_bytes(model: ModelFile, cells: int, key_name: str, value_name: str) -> int:
    """Weights less embeddings, and caches without window [bytes]. A lower bound.

    Args:
        model: Header of the file.
        cells: Cells of all slots.
        key_name: Element type of cached keys.
        value_name: Element type of cached values.
    """
    key, value = cache_type(key_name), cache_type(value_name)
    shape = trunk_cache(read_hyperparameters(model))
    each = sum(
        count * (row.key * bytes_per_element(key) + row.value * bytes_per_element(value))
        for row, count in zip(shape.kinds, shape.counts, strict=True)
        if not row.has_window
    )
    weights = (model.file_bytes - embedding_bytes(model)) * model.size_low
    return int(weights + each * cells)


def too_large(workload: Workload, variant: Variant, offer: Offer) -> str:
    """Why the weights alone are too large for all cards of a node; empty if they are not."""
    if workload.partial_offload is not PartialOffload.NONE:
        return ""
    cards = min(offer.cards, workload.max_gpus or offer.cards)
    weights = int(variant.model.file_bytes * variant.model.size_low)
    weights -= embedding_bytes(variant.model)
    if weights <= cards * offer.room_bytes:
        return ""
    room = format_gib(max(0, cards * offer.room_bytes))
    return f"needs {format_gib(weights)} GiB for weights alone, {cards} cards have {room} GiB"
