"""Graph of an architecture without a builder of its own, guessed from the names of its tensors."""

from collections.abc import Sequence

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
from packer.memory.compute_tensor import F16, F32, GraphTensor

_POST_ATTENTION = ("post_attention_norm", "attn_post_norm")


def guessed(graph: ModelGraph) -> None:
    """Blocks of attention and a feed-forward network or experts, normed where the file has norms.

    Raises:
        KeyError: The file has no tensors of such blocks.
    """
    kind = _norm_kind(graph)
    hidden = graph.embed()
    if graph.named("token_embd_norm.weight") is not None:
        hidden = graph.norm(hidden, -1, "token_embd_norm", kind=kind)
    mask = None
    if not graph.sizes.is_causal:
        tokens = graph.batch.tokens
        mask = graph.input(F16 if graph.context.has_flash_attention else F32, tokens, tokens)

    def block(
        graph: ModelGraph, attention: Attention, hidden: GraphTensor, layer: int
    ) -> GraphTensor:
        return _block(graph, attention, hidden, layer, kind, mask)

    if graph.named("output_norm.weight") is None:
        attention = Attention(graph)
        for layer in graph.context.blocks:
            hidden = graph.end_block(block(graph, attention, hidden, layer))
        graph.embeddings = graph.keep(hidden)
        graph.expand(hidden)
        return
    graph.finish(decode(graph, block, hidden, final_norm=kind))


def _block(
    graph: ModelGraph,
    attention: Attention,
    hidden: GraphTensor,
    layer: int,
    kind: str,
    mask: GraphTensor | None,
) -> GraphTensor:
    normed = _normed(graph, hidden, layer, ("attn_norm",), kind)
    result = _attend(graph, attention, normed, layer, kind, mask)
    if is_last(graph, layer):
        result, hidden, normed = graph.take_outputs(result, hidden, normed)
    result = _normed(graph, result, layer, _POST_ATTENTION[:1], kind)
    if not graph.has(layer, "ffn_norm") and not graph.has(layer, _POST_ATTENTION[0]):
        # Attention and network side by side on one norm.
        both = graph.add(_network(graph, normed, layer), hidden)
        return graph.add(both, result)
    hidden = graph.add(result, hidden)
    network = _network(graph, _normed(graph, hidden, layer, ("ffn_norm",), kind), layer)
    return graph.add(_normed(graph, network, layer, ("post_ffw_norm",), kind), hidden)


def _attend(
    graph: ModelGraph,
    attention: Attention,
    normed: GraphTensor,
    layer: int,
    kind: str,
    mask: GraphTensor | None,
) -> GraphTensor:
    norm = graph.weight(layer, "attn_q_norm")
    sizes = graph.sizes
    is_flat = norm is not None and norm.shape[0] == sizes.head_k[layer] * sizes.heads[layer]
    if is_flat and sizes.heads[layer] > 1:
        query, key, value = project_flat(graph, normed, layer)
        query = graph.norm(query, layer, "attn_q_norm", kind=kind)
        key = graph.norm(key, layer, "attn_k_norm", kind=kind)
        query, key, value = in_heads(graph, layer, (query, key, value))
    else:
        query, key, value = project(graph, normed, layer)
        query, key = norm_heads(graph, layer, query, key, kind)
    query, key = rotate(graph, layer, query, key)
    if mask is not None:
        for tensor in (query, key, value):
            graph.expand(tensor)
        result = attention.scores(layer, query, key, value, mask)
        return graph.linear(layer, "attn_output", result)
    return attention.attend(
        layer,
        query,
        key,
        value,
        sinks=graph.weight(layer, "attn_sinks"),
        has_window_cache=any(sizes.window_layers),
    )


def _network(graph: ModelGraph, normed: GraphTensor, layer: int) -> GraphTensor:
    """Feed-forward network, or experts with a shared one."""
    if not graph.has(layer, "ffn_gate_inp"):
        return graph.feed_forward(normed, layer, activation=_activation(graph, layer, ""))
    mixed = mix_experts(graph, normed, layer, routing(graph))
    if graph.has(layer, "ffn_up_shexp"):
        activation = _activation(graph, layer, "_shexp")
        shared = graph.feed_forward(normed, layer, activation=activation, suffix="_shexp")
        mixed = graph.add(mixed, shared)
    return mixed


def _activation(graph: ModelGraph, layer: int, suffix: str) -> str:
    """Gated by halves where up is twice as wide as down is deep, else by what the file has."""
    up, down = graph.need(layer, f"ffn_up{suffix}"), graph.need(layer, f"ffn_down{suffix}")
    if up.shape[1] == 2 * down.shape[0]:
        return "swiglu"
    return "silu" if graph.has(layer, f"ffn_gate{suffix}") else "gelu"


def _normed(
    graph: ModelGraph, operand: GraphTensor, layer: int, stems: Sequence[str], kind: str
) -> GraphTensor:
    """Normed where the file has a norm of one of these names."""
    for stem in stems:
        if graph.has(layer, stem):
            return graph.norm(operand, layer, stem, kind=kind)
    return operand


def _norm_kind(graph: ModelGraph) -> str:
    """Layer norm where the metadata give its epsilon, else root mean square."""
    key = f"{graph.model.architecture}.attention.layer_norm_epsilon"
    return "norm" if key in graph.model.metadata else "rms_norm"
