"""Host memory a server keeps beside its buffers: cached prompts and context checkpoints."""

from packer.domain.server_options import ServerOptions
from packer.memory.draft_model import SecondContext
from packer.memory.hyperparameters import HyperParameters
from packer.memory.kv_cache import nextn_cache, slot_row_bytes, trunk_cache
from packer.memory.recurrent_state import state_elements
from packer.memory.resolution import ResolvedContext
from packer.units import MIB

_FLOAT = 4


def prompt_cache_bytes(options: ServerOptions, context: ResolvedContext, cache: int) -> int:
    """Most bytes of prompts kept after their slot was given away, `--cache-ram`. Exact limit.

    Without a limit llama.cpp still keeps no more tokens than the context has cells, so one full
    context is what they take. A server of embeddings keeps none.

    Args:
        options: Options of the server.
        context: The target's context.
        cache: Bytes of the whole context on all devices.

    Source: llama.cpp b11434, tools/server/server-task.cpp, server_prompt_cache.
    """
    if context.pools_embeddings:
        return 0
    return cache if options.prompt_cache_mib < 0 else options.prompt_cache_mib * MIB


def checkpoint_bytes(
    sizes: HyperParameters,
    context: ResolvedContext,
    options: ServerOptions,
    second: SecondContext | None,
) -> int:
    """Most bytes of context checkpoints of all slots, `--ctx-checkpoints`. Upper limit.

    Only contexts that cannot take single tokens back make checkpoints: sliding windows and
    recurrent states. Each holds that part of one slot; a drafting context adds its own, which is
    the slot's whole cache when it has neither.

    Source:
        llama.cpp b11434, tools/server/server-context.cpp, create_checkpoint(); state_write() of
        src/llama-kv-cache.cpp, llama-kv-cache-iswa.cpp and llama-memory-recurrent.cpp.
    """
    partial = _partial_state(sizes, context)
    if not partial or context.pools_embeddings:
        return 0
    if second is not None:
        partial += _partial_state(second.sizes, second.context) or _whole_slot(second)
    return context.slots * max(options.context_checkpoints, 0) * partial


def _partial_state(sizes: HyperParameters, context: ResolvedContext) -> int:
    """Bytes of one slot that cannot be rolled back: window cells and recurrent rows."""
    if context.is_nextn:
        return 0
    recurrent = sum(sizes.recurrent_layers[: sizes.trunk_count])
    state = _FLOAT * recurrent * sum(state_elements(sizes))
    if not sizes.window or context.is_full_window:
        return state
    cells = min(sizes.window, context.cells_per_slot)
    shape = trunk_cache(sizes)
    return state + cells * sum(
        count * slot_row_bytes(context, rows)
        for rows, count in zip(shape.kinds, shape.counts, strict=True)
        if rows.has_window
    )


def _whole_slot(second: SecondContext) -> int:
    """Bytes of one slot's whole cache in a drafting context."""
    context, sizes = second.context, second.sizes
    shape = nextn_cache(sizes) if context.is_nextn else trunk_cache(sizes)
    return context.cells_per_slot * sum(
        count * slot_row_bytes(context, rows)
        for rows, count in zip(shape.kinds, shape.counts, strict=True)
    )
