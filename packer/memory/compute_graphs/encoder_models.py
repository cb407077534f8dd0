"""Encoders without a cache: BERT and its kin.

Source: llama.cpp b11434, src/models/bert.cpp.
"""

from packer.memory.compute_graphs.attention import Attention
from packer.memory.compute_graphs.decoders import is_last, project, rotate
from packer.memory.compute_graphs.experts import mix_experts, routing
from packer.memory.compute_graphs.model_graph import ModelGraph
from packer.memory.compute_tensor import F16, F32, GraphTensor

_ROTATED = frozenset({"nomic-bert", "nomic-bert-moe"})


def bert(graph: ModelGraph) -> None:
    """Post-normed blocks that see the whole batch."""
    hidden = graph.embed()
    types = graph.named("token_types.weight")
    if types is not None:
        hidden = graph.add(hidden, graph.view(types, (graph.sizes.embedding,)))
    places = graph.named("position_embd.weight")
    if places is not None:
        hidden = graph.add(graph.get_rows(places, graph.positions), hidden)
    hidden = graph.norm_embeddings(hidden, "norm")
    attention = Attention(graph)
    tokens = graph.batch.tokens
    kind = F16 if graph.context.has_flash_attention else F32
    mask = graph.input(kind, tokens, tokens)
    for layer in graph.context.blocks:
        hidden = graph.end_block(_block(graph, attention, hidden, layer, mask))
    graph.embeddings = graph.keep(hidden)
    graph.expand(hidden)


def _block(
    graph: ModelGraph,
    attention: Attention,
    hidden: GraphTensor,
    layer: int,
    mask: GraphTensor,
) -> GraphTensor:
    query, key, value = project(graph, hidden, layer)
    if graph.model.architecture in _ROTATED:
        query, key = rotate(graph, layer, query, key)
    for tensor in (query, key, value):
        graph.expand(tensor)
    result = attention.scores(layer, query, key, value, mask)
    result = graph.linear(layer, "attn_output", result)
    if is_last(graph, layer):
        result, hidden = graph.take_outputs(result, hidden)
    hidden = graph.norm(graph.add(result, hidden), layer, "attn_output_norm", kind="norm")
    result = _network(graph, hidden, layer)
    return graph.norm(graph.add(result, hidden), layer, "layer_output_norm", kind="norm")


def _network(graph: ModelGraph, hidden: GraphTensor, layer: int) -> GraphTensor:
    """Feed-forward network, or experts in every other block of some models."""
    every = graph.whole("moe_every_n_layers")
    if every and layer % every == 1:
        how = routing(graph, gate="soft_max", is_normalized=False, activation="gelu")
        return mix_experts(graph, hidden, layer, how)
    activation = "silu" if graph.has(layer, "ffn_gate") else "gelu"
    return graph.feed_forward(hidden, layer, activation=activation)
