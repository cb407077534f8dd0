"""DeepSeek's latent attention: keys and values compressed into one row per token.

Source: llama.cpp b11434, src/models/deepseek2.cpp.
"""

from packer.memory.compute_graphs.attention import Attention
from packer.memory.compute_graphs.decoders import Triple, rotate
from packer.memory.compute_graphs.indexer import picked_mask
from packer.memory.compute_graphs.model_graph import ModelGraph
from packer.memory.compute_tensor import GraphTensor

# The others cut the query into heads before they split it.
_FLAT_QUERIES = frozenset({"bailingmoe3", "deepseek32", "glm-dsa", "kimi-k3", "kimi-linear"})


def latent_attention(
    graph: ModelGraph,
    attention: Attention,
    normed: GraphTensor,
    layer: int,
    *,
    scales: GraphTensor | None = None,
    rotates: bool = True,
    projects: bool = True,
) -> GraphTensor:
    """Attention on compressed keys, or on the expanded ones of older files.

    Args:
        graph: Graph under construction.
        attention: Cache of the context.
        normed: Input of the block, normed.
        layer: Block.
        scales: Factors of the queries by position.
        rotates: Whether positions are rotated in.
        projects: Whether the output matrix is applied.
    """
    narrow = narrow_query(graph, normed, layer)
    if not graph.sizes.is_mla:
        parts = _expanded_parts(graph, normed, narrow, layer, rotates=rotates)
        output = "attn_output" if projects else ""
        return attention.attend(layer, *parts, output=output)
    query, key, value = latent_parts(graph, normed, narrow, layer, rotates=rotates)
    if scales is not None:
        query = graph.mul(query, scales)
    return attend_compressed(graph, attention, (query, key, value), layer, projects=projects)


def narrow_query(graph: ModelGraph, normed: GraphTensor, layer: int) -> GraphTensor:
    """Query before its last matrix: normed, or the block's input where there is only one matrix."""
    if not graph.has(layer, "attn_q_a"):
        return normed
    return graph.norm(graph.linear(layer, "attn_q_a", normed), layer, "attn_q_a_norm")


def _wide_query(graph: ModelGraph, narrow: GraphTensor, layer: int) -> GraphTensor:
    """Query of all heads: [head, heads, tokens], or flat where the model leaves it so."""
    stem = "attn_q_b" if graph.has(layer, "attn_q_b") else "attn_q"
    wide = graph.linear(layer, stem, narrow)
    heads = graph.sizes.heads[layer]
    if graph.model.architecture in _FLAT_QUERIES:
        return wide
    return graph.reshape(wide, wide.shape[0] // heads, heads, wide.shape[1])


def latent_parts(
    graph: ModelGraph,
    normed: GraphTensor,
    narrow: GraphTensor,
    layer: int,
    *,
    rotates: bool = True,
) -> Triple:
    """Query against compressed keys, and the compressed key and value of each token."""
    heads, rank = graph.sizes.heads[layer], graph.sizes.kv_lora_rank
    wide = _wide_query(graph, narrow, layer)
    is_flat = graph.model.architecture in _FLAT_QUERIES
    head = wide.shape[0] // heads if is_flat else wide.shape[0]
    turned = graph.whole("rope.dimension_count")
    tokens, row = normed.shape[1], wide.type.row_bytes(head)
    plain = head - turned
    strides = (row, row * heads)
    still = graph.view(wide, (plain, heads, tokens), strides)
    moving = graph.view(wide, (turned, heads, tokens), strides, wide.type.row_bytes(plain))
    compressed, key_turn = _compress(graph, normed, layer, turned)
    if rotates:
        moving, key_turn = rotate(graph, layer, moving, key_turn)
    absorbed = graph.mul_mat(graph.need(layer, "attn_k_b"), graph.permute(still, 0, 2, 1, 3))
    query = graph.concat(graph.permute(absorbed, 0, 2, 1, 3), moving, 0)
    value = graph.reshape(compressed, rank, 1, tokens)
    return query, graph.concat(value, key_turn, 0), value


def _compress(
    graph: ModelGraph, normed: GraphTensor, layer: int, turned: int
) -> tuple[GraphTensor, GraphTensor]:
    """Compressed key and value, normed, and the part of the key that is rotated."""
    rank = graph.sizes.kv_lora_rank
    joined = graph.linear(layer, "attn_kv_a_mqa", normed)
    row, tokens = joined.type.row_bytes(rank + turned), normed.shape[1]
    compressed = graph.view(joined, (rank, tokens), (row,))
    key_turn = graph.view(joined, (turned, 1, tokens), (row, row), joined.type.row_bytes(rank))
    return graph.norm(compressed, layer, "attn_kv_a_norm"), key_turn


def attend_compressed(
    graph: ModelGraph,
    attention: Attention,
    parts: Triple,
    layer: int,
    *,
    picked: GraphTensor | None = None,
    projects: bool = True,
) -> GraphTensor:
    """Attention whose values are the front of the keys; masked to the picked cells."""
    query, key, value = parts
    inputs = attention.inputs(layer)
    for tensor in (query, value, key):
        graph.expand(tensor)
    graph.expand(attention.cache.write_keys(layer, key, inputs.key_rows, inputs.cells))
    mask = inputs.mask if picked is None else picked_mask(graph, inputs.mask, picked)
    keys = attention.cache.view("k", layer, key.shape[0], 1, inputs.cells)
    values = graph.view(keys, (value.shape[0], *keys.shape[1:]), keys.layout[1:])
    expansion = graph.need(layer, "attn_v_b")
    result = attention.scores(layer, query, keys, values, mask, expansion=expansion)
    return graph.linear(layer, "attn_output", result) if projects else result


def _expanded_parts(
    graph: ModelGraph, normed: GraphTensor, narrow: GraphTensor, layer: int, *, rotates: bool
) -> Triple:
    """Queries, and keys and values of every head computed from the compressed row."""
    sizes, tokens = graph.sizes, normed.shape[1]
    heads, head, head_v = sizes.heads[layer], sizes.head_k[layer], sizes.head_v[layer]
    turned = graph.whole("rope.dimension_count")
    plain = head - turned
    query = _wide_query(graph, narrow, layer)
    if graph.model.architecture in _FLAT_QUERIES:
        query = graph.reshape(query, head, heads, tokens)
    compressed, key_turn = _compress(graph, normed, layer, turned)
    if rotates:
        query, key_turn = rotate(graph, layer, query, key_turn)
    joined = graph.mul_mat(graph.need(layer, "attn_kv_b"), compressed)
    row = joined.type.row_bytes(plain + head_v)
    strides = (row, row * heads)
    key = graph.view(joined, (plain, heads, tokens), strides)
    value = graph.view(joined, (head_v, heads, tokens), strides, joined.type.row_bytes(plain))
    shared = graph.repeat(key_turn, turned, heads, tokens)
    key = graph.concat(key, shared, 0) if rotates else graph.concat(shared, key, 0)
    return query, key, graph.contiguous(value)
