"""Decoders whose cache is split by a sliding window: the Gemma family, gpt-oss, Llama 4.

Source of each function: llama.cpp b11434, the file of that name in src/models/.
"""

from dataclasses import replace

from packer.memory.compute_graphs.attention import Attention
from packer.memory.compute_graphs.decoders import (
    decode,
    is_last,
    norm_heads,
    project,
    rotate,
)
from packer.memory.compute_graphs.experts import mix_experts, routing
from packer.memory.compute_graphs.model_graph import ModelGraph
from packer.memory.compute_tensor import F32, GraphTensor

_LLAMA4_PERIOD = 4
_EXPERTS_WITHOUT_HEAD_NORM = 128


def gemma2(graph: ModelGraph) -> None:
    """Norms on both sides, capped logits."""
    embedded = graph.scale(graph.embed())
    graph.finish(capped(graph, decode(graph, _gemma_block, embedded)))


def gemma3(graph: ModelGraph) -> None:
    """Like gemma2 with normed heads."""
    logits = decode(graph, _gemma_block, graph.embed(scales_tokens=True))
    graph.finish(capped(graph, logits) if graph.number("final_logit_softcapping") else logits)


def capped(graph: ModelGraph, logits: GraphTensor) -> GraphTensor:
    """Logits squeezed by tanh."""
    return graph.scale(graph.unary("tanh", graph.scale(logits)))


def _gemma_block(
    graph: ModelGraph, attention: Attention, hidden: GraphTensor, layer: int
) -> GraphTensor:
    query, key, value = project(graph, graph.norm(hidden, layer, "attn_norm"), layer)
    query, key = norm_heads(graph, layer, query, key)
    query, key = rotate(graph, layer, query, key)
    has_window = any(graph.sizes.window_layers)
    result = attention.attend(layer, graph.scale(query), key, value, has_window_cache=has_window)
    if is_last(graph, layer):
        result, hidden = graph.take_outputs(result, hidden)
    hidden = graph.add(graph.norm(result, layer, "post_attention_norm"), hidden)
    normed = graph.norm(hidden, layer, "ffn_norm")
    result = graph.feed_forward(normed, layer, activation="gelu")
    return graph.add(graph.norm(result, layer, "post_ffw_norm", pins=False), hidden)


def gpt_oss(graph: ModelGraph) -> None:
    """Attention sinks, experts with biases; outputs are taken behind the last block."""
    attention = Attention(graph)
    hidden = graph.embed()
    how = replace(
        routing(graph, gate="chosen_soft_max", is_normalized=False), activation="swiglu_oai"
    )
    for layer in graph.context.blocks:
        query, key, value = project(graph, graph.norm(hidden, layer, "attn_norm"), layer)
        query, key = rotate(graph, layer, query, key)
        result = attention.attend(
            layer,
            query,
            key,
            value,
            sinks=graph.weight(layer, "attn_sinks"),
            has_window_cache=True,
        )
        hidden = graph.add(result, hidden)
        normed = graph.norm(hidden, layer, "post_attention_norm")
        hidden = graph.end_block(graph.add(mix_experts(graph, normed, layer, how), hidden))
    graph.keep(hidden)
    graph.finish(graph.head(*graph.take_outputs(hidden)))


def llama4(graph: ModelGraph) -> None:
    """Every fourth block sees everything and has no positions; experts with a shared one."""
    embedded = graph.embed()
    scales = graph.input(F32, 1, 1, graph.batch.tokens)
    has_window = any(graph.sizes.window_layers)
    step = _LLAMA4_PERIOD if has_window else graph.sizes.trunk_count
    how = replace(routing(graph, gate="sigmoid", is_normalized=False), weighs_first=True)

    def block(
        graph: ModelGraph, attention: Attention, hidden: GraphTensor, layer: int
    ) -> GraphTensor:
        query, key, value = project(graph, graph.norm(hidden, layer, "attn_norm"), layer)
        if (layer + 1) % step:
            query, key = rotate(graph, layer, query, key)
            if graph.sizes.experts != _EXPERTS_WITHOUT_HEAD_NORM:
                query, key = graph.same("rms_norm", query), graph.same("rms_norm", key)
        else:
            query = graph.mul(query, scales)
        result = attention.attend(layer, query, key, value, has_window_cache=has_window)
        if is_last(graph, layer):
            result, hidden = graph.take_outputs(result, hidden)
        hidden = graph.add(result, hidden)
        normed = graph.norm(hidden, layer, "ffn_norm")
        if not graph.has(layer, "ffn_gate_inp"):
            return graph.add(graph.feed_forward(normed, layer), hidden)
        mixed = mix_experts(graph, normed, layer, how)
        shared = graph.feed_forward(normed, layer, suffix="_shexp")
        return graph.add(graph.add(mixed, shared), hidden)

    graph.finish(decode(graph, block, embedded))
