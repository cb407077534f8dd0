"""Kimi Delta Attention in most blocks, latent attention in the others: Kimi Linear, Ling 3.

Kimi K3 adds a residual over blocks, see ``kimi_k3``.

Source of each function: llama.cpp b11434, src/models/kimi-linear.cpp, kimi-k3.cpp and
bailingmoe3.cpp; src/models/delta-net-base.cpp.
"""

import math

from packer.memory.compute_graphs.attention import Attention
from packer.memory.compute_graphs.decoders import is_last
from packer.memory.compute_graphs.delta_net_models import recur
from packer.memory.compute_graphs.experts import mix_experts, routing
from packer.memory.compute_graphs.latent_attention import latent_attention
from packer.memory.compute_graphs.model_graph import ModelGraph
from packer.memory.compute_graphs.recurrent_state import RecurrentStates
from packer.memory.compute_tensor import GraphTensor
from packer.memory.recurrent_state import state_elements


def kimi_linear(graph: ModelGraph) -> None:
    """Attention without positions; experts with a shared one behind the leading blocks."""
    hidden = graph.embed()
    attention, states = Attention(graph), RecurrentStates(graph)
    for layer in graph.context.blocks:
        normed = graph.norm(hidden, layer, "attn_norm")
        graph.expand(normed)
        if graph.sizes.recurrent_layers[layer]:
            result = delta_attention(graph, states, normed, layer)
        else:
            result = latent_attention(graph, attention, normed, layer, rotates=False)
        if is_last(graph, layer):
            result, hidden = graph.take_outputs(result, hidden)
        hidden = graph.add(result, hidden)
        normed = graph.norm(hidden, layer, "ffn_norm")
        hidden = graph.end_block(graph.add(_network(graph, normed, layer, True), hidden))
    graph.finish(graph.head(hidden))


def bailingmoe3(graph: ModelGraph) -> None:
    """Gated latent attention; outputs are taken behind the last norm."""
    hidden = graph.embed()
    attention, states = Attention(graph), RecurrentStates(graph)
    for layer in graph.context.blocks:
        normed = graph.norm(hidden, layer, "attn_norm")
        if graph.sizes.recurrent_layers[layer]:
            result = delta_attention(graph, states, normed, layer)
        else:
            result = gated_latent_attention(graph, attention, normed, layer)
        hidden = graph.add(result, hidden)
        normed = graph.norm(hidden, layer, "ffn_norm")
        hidden = graph.end_block(graph.add(_network(graph, normed, layer, None), hidden))
    graph.finish(graph.head_of_all_rows(hidden))


