"""DeepSeek's latent attention: keys and values compressed into one row per token.

Source of each function: llama.cpp b11434, the file of that name in src/models/.
"""

from packer.memory.compute_graphs.attention import Attention
from packer.memory.compute_graphs.decoders import decode, is_last, project, rotate
from packer.memory.compute_graphs.experts import mix_experts, routing
from packer.memory.compute_graphs.model_graph import ModelGraph
from packer.memory.compute_tensor import F32, I32, I64, GraphTensor


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
        result = latent_attention(graph, attention, normed, layer, scales)
        return _second_half(graph, result, hidden, layer, "ffn_norm")

    graph.finish(decode(graph, block, embedded))


def deepseek32(graph: ModelGraph) -> None:
    """Like deepseek2, but each token attends only to the cells an indexer picks."""
    embedded = graph.embed()
    indexer = _Indexer(graph)

    def block(
        graph: ModelGraph, attention: Attention, hidden: GraphTensor, layer: int
    ) -> GraphTensor:
        normed = graph.norm(hidden, layer, "attn_norm")
        narrow = _narrow_query(graph, normed, layer)
        picked = indexer.pick(attention, narrow, normed, layer)
        query, key, value = _latent_parts(graph, normed, narrow, layer)
        result = _attend_compressed(graph, attention, (query, key, value), layer, picked)
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
    gate = "sigmoid" if graph.whole("expert_gating_func", 2) == 2 else ""
    mixed = mix_experts(graph, normed, layer, routing(graph, gate=gate))
    return graph.add(mixed, graph.feed_forward(normed, layer, suffix="_shexp"))


def latent_attention(
    graph: ModelGraph,
    attention: Attention,
    normed: GraphTensor,
    layer: int,
    scales: GraphTensor | None = None,
) -> GraphTensor:
    """Attention on compressed keys, or on the expanded ones of older files."""
    narrow = _narrow_query(graph, normed, layer)
    if not graph.sizes.is_mla:
        return _expanded_attention(graph, attention, normed, narrow, layer)
    query, key, value = _latent_parts(graph, normed, narrow, layer)
    if scales is not None:
        query = graph.mul(query, scales)
    return _attend_compressed(graph, attention, (query, key, value), layer, None)


def _narrow_query(graph: ModelGraph, normed: GraphTensor, layer: int) -> GraphTensor:
    """Query before its last matrix: normed, or the block's input where there is only one matrix."""
    if not graph.has(layer, "attn_q_a"):
        return normed
    return graph.norm(graph.linear(layer, "attn_q_a", normed), layer, "attn_q_a_norm")


