"""Graphs of nextn blocks, which draft tokens from the trunk's hidden states (MTP).

Source of each function: llama.cpp b11434, graph_mtp of the architecture in src/models/.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from packer.memory.compute_graphs.attention import Attention
from packer.memory.compute_graphs.decoders import norm_heads, project, rotate
from packer.memory.compute_graphs.delta_net_models import gated_attention, gated_feed_forward
from packer.memory.compute_graphs.kda_models import gated_latent_attention
from packer.memory.compute_graphs.latent_attention import latent_attention
from packer.memory.compute_graphs.latent_models import mixed_feed_forward
from packer.memory.compute_graphs.model_graph import ModelGraph
from packer.memory.compute_tensor import F32, I32, GraphTensor

NextnBlock = Callable[[ModelGraph, Attention, GraphTensor, int], GraphTensor]


def draft_with_nextn(graph: ModelGraph, block: NextnBlock) -> None:
    """Embedding and hidden state joined, one block, and a head that may be the trunk's."""
    layer, tokens = graph.sizes.trunk_count, graph.batch.tokens
    table = graph.weight(layer, "nextn.embed_tokens")
    if table is None:
        table = graph.named("token_embd.weight")
    if table is None:
        raise KeyError("token_embd.weight")
    embedded = graph.get_rows(table, graph.input(I32, tokens))
    hidden = graph.input(F32, graph.sizes.embedding, tokens)
    state = graph.norm(hidden, layer, "nextn.hnorm")
    joined = graph.concat(graph.norm(embedded, layer, "nextn.enorm"), state, 0)
    hidden = graph.linear(layer, "nextn.eh_proj", joined)
    hidden = block(graph, Attention(graph), hidden, layer)
    own_norm = graph.has(layer, "nextn.shared_head_norm")
    stem = f"blk.{layer}.nextn.shared_head_norm" if own_norm else "output_norm"
    normed = graph.keep(graph.norm(hidden, -1, stem))
    (wanted,) = graph.take_outputs(normed)
    head = graph.weight(layer, "nextn.shared_head_head")
    graph.finish(graph.mul_mat(graph.output_matrix if head is None else head, wanted))


def _gated(graph: ModelGraph, attention: Attention, hidden: GraphTensor, layer: int) -> GraphTensor:
    """Qwen 3.5: gated attention, whatever the trunk's blocks are."""
    result = gated_attention(graph, attention, graph.norm(hidden, layer, "attn_norm"), layer)
    return gated_feed_forward(graph, graph.add(result, hidden), layer)


def _plain(graph: ModelGraph, attention: Attention, hidden: GraphTensor, layer: int) -> GraphTensor:
    """GLM 4.5: plain attention, experts with a shared one."""
    query, key, value = project(graph, graph.norm(hidden, layer, "attn_norm"), layer)
    query, key = norm_heads(graph, layer, query, key)
    query, key = rotate(graph, layer, query, key)
    hidden = graph.add(attention.attend(layer, query, key, value), hidden)
    normed = graph.norm(hidden, layer, "post_attention_norm")
    return graph.add(mixed_feed_forward(graph, normed, layer), hidden)


def _latent(
    graph: ModelGraph, attention: Attention, hidden: GraphTensor, layer: int
) -> GraphTensor:
    """DeepSeek: latent attention over all cells, experts with a shared one."""
    normed = graph.norm(hidden, layer, "attn_norm")
    hidden = graph.add(latent_attention(graph, attention, normed, layer), hidden)
    normed = graph.norm(hidden, layer, "ffn_norm")
    return graph.add(mixed_feed_forward(graph, normed, layer), hidden)


def _sparse(
    graph: ModelGraph, attention: Attention, hidden: GraphTensor, layer: int
) -> GraphTensor:
    """Hunyuan 3: plain attention, experts chosen by sigmoid with a shared one."""
    query, key, value = project(graph, graph.norm(hidden, layer, "attn_norm"), layer)
    query, key = norm_heads(graph, layer, query, key)
    query, key = rotate(graph, layer, query, key)
    hidden = graph.add(attention.attend(layer, query, key, value), hidden)
    normed = graph.norm(hidden, layer, "ffn_norm")
    return graph.add(mixed_feed_forward(graph, normed, layer), hidden)


def _gated_latent(
    graph: ModelGraph, attention: Attention, hidden: GraphTensor, layer: int
) -> GraphTensor:
    """Ling 3: gated latent attention, experts with a shared one."""
    normed = graph.norm(hidden, layer, "attn_norm")
    hidden = graph.add(gated_latent_attention(graph, attention, normed, layer), hidden)
    normed = graph.norm(hidden, layer, "ffn_norm")
    return graph.add(mixed_feed_forward(graph, normed, layer), hidden)


_BLOCKS: dict[str, NextnBlock] = {
    "bailingmoe3": _gated_latent,
    "deepseek2": _latent,
    "deepseek32": _latent,
    "glm-dsa": _latent,
    "glm4moe": _plain,
    "hy_v3": _sparse,
    "qwen35": _gated,
    "qwen35moe": _gated,
    "qwen3next": _gated,
}

NEXTN_BLOCKS: Mapping[str, NextnBlock] = MappingProxyType(_BLOCKS)
"""Nextn block by architecture."""

UNMEASURED_NEXTN = frozenset({"bailingmoe3", "glm-dsa", "hy_v3"})
"""Architectures whose nextn block was read in the source but never compared with the allocator."""
