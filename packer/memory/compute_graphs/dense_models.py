"""Dense decoders with a twist: optional halves of blocks, queries scaled by position.

Source of each function: llama.cpp b11434, the file of that name in src/models/.
"""

from packer.memory.compute_graphs.attention import Attention
from packer.memory.compute_graphs.decoders import decode, is_last, project, rotate
from packer.memory.compute_graphs.experts import mix_experts, routing
from packer.memory.compute_graphs.model_graph import ModelGraph
from packer.memory.compute_tensor import F32, GraphTensor


def _after_attention(
    graph: ModelGraph, result: GraphTensor, hidden: GraphTensor, layer: int
) -> GraphTensor:
    """Residual, norm, feed-forward network or experts, residual."""
    if is_last(graph, layer):
        result, hidden = graph.take_outputs(result, hidden)
    hidden = graph.add(result, hidden)
    normed = graph.norm(hidden, layer, "ffn_norm")
    if graph.has(layer, "ffn_gate_inp"):
        how = routing(graph, gate="soft_max", is_normalized=True)
        result = mix_experts(graph, normed, layer, how)
    else:
        result = graph.feed_forward(normed, layer)
    return graph.add(result, hidden)


def mistral3(graph: ModelGraph) -> None:
    """Like llama, with queries scaled by position in some files."""
    embedded = graph.embed()
    scales = None
    if graph.number("attention.temperature_scale"):
        scales = graph.input(F32, 1, 1, graph.batch.tokens)

    def block(
        graph: ModelGraph, attention: Attention, hidden: GraphTensor, layer: int
    ) -> GraphTensor:
        normed = graph.norm(hidden, layer, "attn_norm")
        query, key, value = project(graph, normed, layer)
        query, key = rotate(graph, layer, query, key)
        if scales is not None:
            query = graph.mul(query, scales)
        result = attention.attend(layer, query, key, value)
        return _after_attention(graph, result, hidden, layer)

    graph.finish(decode(graph, block, embedded))


def deci(graph: ModelGraph) -> None:
    """Blocks whose attention or feed-forward network may be missing."""

    def block(
        graph: ModelGraph, attention: Attention, hidden: GraphTensor, layer: int
    ) -> GraphTensor:
        sizes = graph.sizes
        result = hidden
        if sizes.heads[layer]:
            result = graph.norm(hidden, layer, "attn_norm")
        if sizes.heads[layer] and not sizes.kv_heads[layer]:
            result = graph.linear(layer, "attn_output", result, has_bias=False)
        elif sizes.heads[layer]:
            query, key, value = project(graph, result, layer)
            query, key = rotate(graph, layer, query, key)
            result = attention.attend(layer, query, key, value)
        return _after_optional_attention(graph, result, hidden, layer)

    graph.finish(decode(graph, block, graph.embed()))


def _after_optional_attention(
    graph: ModelGraph, result: GraphTensor, hidden: GraphTensor, layer: int
) -> GraphTensor:
    """Residual and feed-forward network of a block that may lack either."""
    before = hidden
    if is_last(graph, layer):
        result, hidden = graph.take_outputs(result, hidden)
    if not graph.sizes.feed_forward[layer]:
        return before
    if graph.sizes.heads[layer]:
        result = graph.add(result, hidden)
    normed = graph.norm(result, layer, "ffn_norm")
    return graph.add(graph.feed_forward(normed, layer), result)


def scaled_feed_forward(
    graph: ModelGraph, result: GraphTensor, hidden: GraphTensor, layer: int
) -> GraphTensor:
    """Granite's second half of a block: residuals are scaled, experts may have a shared one."""
    is_scaled = bool(graph.number("residual_scale"))
    if is_last(graph, layer):
        result, hidden = graph.take_outputs(result, hidden)
    hidden = graph.add(graph.scale(result) if is_scaled else result, hidden)
    normed = graph.norm(hidden, layer, "ffn_norm")
    if graph.has(layer, "ffn_gate_inp"):
        how = routing(graph, gate="soft_max", is_normalized=True)
        result = mix_experts(graph, normed, layer, how)
        if graph.sizes.shared_expert_feed_forward:
            result = graph.add(result, graph.feed_forward(normed, layer, suffix="_shexp"))
    else:
        result = graph.feed_forward(normed, layer)
    return graph.add(graph.scale(result) if is_scaled else result, hidden)
