"""Gemma 3n and Gemma 4: inputs of their own for every block, caches shared by the last ones.

Source of each function: llama.cpp b11434, src/models/gemma3n.cpp and gemma4.cpp.
"""

from dataclasses import replace

from packer.memory.compute_graphs.attention import Attention
from packer.memory.compute_graphs.experts import mix_experts, routing
from packer.memory.compute_graphs.model_graph import ModelGraph
from packer.memory.compute_graphs.windowed_models import capped
from packer.memory.compute_tensor import I32, GraphTensor

_STREAMS = 4
_SPARSE_BLOCKS = 10


def gemma4(graph: ModelGraph) -> None:
    """Dense or mixed blocks; small models add a row per token and block."""
    hidden = graph.embed(scales_tokens=True)
    attention = Attention(graph)
    extra = per_layer_inputs(graph, hidden)
    for layer in graph.context.blocks:
        normed = graph.norm(hidden, layer, "attn_norm")
        result = _attend(graph, attention, normed, layer)
        hidden = graph.add(graph.norm(result, layer, "post_attention_norm"), hidden)
        result = _gemma4_feed_forward(graph, hidden, layer)
        hidden = graph.add(graph.norm(result, layer, "post_ffw_norm", pins=False), hidden)
        if extra is not None:
            gate = graph.unary("gelu", graph.linear(layer, "inp_gate", hidden))
            result = graph.linear(layer, "proj", graph.mul(gate, _slice(graph, extra, layer)))
            hidden = graph.add(hidden, graph.norm(result, layer, "post_norm"))
        scale = graph.weight(layer, "layer_output_scale")
        if scale is not None:
            hidden = graph.mul(hidden, scale)
        graph.end_block(hidden)
    logits = graph.head_of_all_rows(hidden)
    graph.finish(capped(graph, logits) if graph.number("final_logit_softcapping") else logits)


def _gemma4_feed_forward(graph: ModelGraph, hidden: GraphTensor, layer: int) -> GraphTensor:
    """Dense network, with experts beside it in mixed models."""
    normed = graph.norm(hidden, layer, "ffn_norm")
    dense = graph.feed_forward(normed, layer, activation="gelu")
    if not graph.has(layer, "ffn_gate_inp"):
        return dense
    dense = graph.norm(dense, layer, "post_ffw_norm_1")
    rows = graph.norm(hidden, layer, "pre_ffw_norm_2")
    scores = graph.scale(graph.same("rms_norm", hidden))
    scores = graph.mul(scores, graph.need(layer, "ffn_gate_inp", "scale"))
    logits = graph.mul_mat(graph.need(layer, "ffn_gate_inp"), scores)
    how = replace(routing(graph, gate="soft_max", is_normalized=True), activation="gelu")
    mixed = mix_experts(graph, rows, layer, how, logits=logits)
    return graph.add(dense, graph.norm(mixed, layer, "post_ffw_norm_2"))


def gemma3n(graph: ModelGraph) -> None:
    """Four residual streams of which one is active."""
    tokens = graph.batch.tokens
    embedded = graph.embed(scales_tokens=True)
    attention = Attention(graph)
    extra = per_layer_inputs(graph, embedded)
    if extra is None:
        raise KeyError("per_layer_token_embd.weight")
    length = _length(graph, embedded)
    copies = graph.repeat(embedded, graph.sizes.embedding, tokens, _STREAMS - 1)
    others = _projected(graph, "altup_proj", copies, length)
    streams = graph.concat(embedded, others, 2)
    for layer in graph.context.blocks:
        streams = graph.end_block(_gemma3n_block(graph, attention, streams, layer, extra))
    length = _length(graph, _slice(graph, streams, 0))
    others = _projected(graph, "altup_unembd_proj", _rest(graph, streams), length)
    merged = _slice(graph, streams, 0)
    for index in range(_STREAMS - 1):
        merged = graph.add(merged, _slice(graph, others, index))
    (merged,) = graph.take_outputs(graph.scale(merged))
    graph.finish(capped(graph, graph.head(merged)))


