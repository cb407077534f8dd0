"""Decoders whose blocks look back: at their own input or at the embeddings.

Source of each function: llama.cpp b11434, the file of that name in src/models/.
"""

from packer.memory.compute_graphs.attention import Attention
from packer.memory.compute_graphs.decoders import decode, is_last, project, rotate
from packer.memory.compute_graphs.experts import mix_experts, routing
from packer.memory.compute_graphs.model_graph import ModelGraph
from packer.memory.compute_tensor import GraphTensor

_PERIOD = 4


def arctic(graph: ModelGraph) -> None:
    """A dense network behind attention, and experts on the block's input beside both."""

    def block(
        graph: ModelGraph, attention: Attention, hidden: GraphTensor, layer: int
    ) -> GraphTensor:
        query, key, value = project(graph, graph.norm(hidden, layer, "attn_norm"), layer)
        query, key = rotate(graph, layer, query, key)
        result = attention.attend(layer, query, key, value)
        if is_last(graph, layer):
            result, hidden = graph.take_outputs(result, hidden)
        both = graph.add(result, hidden)
        dense = graph.feed_forward(graph.norm(both, layer, "ffn_norm"), layer)
        dense = graph.add(dense, both)
        how = routing(graph, gate="soft_max", is_normalized=True)
        normed = graph.norm(hidden, layer, "ffn_norm_exps")
        return graph.add(mix_experts(graph, normed, layer, how), dense)

    graph.finish(decode(graph, block, graph.embed()))


def smallthinker(graph: ModelGraph) -> None:
    """Experts chosen by the block's input; without windows every block rotates."""
    has_windows = any(graph.sizes.window_layers)

    def block(
        graph: ModelGraph, attention: Attention, hidden: GraphTensor, layer: int
    ) -> GraphTensor:
        scores = graph.linear(layer, "ffn_gate_inp", hidden)
        query, key, value = project(graph, graph.norm(hidden, layer, "attn_norm"), layer)
        if not has_windows or layer % _PERIOD:
            query, key = rotate(graph, layer, query, key)
        result = attention.attend(layer, query, key, value, has_window_cache=has_windows)
        if is_last(graph, layer):
            result, hidden, scores = graph.take_outputs(result, hidden, scores)
        hidden = graph.add(result, hidden)
        how = routing(graph, is_normalized=True, activation="relu")
        normed = graph.norm(hidden, layer, "ffn_norm")
        return graph.add(mix_experts(graph, normed, layer, how, logits=scores), hidden)

    graph.finish(decode(graph, block, graph.embed()))


def talkie(graph: ModelGraph) -> None:
    """Norms without weights; every block adds the embeddings times a factor."""
    embedded = graph.same("rms_norm", graph.embed())
    attention = Attention(graph)
    hidden = embedded
    for layer in graph.context.blocks:
        skipped = embedded
        query, key, value = project(graph, graph.same("rms_norm", hidden), layer)
        query, key = rotate(graph, layer, query, key)
        query = graph.norm(query, layer, "attn_q_norm")
        result = attention.attend(layer, query, graph.same("rms_norm", key), value)
        if is_last(graph, layer):
            result, hidden, skipped = graph.take_outputs(result, hidden, skipped)
        hidden = graph.add(result, hidden)
        result = graph.feed_forward(graph.same("rms_norm", hidden), layer)
        hidden = graph.add(result, hidden)
        hidden = graph.add(hidden, graph.mul(skipped, graph.need(layer, "layer_output_scale")))
        graph.end_block(hidden)
    graph.finish(graph.scale(graph.head(hidden)))
