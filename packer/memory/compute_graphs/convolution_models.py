"""LFM2: short gated convolutions in most blocks, attention in the others.

Source: llama.cpp b11434, src/models/lfm2.cpp and lfm2moe.cpp.
"""

from packer.memory.compute_graphs.attention import Attention
from packer.memory.compute_graphs.decoders import is_last, norm_heads, project, rotate
from packer.memory.compute_graphs.experts import mix_experts, routing
from packer.memory.compute_graphs.mamba_mixers import store_window
from packer.memory.compute_graphs.model_graph import ModelGraph
from packer.memory.compute_graphs.recurrent_state import RecurrentStates
from packer.memory.compute_tensor import GraphTensor


def lfm2(graph: ModelGraph) -> None:
    """Trunk of lfm2 and lfm2moe."""
    hidden = graph.embed()
    # Beside recurrent states, a cache split by window is not rotated.
    attention = Attention(graph, rotates=not any(graph.sizes.window_layers))
    states = RecurrentStates(graph)
    for layer in graph.context.blocks:
        normed = graph.norm(hidden, layer, "attn_norm")
        if graph.sizes.recurrent_layers[layer]:
            result = _convolve(graph, states, normed, layer)
        else:
            result = _attend(graph, attention, normed, layer)
        if is_last(graph, layer):
            result, hidden = graph.take_outputs(result, hidden)
        hidden = graph.add(hidden, result)
        normed = graph.norm(hidden, layer, "ffn_norm")
        if graph.has(layer, "ffn_gate_inp"):
            result = mix_experts(graph, normed, layer, routing(graph, is_normalized=True))
        else:
            result = graph.feed_forward(normed, layer)
        hidden = graph.end_block(graph.add(hidden, result))
    if graph.context.pooling:
        # Embeddings leave without logits.
        graph.embeddings = graph.keep(graph.norm(hidden, -1, "token_embd_norm"))
        graph.expand(graph.embeddings)
        return
    graph.finish(graph.head(hidden, norm="token_embd_norm"))


def _attend(
    graph: ModelGraph, attention: Attention, normed: GraphTensor, layer: int
) -> GraphTensor:
    query, key, value = project(graph, normed, layer)
    query, key = norm_heads(graph, layer, query, key)
    query, key = rotate(graph, layer, query, key)
    has_window = any(graph.sizes.window_layers)
    return attention.attend(layer, query, key, value, has_window_cache=has_window)


def _convolve(
    graph: ModelGraph, states: RecurrentStates, normed: GraphTensor, layer: int
) -> GraphTensor:
    """Gate, short convolution over the last tokens, gate."""
    width, batch = graph.sizes.embedding, graph.batch
    tokens, sequences = batch.tokens_per_sequence, batch.sequences
    kept = graph.sizes.state_space.shortconv_cells - 1
    rows = graph.reshape(normed, normed.shape[0], tokens, sequences)
    joined = graph.linear(layer, "shortconv.in_proj", rows)
    chunk = joined.shape[0] // 3
    before, behind, content = (
        graph.view(
            joined,
            (chunk, tokens, sequences),
            joined.layout[1:3],
            part * chunk * joined.type.block_bytes,
        )
        for part in range(3)
    )
    fresh = graph.transpose(graph.mul(before, content))
    past = states.memory(layer, kept * width)
    window = graph.reshape(states.gather(past), kept, width, sequences)
    columns = graph.concat(window, fresh, 0)
    store_window(graph, states, past, columns, (kept, width), tokens)
    kernel = graph.need(layer, "shortconv.conv")
    mixed = graph.sized("ssm_conv", columns, kernel, shape=(width, tokens, sequences))
    result = graph.linear(layer, "shortconv.out_proj", graph.mul(behind, mixed))
    return graph.reshape(result, result.shape[0], tokens * sequences)
