"""Models with Mamba blocks: pure, and mixed with attention and feed-forward blocks.

Source of each function: llama.cpp b11434, the file of that name in src/models/.
"""

from dataclasses import replace

from packer.memory.compute_graphs.attention import Attention
from packer.memory.compute_graphs.decoders import is_last, norm_heads, project, rotate
from packer.memory.compute_graphs.dense_models import scaled_feed_forward
from packer.memory.compute_graphs.experts import mix_experts, routing
from packer.memory.compute_graphs.mamba_mixers import mamba2_mixer, mamba_mixer
from packer.memory.compute_graphs.model_graph import ModelGraph
from packer.memory.compute_graphs.plamo2_mixer import plamo2_mixer
from packer.memory.compute_graphs.recurrent_state import RecurrentStates
from packer.memory.compute_tensor import GraphTensor


def mamba(graph: ModelGraph) -> None:
    """Nothing but Mamba blocks, of the first or the second kind."""
    mix = mamba_mixer if graph.model.architecture == "mamba" else mamba2_mixer
    hidden = graph.embed()
    states = RecurrentStates(graph)
    for layer in graph.context.blocks:
        result = mix(graph, states, graph.norm(hidden, layer, "attn_norm"), layer)
        if is_last(graph, layer):
            result, hidden = graph.take_outputs(result, hidden)
        hidden = graph.end_block(graph.add(result, hidden))
    graph.finish(graph.head(hidden))


def granite_hybrid(graph: ModelGraph) -> None:
    """Granite with Mamba blocks in place of most attention."""
    hidden = graph.embed()
    attention, states = Attention(graph), RecurrentStates(graph)
    for layer in graph.context.blocks:
        normed = graph.norm(hidden, layer, "attn_norm")
        if graph.sizes.recurrent_layers[layer]:
            result = mamba2_mixer(graph, states, normed, layer)
        else:
            query, key, value = project(graph, normed, layer)
            if graph.model.metadata.get("granitehybrid.rope.scaling.finetuned", True):
                query, key = rotate(graph, layer, query, key)
            result = attention.attend(layer, query, key, value)
        hidden = graph.end_block(scaled_feed_forward(graph, result, hidden, layer))
    logits = graph.head(hidden)
    graph.finish(graph.scale(logits) if graph.number("logit_scale") else logits)


def nemotron_h(graph: ModelGraph) -> None:
    """Each block is one thing: Mamba, attention, or a feed-forward network or experts."""
    hidden = graph.embed()
    attention, states = Attention(graph), RecurrentStates(graph)
    for layer in graph.context.blocks:
        normed = graph.norm(hidden, layer, "attn_norm")
        if graph.sizes.recurrent_layers[layer]:
            result = mamba2_mixer(graph, states, normed, layer)
        elif graph.sizes.feed_forward[layer] == 0:
            result = attention.attend(layer, *project(graph, normed, layer))
        else:
            result = _nemotron_feed_forward(graph, normed, layer)
        hidden = graph.end_block(graph.add(result, hidden))
    graph.finish(graph.head_of_all_rows(hidden))


def _nemotron_feed_forward(graph: ModelGraph, normed: GraphTensor, layer: int) -> GraphTensor:
    """Squared rectified units, alone or as experts with a shared one."""
    if not graph.has(layer, "ffn_gate_inp"):
        return graph.feed_forward(normed, layer, activation="relu_sqr")
    how = replace(routing(graph, gate="sigmoid"), activation="relu_sqr")
    logits = graph.linear(layer, "ffn_gate_inp", normed)
    narrow = normed
    if graph.has(layer, "ffn_latent_down"):
        narrow = graph.linear(layer, "ffn_latent_down", normed)
    mixed = mix_experts(graph, narrow, layer, how, logits=logits)
    if graph.has(layer, "ffn_latent_up"):
        mixed = graph.linear(layer, "ffn_latent_up", mixed)
    shared = graph.feed_forward(normed, layer, activation="relu_sqr", suffix="_shexp")
    return graph.add(mixed, shared)


def jamba(graph: ModelGraph) -> None:
    """Mamba of the first kind, attention without positions in some blocks."""
    hidden = graph.embed()
    attention, states = Attention(graph), RecurrentStates(graph)
    for layer in graph.context.blocks:
        normed = graph.norm(hidden, layer, "attn_norm")
        if graph.sizes.recurrent_layers[layer]:
            result = mamba_mixer(graph, states, normed, layer)
        else:
            result = attention.attend(layer, *project(graph, normed, layer))
        if is_last(graph, layer):
            result, hidden = graph.take_outputs(result, hidden)
        hidden = graph.add(hidden, result)
        normed = graph.norm(hidden, layer, "ffn_norm")
        if graph.has(layer, "ffn_gate_inp"):
            how = routing(graph, gate="soft_max", is_normalized=False)
            result = mix_experts(graph, normed, layer, how)
        else:
            result = graph.feed_forward(normed, layer)
        hidden = graph.end_block(graph.add(hidden, result))
    graph.finish(graph.head(hidden))


def falcon_h1(graph: ModelGraph) -> None:
    """Attention and Mamba of the second kind side by side in every block."""
    hidden = graph.embed()
    attention, states = Attention(graph), RecurrentStates(graph)
    for layer in graph.context.blocks:
        query, key, value = project(graph, graph.norm(hidden, layer, "attn_norm"), layer)
        query, key = rotate(graph, layer, query, key)
        attended = attention.attend(layer, query, key, value)
        normed = graph.norm(hidden, layer, "attn_norm")
        mixed = mamba2_mixer(graph, states, normed, layer)
        hidden = graph.add(graph.add(attended, mixed), hidden)
        if is_last(graph, layer):
            (hidden,) = graph.take_outputs(hidden)
        result = graph.feed_forward(graph.norm(hidden, layer, "ffn_norm"), layer)
        hidden = graph.end_block(graph.add(result, hidden))
    graph.finish(graph.head(hidden))


def plamo2(graph: ModelGraph) -> None:
    """Mamba of its own kind or attention, norms on both sides."""
    hidden = graph.embed()
    attention, states = Attention(graph), RecurrentStates(graph)
    for layer in graph.context.blocks:
        normed = graph.norm(hidden, layer, "attn_norm")
        if graph.sizes.recurrent_layers[layer]:
            result = plamo2_mixer(graph, states, normed, layer)
        else:
            query, key, value = project(graph, normed, layer)
            query, key = norm_heads(graph, layer, query, key)
            query, key = rotate(graph, layer, query, key)
            result = attention.attend(layer, query, key, value)
        if is_last(graph, layer):
            result, hidden = graph.take_outputs(result, hidden)
        hidden = graph.add(graph.norm(result, layer, "post_attention_norm"), hidden)
        normed = graph.norm(hidden, layer, "ffn_norm")
        result = graph.feed_forward(normed, layer, activation="swiglu")
        result = graph.norm(result, layer, "post_ffw_norm")
        hidden = graph.end_block(graph.add(result, hidden))
    graph.finish(graph.head(hidden))
