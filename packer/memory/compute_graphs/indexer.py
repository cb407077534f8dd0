"""DeepSeek's indexer: scores of all cells for each token, and the cells it picks.

Source: llama.cpp b11434, src/models/deepseek32.cpp and build_attn() of llm_graph_input_attn_k_dsa.
"""

from packer.memory.compute_graphs.attention import Attention
from packer.memory.compute_graphs.model_graph import ModelGraph
from packer.memory.compute_tensor import I32, I64, GraphTensor


class Indexer:
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
        held = attention.cache.held("i", layer, self._head, cells)
        graph.expand(attention.cache.store(held, key, self._rows))
        weights = graph.linear(layer, "indexer.proj", normed)
        keys = attention.cache.view("i", layer, self._head, 1, cells)
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


def picked_mask(graph: ModelGraph, mask: GraphTensor, picked: GraphTensor) -> GraphTensor:
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