def per_layer_inputs(graph: ModelGraph, embedded: GraphTensor) -> GraphTensor | None:
    """A row per token and block, [row, tokens, blocks]; None where the model has none."""
    table = graph.named("per_layer_token_embd.weight")
    projection = graph.named("per_layer_model_proj.weight")
    if table is None or projection is None:
        return None
    tokens, blocks = graph.batch.tokens, graph.sizes.trunk_count
    width = table.shape[0] // blocks
    rows = graph.get_rows(table, graph.input(I32, tokens))
    rows = graph.scale(graph.reshape(rows, width, blocks, tokens))
    graph.expand(rows)
    projected = graph.scale(graph.mul_mat(projection, embedded))
    projected = graph.reshape(projected, width, blocks, tokens)
    projected = graph.norm(projected, -1, "per_layer_proj_norm")
    merged = graph.scale(graph.add(projected, rows))
    return graph.contiguous(graph.permute(merged, 0, 2, 1, 3))


def _attend(
    graph: ModelGraph, attention: Attention, normed: GraphTensor, layer: int
) -> GraphTensor:
    """Attention with normed heads; later blocks read the cache of an earlier one."""
    sizes, tokens = graph.sizes, normed.shape[1]
    head, kv_heads = sizes.head_k[layer], sizes.kv_heads[layer]
    is_global = not sizes.window_layers[layer]
    factors = graph.rope_factors(layer) if is_global else None

    def turned(stem: str, heads: int, rows: GraphTensor) -> GraphTensor:
        normed_heads = graph.norm(graph.reshape(rows, head, heads, tokens), layer, stem)
        return graph.same("rope", normed_heads, graph.positions, factors)

    query = turned("attn_q_norm", sizes.heads[layer], graph.linear(layer, "attn_q", normed))
    if layer >= sizes.cached_layers:
        owner = sizes.cached_layers - (1 if is_global else 2)
        return attention.attend(layer, query, None, None, cached_in=owner, has_window_cache=True)
    keys = graph.linear(layer, "attn_k", normed)
    values = graph.linear(layer, "attn_v", normed) if graph.has(layer, "attn_v") else keys
    values = graph.same("rms_norm", graph.reshape(values, head, kv_heads, tokens))
    key = turned("attn_k_norm", kv_heads, keys)
    return attention.attend(layer, query, key, values, has_window_cache=True)


def _gemma3n_block(
    graph: ModelGraph,
    attention: Attention,
    streams: GraphTensor,
    layer: int,
    extra: GraphTensor,
) -> GraphTensor:
    predictions = _predict(graph, streams, layer)
    active = _slice(graph, predictions, 0)
    normed = graph.norm(active, layer, "attn_norm")
    low = graph.linear(layer, "laurel_r", graph.linear(layer, "laurel_l", normed))
    laurel = graph.add(graph.norm(low, layer, "laurel_post_norm"), normed)
    result = graph.norm(_attend(graph, attention, normed, layer), layer, "post_attention_norm")
    hidden = graph.scale(graph.add(graph.add(result, active), laurel))
    result = _sparse_feed_forward(graph, graph.norm(hidden, layer, "ffn_norm"), layer)
    hidden = graph.add(graph.norm(result, layer, "post_ffw_norm", pins=False), hidden)
    corrected = _correct(graph, predictions, hidden, layer)
    first = graph.mul(_slice(graph, corrected, 0), graph.need(layer, "altup_correct_scale"))
    gate = graph.unary("gelu", graph.linear(layer, "inp_gate", first))
    added = graph.linear(layer, "proj", graph.mul(gate, _slice(graph, extra, layer)))
    added = graph.norm(added, layer, "post_norm")
    rest = graph.add(_rest(graph, corrected), added)
    return graph.concat(_slice(graph, corrected, 0), rest, 2)


