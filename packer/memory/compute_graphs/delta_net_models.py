"""Qwen 3.5 and Qwen3-Next: gated delta rule in most blocks, gated attention in the others.

Source of each function: llama.cpp b11434, src/models/delta-net-base.cpp, qwen35.cpp,
qwen35moe.cpp and qwen3next.cpp.
"""

from packer.memory.compute_graphs.attention import Attention
from packer.memory.compute_graphs.decoders import rotate
from packer.memory.compute_graphs.experts import mix_experts, routing
from packer.memory.compute_graphs.mamba_mixers import store_snapshots
from packer.memory.compute_graphs.model_graph import ModelGraph
from packer.memory.compute_graphs.recurrent_state import RecurrentStates
from packer.memory.compute_tensor import GraphTensor


def qwen35(graph: ModelGraph) -> None:
    """Trunk of qwen35, qwen35moe and qwen3next; outputs are taken behind the last norm."""
    hidden = graph.embed()
    attention, states = Attention(graph), RecurrentStates(graph)
    for layer in graph.context.blocks:
        normed = graph.norm(hidden, layer, "attn_norm")
        graph.expand(normed)
        if graph.sizes.recurrent_layers[layer]:
            result = _delta_rule(graph, states, normed, layer)
        else:
            result = gated_attention(graph, attention, normed, layer)
        hidden = gated_feed_forward(graph, graph.add(result, hidden), layer)
        graph.end_block(hidden)
    graph.finish(graph.head_of_all_rows(hidden, projects=graph.model.architecture == "qwen35"))


def gated_feed_forward(graph: ModelGraph, hidden: GraphTensor, layer: int) -> GraphTensor:
    """Norm, feed-forward network or experts with a gated shared one, residual."""
    normed = graph.norm(hidden, layer, "post_attention_norm")
    if not graph.has(layer, "ffn_gate_inp"):
        return graph.add(graph.feed_forward(normed, layer), hidden)
    how = routing(graph, gate="soft_max", is_normalized=True)
    result = mix_experts(graph, normed, layer, how)
    if graph.has(layer, "ffn_up_shexp"):
        shared = graph.feed_forward(normed, layer, suffix="_shexp")
        gate = graph.unary("sigmoid", graph.linear(layer, "ffn_gate_inp_shexp", normed))
        result = graph.add(result, graph.mul(shared, gate))
    return graph.add(result, hidden)


