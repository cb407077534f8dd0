"""Whether flash attention is on: `--flash-attn auto` asks whether every layer's device has it."""

from packer.domain.server_options import FlashAttention, ServerOptions
from packer.errors import InvalidInput, Problem
from packer.memory.hyperparameters import HyperParameters
from packer.memory.layer_split import Layout
from packer.memory.resolution import ResolvedContext


def transposes_values(asked: FlashAttention) -> bool:
    """Whether the cache is laid out for attention without flash attention. Exact.

    The cache is created before `auto` is resolved, so `auto` counts as on here.

    Source: llama.cpp b11434, src/llama-context.cpp, llama_context::llama_context().
    """
    return asked is FlashAttention.OFF


def resolve_flash_attention(
    model: HyperParameters, context: ResolvedContext, layout: Layout, options: ServerOptions
) -> bool:
    """Whether a context really uses flash attention. Exact.

    Raises:
        InvalidInput: V is quantized and flash attention is off.

    Source: llama.cpp b11434, src/llama-context.cpp, llama_init_from_model(), resolve_fused_ops().
    """
    asked = options.flash_attention
    if context.type_v.is_quantized and asked is FlashAttention.OFF:
        raise InvalidInput(
            Problem(
                code="P0509",
                title=f"a {context.type_v.name} V cache needs flash attention",
                why="llama.cpp refuses a quantized V cache with --flash-attn off",
                help="use --flash-attn on, or --cache-type-v f16",
            )
        )
    if asked is not FlashAttention.AUTO or context.type_v.is_quantized:
        return asked is not FlashAttention.OFF
    return True
