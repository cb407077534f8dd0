"""DeepSeek and its kin: latent attention, experts with a shared one.

Source of each function: llama.cpp b11434, the file of that name in src/models/.
"""

from packer.memory.compute_graphs.attention import Attention
from packer.memory.compute_graphs.decoders import decode, is_last, project, rotate
from packer.memory.compute_graphs.experts import mix_experts, routing
from packer.memory.compute_graphs.indexer import Indexer
from packer.memory.compute_graphs.latent_attention import (
    attend_compressed,
    latent_attention,
    latent_parts,
    narrow_query,
)
from packer.memory.compute_graphs.model_graph import ModelGraph
from packer.memory.compute_tensor import F32, GraphTensor

_BY_SOFT_MAX = frozenset({"deepseek2", "mistral4"})
_FLASH_BLOCKS, _FLASH_VOCABULARY = (47, 48), 154880


def deepseek2(graph: ModelGraph) -> None:
    """Latent attention, experts with a shared one."""
    embedded = graph.embed()
    scales = None
    if graph.number("attention.temperature_scale"):
        scales = graph.input(F32, 1, 1, graph.batch.tokens)

    def block(
        graph: ModelGraph, attention: Attention, hidden: GraphTensor, layer: int
    ) -> GraphTensor:
        normed = graph.norm(hidden, layer, "attn_norm")
        result = latent_attention(graph, attention, normed, layer, scales=scales)
        return _second_half(graph, result, hidden, layer, "ffn_norm")

    graph.finish(decode(graph, block, embedded))


def deepseek32(graph: ModelGraph) -> None:
    """Like deepseek2, but each token attends only to the cells an indexer picks.

    GLM's blocks without an indexer take the cells the one before has picked.
    """
    embedded = graph.embed()
    indexer = Indexer(graph)
    picked: GraphTensor | None = None

    def block(
        graph: ModelGraph, attention: Attention, hidden: GraphTensor, layer: int
    ) -> GraphTensor:
        nonlocal picked
        normed = graph.norm(hidden, layer, "attn_norm")
        narrow = narrow_query(graph, normed, layer)
        if graph.sizes.indexer_layers[layer]:
            picked = indexer.pick(attention, narrow, normed, layer)
        query, key, value = latent_parts(graph, normed, narrow, layer)
        result = attend_compressed(graph, attention, (query, key, value), layer, picked=picked)
        return _second_half(graph, result, hidden, layer, "ffn_norm")

    graph.finish(decode(graph, block, embedded))


def glm4_moe(graph: ModelGraph) -> None:
    """Plain attention with DeepSeek's second half of a block."""

    def block(
        graph: ModelGraph, attention: Attention, hidden: GraphTensor, layer: int
    ) -> GraphTensor:
        normed = graph.norm(hidden, layer, "attn_norm")
        query, key, value = project(graph, normed, layer)
        if graph.has(layer, "attn_q_norm"):
            query = graph.norm(query, layer, "attn_q_norm")
            key = graph.norm(key, layer, "attn_k_norm")
        query, key = rotate(graph, layer, query, key)
        result = attention.attend(layer, query, key, value)
        return _second_half(graph, result, hidden, layer, "post_attention_norm")

    graph.finish(decode(graph, block, graph.embed()))


def _second_half(
    graph: ModelGraph, result: GraphTensor, hidden: GraphTensor, layer: int, norm: str
) -> GraphTensor:
    """Residual, norm, dense network or experts with a shared one, residual."""
    if is_last(graph, layer):
        result, hidden = graph.take_outputs(result, hidden)
    hidden = graph.add(result, hidden)
    return graph.add(mixed_feed_forward(graph, graph.norm(hidden, layer, norm), layer), hidden)


def mixed_feed_forward(graph: ModelGraph, normed: GraphTensor, layer: int) -> GraphTensor:
    """Dense network in the first blocks, experts with a shared one behind them."""
    if not graph.has(layer, "ffn_gate_inp"):
        return graph.feed_forward(normed, layer)
    how = routing(graph, default_gate=_default_gate(graph))
    mixed = mix_experts(graph, normed, layer, how)
    return graph.add(mixed, graph.feed_forward(normed, layer, suffix="_shexp"))


def _default_gate(graph: ModelGraph) -> str:
    """Gate where the file says nothing: early files of DeepSeek 2 and of GLM 4.7 Flash do not.

    Source: llama.cpp b11434, src/models/deepseek2.cpp and glm4-moe.cpp, load_arch_hparams().
    """
    sizes = graph.sizes
    is_flash = sizes.trunk_count in _FLASH_BLOCKS and sizes.vocabulary == _FLASH_VOCABULARY
    return "soft_max" if sizes.architecture in _BY_SOFT_MAX and not is_flash else "sigmoid"


def minicpm3(graph: ModelGraph) -> None:
    """Latent attention in dense blocks, with everything scaled."""

    def block(
        graph: ModelGraph, attention: Attention, hidden: GraphTensor, layer: int
    ) -> GraphTensor:
        normed = graph.norm(hidden, layer, "attn_norm")
        result = latent_attention(graph, attention, normed, layer)
        if is_last(graph, layer):
            result, hidden = graph.take_outputs(result, hidden)
        hidden = graph.add(graph.scale(result), hidden)
        result = graph.feed_forward(graph.norm(hidden, layer, "ffn_norm"), layer)
        return graph.add(graph.scale(result), hidden)

    graph.finish(decode(graph, block, graph.scale(graph.embed()), scales_normed=True))
