"""Pieces that most decoders share: projections, rotation, attention, and the walk over blocks."""

from collections.abc import Callable, Sequence

from packer.memory.compute_graphs.attention import Attention
from packer.memory.compute_graphs.model_graph import ModelGraph
from packer.memory.compute_tensor import GraphTensor

_HEADS_TOGETHER = frozenset({"openelm"})

Triple = tuple[GraphTensor, GraphTensor, GraphTensor]
Block = Callable[[ModelGraph, Attention, GraphTensor, int], GraphTensor]


def decode(
    graph: ModelGraph, block: Block, embedded: GraphTensor, *, scales_normed: bool = False
) -> GraphTensor:
    """Logits after all blocks; ``scales_normed`` is whether the normed result is scaled."""
    attention = Attention(graph)
    hidden = embedded
    for layer in graph.context.blocks:
        hidden = graph.end_block(block(graph, attention, hidden, layer))
    return graph.head(hidden, scales_normed=scales_normed)


def is_last(graph: ModelGraph, layer: int) -> bool:
    """Whether a block is the last of the trunk, where only wanted rows go on."""
    return layer == graph.sizes.trunk_count - 1


def project(graph: ModelGraph, operand: GraphTensor, layer: int) -> Triple:
    """Query, key and value of a block, [head, heads, tokens].

    Source: llama.cpp b11434, src/llama-graph.cpp, build_qkv().
    """
    shapes, tokens = _shapes(graph, layer), operand.shape[1]
    if graph.has(layer, "attn_qkv"):
        joined = _clamped(graph, _joined(graph, layer, operand))
        if graph.model.architecture in _HEADS_TOGETHER:
            heads = sum(count for _, count in shapes)
            joined = graph.reshape(joined, shapes[0][0], heads, tokens)
        return _split(graph, joined, shapes, tokens)
    query, key, value = (
        graph.reshape(
            _clamped(graph, graph.linear(layer, f"attn_{part}", operand)), head, count, tokens
        )
        for part, (head, count) in zip("qkv", shapes, strict=True)
    )
    return query, key, value


def _joined(graph: ModelGraph, layer: int, operand: GraphTensor) -> GraphTensor:
    """One product for query, key and value; their biases may still be three."""
    joined = graph.linear(layer, "attn_qkv", operand)
    biases = [graph.weight(layer, f"attn_{part}", "bias") for part in "qkv"]
    query, key, value = biases
    if query is None or key is None or value is None or graph.has(layer, "attn_qkv", "bias"):
        return joined
    return graph.add(joined, graph.concat(graph.concat(query, key, 0), value, 0))


def _clamped(graph: ModelGraph, tensor: GraphTensor) -> GraphTensor:
    """Limited to a range where the model does so."""
    return graph.same("clamp", tensor) if graph.number("attention.clamp_kqv") > 0 else tensor


def project_flat(graph: ModelGraph, operand: GraphTensor, layer: int) -> Triple:
    """Query, key and value of a block, all heads of a token in one row."""
    if not graph.has(layer, "attn_qkv"):
        query, key, value = (graph.linear(layer, f"attn_{part}", operand) for part in "qkv")
        return query, key, value
    joined = graph.linear(layer, "attn_qkv", operand)
    parts, offset = [], 0
    for head, count in _shapes(graph, layer):
        view = graph.view(joined, (head * count, joined.shape[1]), (joined.layout[1],), offset)
        parts.append(graph.contiguous(view))
        offset += joined.type.row_bytes(head * count)
    return parts[0], parts[1], parts[2]


def in_heads(graph: ModelGraph, layer: int, flat: Triple) -> Triple:
    """Query, key and value with their heads as a dimension of their own."""
    query, key, value = (
        graph.reshape(part, head, count, part.shape[1])
        for part, (head, count) in zip(flat, _shapes(graph, layer), strict=True)
    )
    return query, key, value


def rotate(graph: ModelGraph, layer: int, *tensors: GraphTensor) -> list[GraphTensor]:
    """Tensors with their positions rotated in."""
    factors = graph.rope_factors(layer)
    return [graph.same("rope", tensor, graph.positions, factors) for tensor in tensors]


def norm_heads(
    graph: ModelGraph, layer: int, query: GraphTensor, key: GraphTensor, kind: str = "rms_norm"
) -> tuple[GraphTensor, GraphTensor]:
    """Queries and keys normed head by head where the block has weights for it."""
    if graph.has(layer, "attn_q_norm"):
        query = graph.norm(query, layer, "attn_q_norm", kind=kind)
    if graph.has(layer, "attn_k_norm"):
        key = graph.norm(key, layer, "attn_k_norm", kind=kind)
    return query, key


def _shapes(graph: ModelGraph, layer: int) -> Sequence[tuple[int, int]]:
    """Head size and heads of query, key and value."""
    sizes = graph.sizes
    head_k, head_v, kv_heads = sizes.head_k[layer], sizes.head_v[layer], sizes.kv_heads[layer]
    return ((head_k, sizes.heads[layer]), (head_k, kv_heads), (head_v, kv_heads))


def _split(
    graph: ModelGraph, joined: GraphTensor, shapes: Sequence[tuple[int, int]], tokens: int
) -> Triple:
    """Query, key and value as views of one product."""
    views, offset = [], 0
    step = sum(joined.type.row_bytes(head * count) for head, count in shapes)
    for head, count in shapes:
        row = joined.type.row_bytes(head)
        shape = (head, count, tokens)
        views.append(graph.view(joined, shape, (row, step), offset))
        offset += row * count
    return views[0], views[1], views[2]
