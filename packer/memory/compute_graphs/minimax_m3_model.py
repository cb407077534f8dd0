"""MiniMax M3: dense attention in the leading blocks, sparse attention and experts behind them.

Source: llama.cpp b11434, src/models/minimax-m3.cpp.
"""

from packer.memory.compute_graphs.attention import Attention
from packer.memory.compute_graphs.decoders import decode, is_last, norm_heads, project, rotate
from packer.memory.compute_graphs.experts import mix_experts, routing
from packer.memory.compute_graphs.model_graph import ModelGraph
from packer.memory.compute_graphs.sparse_attention import SparseAttention
from packer.memory.compute_tensor import GraphTensor

_ACTIVATION = "swiglu_oai"


def minimax_m3(graph: ModelGraph) -> None:
    """All blocks and the logits."""
    embedded = graph.embed()
    sparse = SparseAttention(graph)

    def block(
        graph: ModelGraph, attention: Attention, hidden: GraphTensor, layer: int
    ) -> GraphTensor:
        normed = graph.norm(hidden, layer, "attn_norm")
        query, key, value = project(graph, normed, layer)
        query, key = norm_heads(graph, layer, query, key)
        query, key = rotate(graph, layer, query, key)
        if sparse.serves(layer):
            result = sparse.attend(attention, (query, key, value), normed, layer)
        else:
            result = attention.attend(layer, query, key, value)
        if is_last(graph, layer):
            result, hidden = graph.take_outputs(result, hidden)
        hidden = graph.add(result, hidden)
        return graph.add(_network(graph, graph.norm(hidden, layer, "ffn_norm"), layer), hidden)

    graph.finish(decode(graph, block, embedded))


def _network(graph: ModelGraph, normed: GraphTensor, layer: int) -> GraphTensor:
    if not graph.has(layer, "ffn_gate_inp"):
        return graph.feed_forward(normed, layer, activation=_ACTIVATION)
    mixed = mix_experts(graph, normed, layer, routing(graph, activation=_ACTIVATION))
    shared = graph.feed_forward(normed, layer, activation=_ACTIVATION, suffix="_shexp")
    return graph.add(mixed, shared)
