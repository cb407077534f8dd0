"""Recurrent state of Mamba, gated delta-net and short-convolution layers."""

from collections.abc import Sequence

from packer.domain.quantization import ELEMENT_TYPES_BY_NAME
from packer.memory.hyperparameters import HyperParameters
from packer.memory.layer_split import HOST
from packer.memory.resolution import ResolvedContext
from packer.memory.tensor_size import card_bytes, host_bytes

_F32 = ELEMENT_TYPES_BY_NAME["f32"]
_KDA_HISTORY = 3  # tokens, when the file names no convolution


def state_elements(model: HyperParameters) -> tuple[int, int]:
    """Elements of the convolution state and of the recurrent state of one layer and row. Exact.

    Source: llama.cpp b11434, src/llama-hparams.cpp, n_embd_r() and n_embd_s().
    """
    space = model.state_space
    if space.wkv_head:
        return space.token_shifts * model.embedding, model.embedding * space.wkv_head
    if space.shortconv_cells:
        return model.embedding * (space.shortconv_cells - 1), 0
    if space.kda_head:
        history = space.convolution - 1 if space.convolution else _KDA_HISTORY
        inner = model.heads[0] * space.kda_head
        return 3 * history * inner, inner * space.kda_head
    history = max(space.convolution - 1, 0)
    convolved = history * (space.inner + 2 * space.groups * space.state)
    if space.linear_head:
        return convolved, space.linear_head**2 * model.heads[0]
    return convolved, space.state * space.inner


def recurrent_state_bytes(
    model: HyperParameters, context: ResolvedContext, layers: Sequence[int]
) -> dict[int, int]:
    """Bytes of recurrent state on every device that holds a recurrent layer. Exact.

    The state does not grow with the context: one row per slot, and one more for each token that
    speculation may have to take back.

    Args:
        model: Hyper-parameters; ``recurrent_layers`` says which blocks count.
        context: Slots and rollback depth.
        layers: Device of every block.

    Source:
        llama.cpp b11434, src/llama-memory-recurrent.cpp, llama_memory_recurrent().
    """
    recurrent = [i for i in range(model.trunk_count) if model.recurrent_layers[i]]
    if context.is_nextn or not recurrent:
        return {}
    rows = context.slots * (1 + context.rollback_depth)
    elements = [rows * count for count in state_elements(model)]
    on_card = sum(card_bytes(_F32, count, count) for count in elements)
    on_host = sum(host_bytes(_F32, count) for count in elements)
    held: dict[int, int] = {}
    for layer in recurrent:
        device = layers[layer] if context.is_cache_offloaded else HOST
        held[device] = held.get(device, 0) + (on_host if device == HOST else on_card)
    return held
