"""What is inside model files, and how much context a card holds of them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from packer.api.model_headers import Models
from packer.domain.server_options import ServerOptions
from packer.errors import InvalidInput

if TYPE_CHECKING:
    from packer.gguf.inspection import Inspection
    from packer.memory.cache_cost import CacheCost
    from packer.memory.result import Card

_STEP = 256
"""Cells llama.cpp pads a context to."""


def inspect(reference: str | Path) -> "Inspection":
    """What a model file holds: a path, ``catalogue:<id>:<quantization>``, URL or ``hf://``."""
    from packer.gguf.inspection import inspect_model

    return inspect_model(Models().read(str(reference)))


def cache_costs(reference: str | Path) -> "tuple[CacheCost, ...]":
    """What context costs by cache type; a type that llama.cpp refuses for the model is left out.

    Raises:
        UnsupportedModel: The architecture is not modelled.
    """
    from packer.memory.cache_cost import CACHE_TYPES, cache_cost

    model = Models().read(str(reference))
    # f16 fits every model that is modelled: if it is refused, the model is.
    found = [cache_cost(model, CACHE_TYPES[0])]
    for cache_type in CACHE_TYPES[1:]:
        try:
            found.append(cache_cost(model, cache_type))
        except InvalidInput:
            continue
    return tuple(found)


def largest_context(
    reference: str | Path, cards: "Sequence[Card]", *, cache_type: str = "f16"
) -> int | None:
    """Largest context of one slot on given cards, everything on them [tokens].

    A multiple of 256 cells, or the model's own limit; None when not even 256 cells fit. On the
    safe side: the upper band must fit, so the process does not run out of memory.

    Args:
        reference: The model, as for ``inspect``.
        cards: Every card of the server, in CUDA order.
        cache_type: ``--cache-type-k`` and ``--cache-type-v``.

    Raises:
        InvalidInput: The model or the cache type is refused.
    """
    from packer.memory.estimate import estimate_memory

    model = Models().read(str(reference))
    asked = ServerOptions(slots=1, cache_type_k=cache_type, cache_type_v=cache_type, fit=False)

    def fits(cells: int) -> bool:
        return estimate_memory(model, replace(asked, context_size=cells), cards).fits

    limit = max(1, model.context_length)
    low, high = 0, -(-limit // _STEP)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(min(middle * _STEP, limit)) else (low, middle - 1)
    return min(low * _STEP, limit) or None