def gated_attention(
    graph: ModelGraph, attention: Attention, operand: GraphTensor, layer: int
) -> GraphTensor:
    """Attention whose result is gated by half of a double-width query."""
    sizes, tokens = graph.sizes, operand.shape[1]
    head, heads, kv_heads = sizes.head_k[layer], sizes.heads[layer], sizes.kv_heads[layer]
    double, key, value = (graph.linear(layer, f"attn_{part}", operand) for part in "qkv")
    if graph.model.architecture == "qwen3next":
        double = graph.reshape(double, 2 * head, heads, tokens)
    row = double.type.row_bytes(2 * head)
    strides = (row, row * heads)
    query = graph.view(double, (head, heads, tokens), strides)
    gate = graph.view(double, (head, heads, tokens), strides, row // 2)
    gate = graph.contiguous(gate, head * heads, tokens)
    query = graph.norm(query, layer, "attn_q_norm")
    key = graph.norm(graph.reshape(key, head, kv_heads, tokens), layer, "attn_k_norm")
    value = graph.reshape(value, head, kv_heads, tokens)
    query, key = rotate(graph, layer, query, key)
    result = attention.attend(layer, query, key, value, output="")
    return graph.linear(
        layer, "attn_output", graph.mul(result, graph.unary("sigmoid", gate)), has_bias=False
    )


def _delta_rule(
    graph: ModelGraph, states: RecurrentStates, operand: GraphTensor, layer: int
) -> GraphTensor:
    """Linear attention with a gated delta rule."""
    space, batch = graph.sizes.state_space, graph.batch
    tokens, sequences = batch.tokens_per_sequence, batch.sequences
    key_head, key_heads, heads = space.state, space.groups, space.rank
    head = space.inner // heads
    channels = space.inner + 2 * key_heads * key_head
    mixed, gate = _projections(graph, operand, layer)
    beta, decay = _rates(graph, operand, layer)
    past = states.memory(layer, (space.convolution - 1) * channels)
    kernel = graph.need(layer, "ssm_conv1d")
    joined = _with_past(graph, states, past, mixed, channels)
    memory = states.memory(layer, head * head * heads)
    state = graph.reshape(states.gather(memory), head, head, heads, sequences)
    shape = (channels, tokens, sequences)
    hidden = graph.unary("silu", graph.sized("ssm_conv", joined, kernel, shape=shape))
    row = hidden.type.row_bytes(channels)

    def part(width: int, count: int, before: int) -> GraphTensor:
        strides = (hidden.type.row_bytes(width), row, row * tokens)
        offset = hidden.type.row_bytes(before)
        return graph.view(hidden, (width, count, tokens, sequences), strides, offset)

    query, key = (
        graph.scale(graph.same("rms_norm", part(key_head, key_heads, before)))
        for before in (0, key_head * key_heads)
    )
    value = part(head, heads, 2 * key_head * key_heads)
    if graph.model.architecture == "qwen3next" and key_heads != heads:
        query, key = (_repeated(graph, tensor, heads) for tensor in (query, key))
    output = recur(graph, states, memory, (query, key, value, decay, beta, state))
    gate = graph.reshape(gate, head, heads, tokens, sequences)
    normed = graph.mul(graph.norm(output, layer, "ssm_norm"), graph.unary("silu", gate))
    flat = graph.reshape(normed, head * heads, tokens, sequences)
    result = graph.linear(layer, "ssm_out", flat)
    return graph.reshape(result, graph.sizes.embedding, tokens * sequences)


def _projections(
    graph: ModelGraph, operand: GraphTensor, layer: int
) -> tuple[GraphTensor, GraphTensor]:
    """Query, key and value side by side, and the gate of the result."""
    tokens, sequences = graph.batch.tokens_per_sequence, graph.batch.sequences
    if graph.has(layer, "attn_qkv"):
        mixed = graph.linear(layer, "attn_qkv", operand)
        mixed = graph.reshape(mixed, mixed.shape[0], tokens, sequences)
        return mixed, graph.linear(layer, "attn_gate", operand)
    space = graph.sizes.state_space
    heads, width = space.groups, space.state
    share = space.inner // heads
    joined = graph.linear(layer, "ssm_in", operand)
    joined = graph.reshape(joined, 2 * width + 2 * share, heads, tokens, sequences)
    parts, offset = [], 0
    for extent in (width, width, share, share):
        shape = (extent, heads, tokens, sequences)
        parts.append(graph.view(joined, shape, joined.layout[1:], offset))
        offset += extent * joined.type.block_bytes
    gate = graph.contiguous(parts[3])
    query, key, value = (
        graph.contiguous(part, part.shape[0] * heads, tokens, sequences) for part in parts[:3]
    )
    return graph.concat(graph.concat(query, key, 0), value, 0), gate


def _rates(graph: ModelGraph, operand: GraphTensor, layer: int) -> tuple[GraphTensor, GraphTensor]:
    """How strongly each head writes, and how fast it forgets."""
    space = graph.sizes.state_space
    tokens, sequences, heads = graph.batch.tokens_per_sequence, graph.batch.sequences, space.rank
    if graph.has(layer, "ssm_ba"):
        joined = graph.linear(layer, "ssm_ba", operand)
        share, groups = heads // space.groups, space.groups
        joined = graph.reshape(joined, 2 * share, groups, tokens, sequences)
        shape, element = (share, groups, tokens, sequences), joined.type.block_bytes
        write = graph.view(joined, shape, joined.layout[1:])
        forget = graph.view(joined, shape, joined.layout[1:], share * element)
        beta = graph.unary("sigmoid", graph.contiguous(write))
        alpha = graph.contiguous(forget, heads, tokens, sequences)
        beta = graph.reshape(beta, 1, heads, tokens, sequences)
    else:
        beta = graph.linear(layer, "ssm_beta", operand)
        beta = graph.unary("sigmoid", graph.reshape(beta, 1, heads, tokens, sequences))
        alpha = graph.linear(layer, "ssm_alpha", operand)
        alpha = graph.reshape(alpha, heads, tokens, sequences)
    biased = graph.add(alpha, graph.need(layer, "ssm_dt", "bias"))
    decay = graph.mul(graph.unary("softplus", biased), graph.need(layer, "ssm_a", ""))
    return beta, graph.reshape(decay, 1, heads, tokens, sequences)


def _with_past(
    graph: ModelGraph,
    states: RecurrentStates,
    past: GraphTensor,
    mixed: GraphTensor,
    channels: int,
) -> GraphTensor:
    """The batch's columns behind those of the last one, whose place they take in memory."""
    kept, sequences = past.shape[0] // channels, graph.batch.sequences
    window = graph.reshape(states.gather(past), kept, channels, sequences)
    joined = graph.concat(window, graph.transpose(mixed), 0)
    newest = joined.shape[0] - kept
    depth = states.depth
    for back in range(depth - 1, -1, -1):
        first = max(0, newest - back)
        shape = (kept, channels, sequences)
        offset = first * joined.type.block_bytes
        last = graph.view(joined, shape, (joined.layout[1],), offset)
        states.store(past, last, back)
    return joined


def _repeated(graph: ModelGraph, tensor: GraphTensor, heads: int) -> GraphTensor:
    """Key heads repeated to the number of value heads."""
    width, groups = tensor.shape[0], tensor.shape[1]
    rows = tensor.shape[2] * tensor.shape[3]
    single = graph.reshape(tensor, width, 1, groups, rows)
    repeated = graph.repeat(single, width, heads // groups, groups, rows)
    return graph.reshape(repeated, width, heads, *tensor.shape[2:])


def recur(
    graph: ModelGraph,
    states: RecurrentStates,
    memory: GraphTensor,
    operands: tuple[GraphTensor, ...],
) -> GraphTensor:
    """Output of the delta rule, [head, heads, tokens, sequences]; new states are written."""
    value = operands[2]
    head, heads, tokens, sequences = value.shape
    depth = states.depth
    shape = (head * heads, tokens * sequences + depth * head * sequences)
    result = graph.sized("gated_delta_net", *operands, shape=shape)
    row = result.type.row_bytes(head)
    strides = (row, row * heads, row * heads * tokens)
    output = graph.view(result, (head, heads, tokens, sequences), strides)
    elements = head * heads * tokens * sequences
    if depth == 1:
        offset = result.type.row_bytes(elements)
        square = (row, row * head, row * head * heads)
        fresh = graph.view(result, (head, head, heads, sequences), square, offset)
        states.store(memory, fresh)
    else:
        store_snapshots(graph, states, memory, result, elements)
    return output
