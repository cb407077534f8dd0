"""Whether flash attention is on: `--flash-attn auto` asks whether every layer's device has it."""

from packer.domain.quantization import ElementType
from packer.domain.server_options import FlashAttention, ServerOptions
from packer.memory.hyperparameters import HyperParameters
from packer.memory.layer_split import HOST, Layout
from packer.memory.resolution import ResolvedContext

# Head sizes with equal K and V that every CUDA card computes.
_PLAIN_HEADS = frozenset({40, 64, 72, 80, 96, 112, 128, 256})
# K size → (V size, queries per key must be a multiple of this).
_GROUPED_HEADS = {192: (128, 8), 320: (256, 32), 512: (512, 1), 576: (512, 1)}
_CACHE_TYPES = frozenset({"f32", "f16", "bf16", "q4_0", "q4_1", "q5_0", "q5_1", "q8_0"})


def transposes_values(asked: FlashAttention) -> bool:
    """Whether the cache is laid out for attention without flash attention. Exact.

    The cache is created before `auto` is resolved, so `auto` counts as on here.

    Source: llama.cpp b11434, src/llama-context.cpp, llama_context::llama_context().
    """
    return asked is FlashAttention.OFF


def resolve_flash_attention(
    model: HyperParameters, context: ResolvedContext, layout: Layout, options: ServerOptions
) -> bool:
    """Whether a context really uses flash attention.

    Exact but for graphs whose operations land on another device than their layer, which only the
    scheduler knows: rare splits of hybrid and shared-cache models.

    Source: llama.cpp b11434, src/llama-context.cpp, llama_init_from_model(), resolve_fused_ops().
    """
    asked = options.flash_attention
    if asked is not FlashAttention.AUTO or context.type_v.is_quantized:
        return asked is not FlashAttention.OFF
    return all(
        layout.layers[layer] == HOST or card_has_flash_attention(model, context, layer)
        for layer in range(model.block_count)
        if model.kv_heads[layer] and not model.recurrent_layers[layer]
    )


def card_has_flash_attention(model: HyperParameters, context: ResolvedContext, layer: int) -> bool:
    """Whether a CUDA card computes the flash attention of one layer. Exact.

    Source: llama.cpp b11434, ggml/src/ggml-cuda/fattn.cu, ggml_cuda_get_best_fattn_kernel().
    """
    key, value = model.head_k[layer], model.head_v[layer]
    if model.is_mla:
        value = model.kv_lora_rank
    if not _has_head(key, value, model.heads[layer] // model.kv_heads[layer]):
        return False
    return _has_type(context.type_k) and _has_type(context.type_v)


def _has_head(key: int, value: int, queries_per_key: int) -> bool:
    if key in _PLAIN_HEADS:
        return value == key
    wanted, multiple = _GROUPED_HEADS.get(key, (-1, 1))
    return value == wanted and queries_per_key >= 2 and queries_per_key % multiple == 0


def _has_type(element: ElementType) -> bool:
    return element.name in _CACHE_TYPES
