"""What context costs: bytes per token, per slot, and per window, for one cache type."""

from dataclasses import dataclass

from packer.domain.model import ModelFile
from packer.domain.server_options import FlashAttention, ServerOptions
from packer.memory.context_checks import check_context
from packer.memory.hyperparameters import HyperParameters, read_hyperparameters
from packer.memory.kv_cache import kv_cache_bytes
from packer.memory.layer_split import HOST
from packer.memory.recurrent_state import recurrent_state_bytes
from packer.memory.resolution import ResolvedContext, resolve_context

CACHE_TYPES = ("f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "iq4_nl", "q4_0")
"""Cache types worth a row, largest first."""

# A context beyond which only full attention grows, unless a window is even longer.
_LONG_CELLS = 2**18


@dataclass(frozen=True)
class CacheCost:
    """Context memory of one slot as a function of its tokens. Exact beyond the window.

    Attributes:
        cache_type: Type of K and V.
        bytes_per_token: Growth with every cell of full attention [bytes].
        bytes_per_slot: Recurrent state, whatever the context [bytes].
        window_bytes: Cache of the sliding windows with the default ubatch [bytes].
    """

    cache_type: str
    bytes_per_token: int
    bytes_per_slot: int
    window_bytes: int


def cache_cost(model: ModelFile, cache_type: str) -> CacheCost:
    """Cost of context of a model with flash attention on. Exact.

    Raises:
        InvalidInput: llama.cpp refuses the cache type for this model.
        UnsupportedModel: The architecture is not modelled.
    """
    sizes = read_hyperparameters(model)
    short = max(_LONG_CELLS, 2 * sizes.window)
    attention = _attention_bytes(sizes, cache_type, short)
    per_token = (_attention_bytes(sizes, cache_type, 2 * short) - attention) // short
    return CacheCost(
        cache_type,
        per_token,
        _total(recurrent_state_bytes(sizes, _context(sizes, cache_type, short), _host(sizes))),
        attention - per_token * short,
    )


def _attention_bytes(sizes: HyperParameters, cache_type: str, cells: int) -> int:
    """Key/value cache of one slot on the host, where nothing is padded for a kernel [bytes]."""
    return _total(kv_cache_bytes(sizes, _context(sizes, cache_type, cells), _host(sizes), True))


def _context(sizes: HyperParameters, cache_type: str, cells: int) -> ResolvedContext:
    """Context of one slot.

    Raises:
        InvalidInput: llama.cpp would not create it.
    """
    options = ServerOptions(
        context_size=cells,
        slots=1,
        cache_type_k=cache_type,
        cache_type_v=cache_type,
        flash_attention=FlashAttention.ON,
    )
    context = resolve_context(sizes, options)
    check_context(sizes, context, options)
    return context


def _host(sizes: HyperParameters) -> tuple[int, ...]:
    return (HOST,) * (sizes.block_count + 1)


def _total(by_device: dict[int, int]) -> int:
    return sum(by_device.values())