def _sparse_feed_forward(graph: ModelGraph, normed: GraphTensor, layer: int) -> GraphTensor:
    """Gated network; the first blocks keep only the strongest gates."""
    up = graph.linear(layer, "ffn_up", normed)
    gate = graph.linear(layer, "ffn_gate", normed)
    if layer < _SPARSE_BLOCKS:
        mean = graph.sized("mean", gate, shape=(1, *gate.shape[1:]))
        squares = graph.same("sqr", graph.same("sub", gate, mean))
        spread = graph.same("sqrt", graph.scale(graph.sum_rows(squares)))
        cutoff = graph.add(mean, graph.scale(spread))
        gate = graph.unary("relu", graph.same("sub", gate, cutoff))
    hidden = graph.mul(up, graph.unary("gelu", gate))
    return graph.linear(layer, "ffn_down", hidden)


def _modalities(graph: ModelGraph, rows: GraphTensor, layer: int) -> GraphTensor:
    """How the streams are mixed, per token."""
    routed = graph.scale(graph.norm(rows, layer, "altup_router_norm"))
    return graph.unary("tanh", graph.linear(layer, "altup_router", routed))


def _predict(graph: ModelGraph, streams: GraphTensor, layer: int) -> GraphTensor:
    """Each stream predicted from all of them."""
    modalities = _modalities(graph, _slice(graph, streams, 0), layer)
    factors = graph.linear(layer, "altup_predict_coef", modalities)
    factors = graph.reshape(factors, _STREAMS, _STREAMS, streams.shape[1])
    turned = graph.contiguous(graph.permute(streams, 1, 2, 0, 3))
    mixed = graph.permute(graph.mul_mat(turned, factors), 0, 2, 1, 3)
    return graph.add(graph.contiguous(mixed), streams)


def _correct(
    graph: ModelGraph, predictions: GraphTensor, activated: GraphTensor, layer: int
) -> GraphTensor:
    """Predictions corrected by what the active stream really became."""
    tokens = activated.shape[1]
    modalities = _modalities(graph, activated, layer)
    news = graph.same("sub", activated, _slice(graph, predictions, 0))
    factors = graph.scale(graph.linear(layer, "altup_correct_coef", modalities))
    factors = graph.contiguous(graph.transpose(factors), 1, tokens, _STREAMS)
    spread = graph.repeat(news, news.shape[0], tokens, _STREAMS)
    return graph.add(graph.mul(spread, factors), predictions)


def _projected(graph: ModelGraph, name: str, rows: GraphTensor, length: GraphTensor) -> GraphTensor:
    """Streams through a matrix each, scaled back to the length of the active one."""
    weight = graph.named(f"{name}.weight")
    if weight is None:
        raise KeyError(name)
    result = graph.mul_mat(weight, rows)
    own = _length(graph, result)
    return graph.same("div", graph.mul(result, length), own)


def _length(graph: ModelGraph, rows: GraphTensor) -> GraphTensor:
    """Euclidean length of each row."""
    return graph.same("sqrt", graph.sum_rows(graph.same("sqr", rows)))


def _slice(graph: ModelGraph, stacked: GraphTensor, index: int) -> GraphTensor:
    """One matrix of a stack."""
    width, rows = stacked.shape[0], stacked.shape[1]
    offset = index * width * rows * stacked.type.block_bytes
    return graph.view(stacked, (width, rows), (stacked.type.row_bytes(width),), offset)


def _rest(graph: ModelGraph, stacked: GraphTensor) -> GraphTensor:
    """All matrices of a stack but the first."""
    width, rows = stacked.shape[0], stacked.shape[1]
    row = stacked.type.row_bytes(width)
    shape = (width, rows, stacked.shape[2] - 1)
    return graph.view(stacked, shape, (row, row * rows), row * rows)