def _wide_query(graph: ModelGraph, narrow: GraphTensor, layer: int) -> GraphTensor:
    """Query of all heads, [head, heads, tokens]."""
    stem = "attn_q_b" if graph.has(layer, "attn_q_b") else "attn_q"
    wide = graph.linear(layer, stem, narrow)
    heads = graph.sizes.heads[layer]
    if graph.model.architecture == "deepseek32":
        return wide
    return graph.reshape(wide, wide.shape[0] // heads, heads, wide.shape[1])


def _latent_parts(
    graph: ModelGraph, normed: GraphTensor, narrow: GraphTensor, layer: int
) -> tuple[GraphTensor, GraphTensor, GraphTensor]:
    """Query against compressed keys, and the compressed key and value of each token."""
    heads, rank = graph.sizes.heads[layer], graph.sizes.kv_lora_rank
    wide = _wide_query(graph, narrow, layer)
    head = wide.shape[0] if wide.shape[1] == heads else wide.shape[0] // heads
    turned = graph.whole("rope.dimension_count")
    tokens, row = normed.shape[1], wide.type.row_bytes(head)
    plain = head - turned
    strides = (row, row * heads)
    still = graph.view(wide, (plain, heads, tokens), strides)
    moving = graph.view(wide, (turned, heads, tokens), strides, wide.type.row_bytes(plain))
    compressed, key_turn = _compress(graph, normed, layer, turned)
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


def _attend_compressed(
    graph: ModelGraph,
    attention: Attention,
    parts: tuple[GraphTensor, GraphTensor, GraphTensor],
    layer: int,
    picked: GraphTensor | None,
) -> GraphTensor:
    """Attention whose values are the front of the keys; masked to the picked cells."""
    query, key, value = parts
    inputs = attention.inputs(layer)
    for tensor in (query, value, key):
        graph.expand(tensor)
    graph.expand(attention.write_keys(layer, key, inputs))
    mask = inputs.mask if picked is None else _mask_of(graph, inputs.mask, picked)
    keys = attention.read_keys(layer, key.shape[0], 1, inputs.cells)
    values = graph.view(keys, (value.shape[0], *keys.shape[1:]), keys.layout[1:])
    expansion = graph.need(layer, "attn_v_b")
    result = attention.scores(layer, query, keys, values, mask, expansion=expansion)
    return graph.linear(layer, "attn_output", result, has_bias=False)


def _expanded_attention(
    graph: ModelGraph,
    attention: Attention,
    normed: GraphTensor,
    narrow: GraphTensor,
    layer: int,
) -> GraphTensor:
    """Keys and values of every head computed from the compressed row and cached as they are."""
    sizes, tokens = graph.sizes, normed.shape[1]
    heads, head, head_v = sizes.heads[layer], sizes.head_k[layer], sizes.head_v[layer]
    turned = graph.whole("rope.dimension_count")
    plain = head - turned
    query = graph.same("rope", _wide_query(graph, narrow, layer), graph.positions)
    compressed, key_turn = _compress(graph, normed, layer, turned)
    (key_turn,) = rotate(graph, layer, key_turn)
    joined = graph.mul_mat(graph.need(layer, "attn_kv_b"), compressed)
    row = joined.type.row_bytes(plain + head_v)
    strides = (row, row * heads)
    key = graph.view(joined, (plain, heads, tokens), strides)
    value = graph.view(joined, (head_v, heads, tokens), strides, joined.type.row_bytes(plain))
    key = graph.concat(key, graph.repeat(key_turn, turned, heads, tokens), 0)
    return attention.attend(layer, query, key, graph.contiguous(value))


class _Indexer:
    """Scores of all cells for each token, and the best of them."""

    def __init__(self, graph: ModelGraph) -> None:
        self._graph = graph
        self._rows = graph.input(I64, graph.batch.tokens)
        self._heads = graph.whole("attention.indexer.head_count")
        self._head = graph.whole("attention.indexer.key_length")
        self._best = graph.whole("attention.indexer.top_k")
        self._mask: GraphTensor | None = None
        self._rotation: GraphTensor | None = None

    def pick(
        self, attention: Attention, narrow: GraphTensor, normed: GraphTensor, layer: int
    ) -> GraphTensor:
        """Numbers of the best cells of each token."""
        graph, cells = self._graph, attention.inputs(layer).cells
        if self._mask is None or self._rotation is None:
            self._mask = attention.mask(cells, is_half=True)
            self._rotation = attention.rotation(self._head)
        tokens = normed.shape[1]
        query = graph.linear(layer, "indexer.attn_q_b", narrow)
        query = graph.reshape(query, self._head, self._heads, tokens)
        query = graph.same("rope", query, graph.positions)
        key = graph.linear(layer, "indexer.attn_k", normed)
        key = graph.norm(key, layer, "indexer.k_norm", kind="norm")
        key = graph.same("rope", graph.reshape(key, self._head, 1, tokens), graph.positions)
        query = graph.mul_mat(self._rotation, query)
        key = graph.mul_mat(self._rotation, key)
        cache = attention.cache("i", layer, self._head, cells)
        graph.expand(attention.store(cache, key, self._rows))
        weights = graph.linear(layer, "indexer.proj", normed)
        keys = attention.read_keys(layer, self._head, 1, cells, "i")
        score = self._score(query, keys, weights)
        best = graph.sized("top_k", score, shape=(min(self._best, cells), *score.shape[1:]))
        best.type = I32
        return graph.contiguous(best)

    def _score(self, query: GraphTensor, keys: GraphTensor, weights: GraphTensor) -> GraphTensor:
        """Score of every cell for every token, [cells, tokens, 1, streams]."""
        graph, streams = self._graph, keys.shape[3]
        per_stream = query.shape[2] // streams
        query = graph.view(
            query,
            (query.shape[0], query.shape[1], per_stream, streams),
            (query.layout[1], query.layout[2], query.layout[3] // streams),
        )
        weights = graph.view(
            weights,
            (weights.shape[0], per_stream, weights.shape[2], streams),
            (weights.layout[1], weights.layout[2] // streams, weights.layout[3] // streams),
        )
        assert self._mask is not None  # noqa: S101 — set by the only caller
        shape = (keys.shape[2], per_stream, 1, streams)
        operands = (query, keys, graph.scale(weights), self._mask)
        return graph.sized("lightning_indexer", *operands, shape=shape)


def _mask_of(graph: ModelGraph, mask: GraphTensor, picked: GraphTensor) -> GraphTensor:
    """The attention mask with everything but the picked cells masked too."""
    cells, tokens, streams = mask.shape[0], mask.shape[1], mask.shape[3]
    empty = graph.same("fill", mask)
    layout = empty.layout
    column = graph.view(empty, (1, cells, tokens, streams), layout[:3])
    rows = graph.view(
        picked,
        (picked.shape[0], picked.shape[1], picked.shape[3]),
        (picked.layout[1], picked.layout[2], picked.shape[3] * picked.layout[3]),
    )
    zeros = graph.same("fill", graph.empty(1, *rows.shape[:3]))
    opened = graph.set_rows(column, zeros, rows)
    strides = opened.layout
    shown = graph.view(opened, (cells, tokens, 1, streams), (strides[2], strides[3], strides[3]))
    return graph.add(shown, mask)
