"""Dense decoders, and mixtures that only exchange the feed-forward network for experts.

Source of each function: llama.cpp b11434, the file of that name in src/models/.
"""

from packer.memory.compute_graphs.attention import Attention
from packer.memory.compute_graphs.decoders import (
    decode,
    in_heads,
    is_last,
    norm_heads,
    project,
    project_flat,
    rotate,
)
from packer.memory.compute_graphs.experts import mix_experts, routing
from packer.memory.compute_graphs.model_graph import ModelGraph
from packer.memory.compute_tensor import F32, GraphTensor


def llama(graph: ModelGraph) -> None:
    """llama, qwen2, qwen3, qwen3moe, minimax-m2 and smollm3: pre-normed blocks."""
    graph.finish(decode(graph, _plain_block, graph.embed()))


def _plain_block(
    graph: ModelGraph, attention: Attention, hidden: GraphTensor, layer: int
) -> GraphTensor:
    """Norm, attention, norm, feed-forward network or experts."""
    normed = graph.norm(hidden, layer, "attn_norm")
    query, key, value = project(graph, normed, layer)
    query, key = norm_heads(graph, layer, query, key)
    if _turns(graph, layer):
        query, key = rotate(graph, layer, query, key)
    result = attention.attend(layer, query, key, value)
    return after_attention(graph, result, hidden, layer)


def after_attention(
    graph: ModelGraph, result: GraphTensor, hidden: GraphTensor, layer: int
) -> GraphTensor:
    """Residual, norm, feed-forward network or experts, residual."""
    if is_last(graph, layer):
        result, hidden = graph.take_outputs(result, hidden)
    hidden = graph.add(result, hidden)
    normed = graph.norm(hidden, layer, "ffn_norm")
    if graph.has(layer, "ffn_gate_inp"):
        how = routing(graph, gate=_gate(graph), is_normalized=True)
        result = mix_experts(graph, normed, layer, how)
    else:
        result = graph.feed_forward(normed, layer)
    return graph.add(result, hidden)


def _gate(graph: ModelGraph) -> str:
    """MiniMax names its gate in the file; the others use softmax."""
    return "" if graph.model.architecture == "minimax-m2" else "soft_max"


def _turns(graph: ModelGraph, layer: int) -> bool:
    """Whether positions are rotated in; SmolLM3 leaves out every fourth block."""
    return graph.model.architecture != "smollm3" or (layer + 1) % 4 != 0


def minimax_m2(graph: ModelGraph) -> None:
    """Norms over all heads at once, experts in every block."""

    def block(
        graph: ModelGraph, attention: Attention, hidden: GraphTensor, layer: int
    ) -> GraphTensor:
        normed = graph.norm(hidden, layer, "attn_norm")
        query, key, value = _flat_normed(graph, normed, layer)
        query, key = rotate(graph, layer, query, key)
        result = attention.attend(layer, query, key, value)
        return after_attention(graph, result, hidden, layer)

    graph.finish(decode(graph, block, graph.embed()))


def _flat_normed(
    graph: ModelGraph, operand: GraphTensor, layer: int
) -> tuple[GraphTensor, GraphTensor, GraphTensor]:
    """Query and key normed over all heads at once, then cut into heads."""
    query, key, value = project_flat(graph, operand, layer)
    query = graph.norm(query, layer, "attn_q_norm")
    key = graph.norm(key, layer, "attn_k_norm")
    return in_heads(graph, layer, (query, key, value))


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
        return after_attention(graph, result, hidden, layer)

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


def command_r(graph: ModelGraph) -> None:
    """Attention and feed-forward network side by side on one norm."""

    def block(
        graph: ModelGraph, attention: Attention, hidden: GraphTensor, layer: int
    ) -> GraphTensor:
        normed = graph.norm(hidden, layer, "attn_norm", kind="norm")
        query, key, value = project(graph, normed, layer)
        query, key = norm_heads(graph, layer, query, key, "norm")
        query, key = rotate(graph, layer, query, key)
        result = attention.attend(layer, query, key, value)
        if is_last(graph, layer):
            result, hidden, normed = graph.take_outputs(result, hidden, normed)
        return graph.add(graph.add(graph.feed_forward(normed, layer), hidden), result)

    logits = decode(graph, block, graph.embed(), final_norm="norm")
    graph.finish(graph.scale(logits) if graph.number("logit_scale") else logits)


def olmo2(graph: ModelGraph) -> None:
    """Norms behind attention and feed-forward network instead of before them."""
    has_window = any(graph.sizes.window_layers)

    def block(
        graph: ModelGraph, attention: Attention, hidden: GraphTensor, layer: int
    ) -> GraphTensor:
        query, key, value = _flat_normed(graph, hidden, layer)
        query, key = rotate(graph, layer, query, key)
        result = attention.attend(layer, query, key, value, has_window_cache=has_window)
        if is_last(graph, layer):
            result, hidden = graph.take_outputs(result, hidden)
        hidden = graph.add(graph.norm(result, layer, "post_attention_norm"), hidden)
        result = graph.feed_forward(hidden, layer)
        return graph.add(graph.norm(result, layer, "post_ffw_norm", pins=False), hidden)

    graph.finish(decode(graph, block, graph.embed()))


def glm4(graph: ModelGraph) -> None:
    """Norms before and behind, gate and up in one matrix."""

    def block(
        graph: ModelGraph, attention: Attention, hidden: GraphTensor, layer: int
    ) -> GraphTensor:
        normed = graph.norm(hidden, layer, "attn_norm")
        query, key, value = project(graph, normed, layer)
        query, key = rotate(graph, layer, query, key)
        result = attention.attend(layer, query, key, value)
        if is_last(graph, layer):
            result, hidden = graph.take_outputs(result, hidden)
        hidden = graph.add(graph.norm(result, layer, "post_attention_norm"), hidden)
        result = graph.feed_forward(
            graph.norm(hidden, layer, "ffn_norm"), layer, activation="swiglu"
        )
        return graph.add(graph.norm(result, layer, "post_ffw_norm"), hidden)

    graph.finish(decode(graph, block, graph.embed()))


def phi3(graph: ModelGraph) -> None:
    """Scaled queries, gate and up in one matrix."""

    def block(
        graph: ModelGraph, attention: Attention, hidden: GraphTensor, layer: int
    ) -> GraphTensor:
        query, key, value = project(graph, graph.norm(hidden, layer, "attn_norm"), layer)
        query, key = rotate(graph, layer, query, key)
        result = attention.attend(layer, graph.scale(query), key, value)
        if is_last(graph, layer):
            result, hidden = graph.take_outputs(result, hidden)
        hidden = graph.add(result, hidden)
        normed = graph.norm(hidden, layer, "ffn_norm")
        return graph.add(hidden, graph.feed_forward(normed, layer, activation="swiglu"))

    graph.finish(decode(graph, block, graph.embed()))


def granite(graph: ModelGraph) -> None:
    """Like llama with scaled residuals and logits."""

    def block(
        graph: ModelGraph, attention: Attention, hidden: GraphTensor, layer: int
    ) -> GraphTensor:
        query, key, value = project(graph, graph.norm(hidden, layer, "attn_norm"), layer)
        query, key = rotate(graph, layer, query, key)
        result = attention.attend(layer, query, key, value)
        return scaled_feed_forward(graph, result, hidden, layer)

    graph.finish(graph.scale(decode(graph, block, graph.embed())))


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