def gated_latent_attention(
    graph: ModelGraph, attention: Attention, normed: GraphTensor, layer: int
) -> GraphTensor:
    """Latent attention whose result is gated head by head."""
    result = latent_attention(graph, attention, normed, layer, projects=False)
    heads, width, tokens = graph.sizes.heads[layer], result.shape[0], result.shape[1]
    gate = graph.reshape(graph.linear(layer, "attn_gate", normed), 1, heads, tokens)
    cut = graph.reshape(result, width // heads, heads, tokens)
    gated = graph.mul(cut, graph.unary("sigmoid", gate))
    flat = graph.contiguous(gated, width, tokens)
    return graph.linear(layer, "attn_output", flat)


def _network(
    graph: ModelGraph, normed: GraphTensor, layer: int, is_normalized: bool | None
) -> GraphTensor:
    """Dense network in the leading blocks, experts with a shared one behind them."""
    if not graph.has(layer, "ffn_gate_inp"):
        return graph.feed_forward(normed, layer)
    mixed = mix_experts(graph, normed, layer, routing(graph, is_normalized=is_normalized))
    return graph.add(mixed, graph.feed_forward(normed, layer, suffix="_shexp"))


def delta_attention(
    graph: ModelGraph, states: RecurrentStates, operand: GraphTensor, layer: int
) -> GraphTensor:
    """Linear attention by a delta rule with a decay per channel."""
    batch, heads = graph.batch, graph.sizes.heads[0]
    head = graph.sizes.state_space.kda_head
    inner, tokens, sequences = heads * head, batch.tokens_per_sequence, batch.sequences
    kept, width = state_elements(graph.sizes)
    past = states.memory(layer, kept)
    window = states.gather(past)
    shape = (head, heads, tokens, sequences)
    query, key, value = (
        graph.reshape(
            _convolved(graph, states, past, window, operand, layer, index),
            *shape,
        )
        for index in range(3)
    )
    decay = graph.reshape(_decay(graph, operand, layer), *shape)
    beta = graph.reshape(graph.linear(layer, "ssm_beta", operand), 1, heads, tokens, sequences)
    beta = graph.unary("sigmoid", beta)
    memory = states.memory(layer, width)
    state = graph.reshape(states.gather(memory), head, head, heads, sequences)
    query, key = (graph.scale(graph.same("rms_norm", tensor)) for tensor in (query, key))
    output = recur(graph, states, memory, (query, key, value, decay, beta, state))
    output = graph.contiguous(output)
    gate = _output_gate(graph, operand, layer)
    in_heads = (head, heads, tokens * sequences)
    gate = graph.unary("sigmoid", graph.reshape(gate, *in_heads))
    normed = graph.norm(graph.reshape(output, *in_heads), layer, "ssm_norm")
    flat = graph.contiguous(graph.mul(normed, gate), inner, tokens * sequences)
    return graph.linear(layer, "attn_output", flat)


def _convolved(
    graph: ModelGraph,
    states: RecurrentStates,
    past: GraphTensor,
    window: GraphTensor,
    operand: GraphTensor,
    layer: int,
    index: int,
) -> GraphTensor:
    """Query, key or value after a short convolution with a window of its own."""
    part = "qkv"[index]
    tokens, sequences = graph.batch.tokens_per_sequence, graph.batch.sequences
    kernel = graph.need(layer, f"ssm_conv1d_{part}")
    fresh = _projected(graph, operand, layer, part)
    inner = fresh.shape[0]
    row = window.shape[0] // 3
    kept = row // inner
    element = window.type.block_bytes
    strides = (kept * element, 3 * row * element)
    old = graph.view(window, (kept, inner, sequences), strides, index * row * element)
    fresh = graph.reshape(fresh, inner, tokens, sequences)
    joined = graph.concat(old, graph.transpose(fresh), 0)
    is_k3 = graph.model.architecture == "kimi-k3"
    for depth in range(states.depth if is_k3 else min(tokens, states.depth)):
        first = max(0, joined.shape[0] - kept - depth)
        shape = (kept, inner, sequences)
        last = graph.view(joined, shape, (joined.layout[1],), first * element)
        offset = depth * graph.context.states * past.layout[1] + index * row * element
        graph.expand(graph.copy_into(last, graph.view(past, shape, strides, offset)))
    kernel = graph.reshape(kernel, kept + 1, inner)
    result = graph.sized("ssm_conv", joined, kernel, shape=(inner, tokens, sequences))
    return graph.unary("silu", graph.reshape(result, inner, tokens * sequences))


def _projected(graph: ModelGraph, operand: GraphTensor, layer: int, part: str) -> GraphTensor:
    """Query, key or value, from a matrix of its own or from one for all three."""
    if not graph.has(layer, "attn_qkv"):
        return graph.linear(layer, f"attn_{part}", operand)
    joined = graph.linear(layer, "attn_qkv", operand)
    inner = joined.shape[0] // 3
    offset = "qkv".index(part) * inner * joined.type.block_bytes
    view = graph.view(joined, (inner, joined.shape[1]), (joined.layout[1],), offset)
    return graph.contiguous(view)


def _decay(graph: ModelGraph, operand: GraphTensor, layer: int) -> GraphTensor:
    """How fast each channel of each head forgets, [head, heads, tokens]."""
    heads, head = graph.sizes.heads[0], graph.sizes.state_space.kda_head
    pace = graph.linear(layer, "ssm_f_a", operand)
    if graph.has(layer, "ssm_f_b"):
        pace = graph.linear(layer, "ssm_f_b", pace)
    pace = graph.add(pace, graph.need(layer, "ssm_dt", "bias"))
    rates = graph.reshape(graph.need(layer, "ssm_a", ""), 1, heads, 1)
    shape = (head, heads, operand.shape[1])
    if not _is_bounded(graph):
        return graph.mul(graph.reshape(graph.unary("softplus", pace), *shape), rates)
    slowed = graph.mul(graph.reshape(pace, *shape), rates)
    if graph.has(layer, "ssm_f_b"):
        slowed = graph.scale(slowed)
    return graph.scale(graph.unary("sigmoid", slowed))


def _is_bounded(graph: ModelGraph) -> bool:
    """Whether the decay has a lower bound."""
    if graph.model.architecture == "kimi-linear":
        return False
    bound = graph.number("kda.gate_lower_bound", -math.inf)
    return graph.model.architecture == "bailingmoe3" or bound > -math.inf


def _output_gate(graph: ModelGraph, operand: GraphTensor, layer: int) -> GraphTensor:
    """Gate of the result, through a narrow product or directly."""
    if graph.model.architecture != "bailingmoe3":
        width, batch = operand.shape[0], graph.batch
        cut = graph.reshape(operand, width, batch.tokens_per_sequence, batch.sequences)
        operand = graph.reshape(cut, width, operand.shape[1])
    if graph.has(layer, "ssm_g"):
        return graph.linear(layer, "ssm_g", operand)
    gate = graph.linear(layer, "ssm_g_a", operand)
    return graph.linear(layer, "ssm_g_b", gate) if graph.has(layer, "ssm_g_b") else gate
