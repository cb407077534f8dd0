"""Which attention CUDA cards have flash-attention kernels for."""

from packer.domain.quantization import ElementType
from packer.domain.server_options import FlashAttention
from packer.memory.architecture_rules import Recurrence
from packer.memory.hyperparameters import HyperParameters
from packer.memory.identity_cache import derived_once
from packer.memory.layer_split import HOST, Layout
from packer.memory.resolution import ResolvedContext

_Heads = tuple[int, int, int]
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


def cards_have_flash_attention(
    model: HyperParameters, context: ResolvedContext, layout: Layout
) -> bool:
    """Whether every card has kernels for the attention layers it holds. Exact.

    Source: llama.cpp b11434, ggml/src/ggml-cuda/fattn.cu, ggml_cuda_get_best_fattn_kernel().
    """
    if not (_has_type(context.type_k) and _has_type(context.type_v)):
        return not _attends_on_a_card(model, layout, frozenset())
    return not _attends_on_a_card(model, layout, _heads_with_kernel(model))


def _attends_on_a_card(model: HyperParameters, layout: Layout, excepted: frozenset[_Heads]) -> bool:
    """Whether a card holds an attention layer whose heads are not among the excepted."""
    heads = attention_heads(model)
    if excepted.issuperset(heads):
        return False
    return any(
        layout.layers[layer] != HOST and _heads(model, layer) not in excepted
        for layer in range(model.trunk_count)
        if _attends(model, layer)
    )


@derived_once
def attention_heads(model: HyperParameters) -> frozenset[_Heads]:
    """Different heads of all attention layers: key size, value size, queries per key."""
    layers = filter(lambda layer: _attends(model, layer), range(model.trunk_count))
    return frozenset(_heads(model, layer) for layer in layers)


@derived_once
def _heads_with_kernel(model: HyperParameters) -> frozenset[_Heads]:
    """Those of a model's heads that every CUDA card has a kernel for."""
    return frozenset(heads for heads in attention_heads(model) if _has_head(*heads))


def _attends(model: HyperParameters, layer: int) -> bool:
    has_both = model.rules.recurrence is Recurrence.BESIDE_ATTENTION
    return model.kv_heads[layer] > 0 and (has_both or not model.recurrent_layers[layer])


def _heads(model: HyperParameters, layer: int) -> _Heads:
    value = model.kv_lora_rank if model.is_mla else model.head_v[layer]
    return model.head_k[layer], value, model.heads[layer] // model.kv_heads[layer]


def _has_head(key: int, value: int, queries_per_key: int) -> bool:
    if key in _PLAIN_HEADS:
        return value == key
    wanted, multiple = _GROUPED_HEADS.get(key, (-1, 1))
    return value == wanted and queries_per_key >= 2 and queries_per_key % multiple == 0


def _has_type(element: ElementType) -> bool:
    return element.name in _CACHE_TYPES
