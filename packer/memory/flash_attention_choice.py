"""Whether a context uses flash attention: the flag, the cards' kernels, and the scheduler."""

from collections.abc import Hashable

from packer.domain.model import ModelFile
from packer.domain.server_options import FlashAttention, ServerOptions
from packer.memory.compute_flash_attention import runs_flash_attention_with_its_layers
from packer.memory.compute_graphs.registry import is_known
from packer.memory.flash_attention import cards_have_flash_attention
from packer.memory.hyperparameters import HyperParameters
from packer.memory.identity_cache import derived_once
from packer.memory.layer_split import HOST, Layout
from packer.memory.resolution import ResolvedContext
from packer.memory.tensor_override import has_overrides


def uses_flash_attention(
    model: ModelFile,
    sizes: HyperParameters,
    context: ResolvedContext,
    layout: Layout,
    options: ServerOptions,
) -> bool:
    """Whether a context really uses flash attention. Exact where the model's graph is known.

    With everything on cards a missing kernel is all that can turn it off. When something stays on
    the host, the scheduler may also run an attention operation beside its layer's device.

    Source: llama.cpp b11434, src/llama-context.cpp, llama_init_from_model(), resolve_fused_ops().
    """
    asked = options.flash_attention
    if sizes.rules.has_no_flash_attention or asked is FlashAttention.OFF:
        return False
    if asked is FlashAttention.ON or context.type_v.is_quantized:
        return True
    if not cards_have_flash_attention(sizes, context, layout):
        return False
    return not _may_be_moved(sizes, context, layout, options) or _stays(
        model, context, layout, options
    )


def _may_be_moved(
    sizes: HyperParameters, context: ResolvedContext, layout: Layout, options: ServerOptions
) -> bool:
    """Whether the scheduler could run attention beside its layer's device."""
    if not layout.cards or not is_known(sizes.architecture, is_nextn=context.is_nextn):
        return False
    is_partly_on_host = HOST in layout.layers or not context.is_cache_offloaded
    return is_partly_on_host or has_overrides(options)


def _stays(
    model: ModelFile, context: ResolvedContext, layout: Layout, options: ServerOptions
) -> bool:
    """Whether the scheduler leaves attention with its layers; remembered for equal questions."""
    key = (
        layout,
        context.slots,
        context.streams,
        context.rollback_depth,
        context.is_cache_offloaded,
        context.is_nextn,
        context.type_k.ggml_id,
        context.type_v.ggml_id,
        options.op_offload,
        (options.embedding, options.reranking, options.pooling),
        (options.override_tensors, options.cpu_moe),
        (options.cpu_moe_layers, options.cpu_ffn_layers),
    )
    known = _answers(model)
    if key not in known:
        known[key] = runs_flash_attention_with_its_layers(model, context, layout, options)
    return known[key]


@derived_once
def _answers(model: ModelFile) -> dict[Hashable, bool]:
    """Answers of the scheduler for one model."""
    return {}
