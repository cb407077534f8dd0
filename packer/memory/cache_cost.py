"""What context costs: bytes per token, per slot, and once, for one cache type."""

from dataclasses import dataclass

from packer.domain.model import ModelFile
from packer.domain.server_options import FlashAttention, ServerOptions
from packer.memory.estimate import estimate_memory

# Both lie above every sliding window in use, so between them only full attention grows.
_SHORT, _LONG = 2**18, 2**19


@dataclass(frozen=True)
class CacheCost:
    """Context memory as a function of tokens and slots. Exact for long contexts, one slot each.

    Attributes:
        bytes_per_token: Growth with every cell of full attention [bytes].
        bytes_per_slot: Recurrent state of one slot, whatever its context [bytes].
        window_bytes: Sliding-window cache of one slot, whatever its context [bytes].
    """

    cache_type: str
    bytes_per_token: int
    bytes_per_slot: int
    window_bytes: int


def cache_cost(model: ModelFile, cache_type: str) -> CacheCost:
    """Cost of context of a model, from the memory model itself. Exact.

    Raises:
        InvalidInput: llama.cpp refuses the cache type for this model.
        UnsupportedModel: The architecture is not modelled.
    """

    def context_bytes(cells: int, slots: int) -> int:
        options = ServerOptions(
            context_size=cells,
            slots=slots,
            kv_unified=True,
            cache_type_k=cache_type,
            cache_type_v=cache_type,
            flash_attention=FlashAttention.ON,
        )
        return estimate_memory(model, options, []).host.context_bytes

    short, long = context_bytes(_SHORT, 1), context_bytes(_LONG, 1)
    per_token = (long - short) // (_LONG - _SHORT)
    fixed = short - per_token * _SHORT
    state = _state_bytes(model, cache_type)
    return CacheCost(cache_type, per_token, state, fixed - state)


def _state_bytes(model: ModelFile, cache_type: str) -> int:
    """Recurrent state of one slot [bytes]. Exact."""
    from packer.memory.hyperparameters import read_hyperparameters
    from packer.memory.recurrent_state import recurrent_state_bytes
    from packer.memory.resolution import resolve_context

    sizes = read_hyperparameters(model)
    options = ServerOptions(context_size=_SHORT, slots=1, cache_type_k=cache_type)
    context = resolve_context(sizes, options)
    layers = (-1,) * (sizes.block_count + 1)
    return sum(recurrent_state_bytes(sizes, context, layers).values())
