"""MiniMax M3's indexer: scores of positions, and the blocks of them each group of heads reads.

Source: llama.cpp b11434, src/models/minimax-m3.cpp.
"""

from packer.memory.compute_graphs.attention import Attention
from packer.memory.compute_graphs.model_graph import ModelGraph
from packer.memory.compute_tensor import F32, I32, I64, GraphTensor


class BlockIndexer:
    """Inputs and choices that all sparse blocks of one graph share.

    Attributes:
        heads: Groups of heads that choose for themselves.
        block: Positions in one block.
        positions: Positions scored, a multiple of the block.
        blocks: Blocks to choose from.
        best: Blocks chosen.
        mask: Which positions each token may see.
        bias: Blocks that every token sees.
        slots: Cell of each position of each stream.
    """

    def __init__(self, graph: ModelGraph) -> None:
        """Sizes of the file, and inputs for the graph's batch."""
        self._graph = graph
        context, tokens = graph.context, graph.batch.tokens
        self._streams, self._cells = context.streams, context.cells
        self.per_stream = tokens // context.streams
        self._width = graph.whole("attention.indexer.key_length")
        self.heads = graph.whole("attention.indexer.head_count")
        self.block = max(1, graph.whole("attention.indexer.block_size"))
        self.positions = -(-context.positions // self.block) * self.block
        self.blocks = self.positions // self.block
        self.best = min(graph.whole("attention.indexer.top_k"), self.blocks)
        self._rows = graph.input(I64, tokens)
        self.bias = graph.input(F32, self.blocks, tokens)
        self.mask = graph.input(F32, self.positions, tokens)
        self.slots = graph.input(I32, self.positions, self._streams)

    def index(
        self, attention: Attention, normed: GraphTensor, layer: int
    ) -> tuple[GraphTensor, GraphTensor]:
        """The indexer's queries, and all its cached keys with the batch's among them."""
        graph, tokens = self._graph, normed.shape[1]
        query = graph.linear(layer, "indexer.q_proj", normed)
        key = graph.linear(layer, "indexer.k_proj", normed)
        query = graph.reshape(query, self._width, self.heads, tokens)
        key = graph.reshape(key, self._width, 1, tokens)
        query = graph.norm(query, layer, "indexer.q_norm")
        key = graph.norm(key, layer, "indexer.k_norm")
        query, key = (graph.same("rope", tensor, graph.positions) for tensor in (query, key))
        held = attention.cache.held("i", layer, self._width, self._cells)
        graph.expand(attention.cache.store(held, key, self._rows))
        return query, attention.cache.view("i", layer, self._width, 1, self._cells)

    def best_of_stream(
        self, indexed: tuple[GraphTensor, GraphTensor], bias: GraphTensor, stream: int
    ) -> GraphTensor:
        """Numbers of the chosen blocks of one stream's prompt, [best, heads, tokens].

        Args:
            indexed: Queries and keys from ``index``.
            bias: Rows of the bias of this stream.
            stream: Number of the stream.
        """
        query, keys = indexed
        graph, heads, tokens = self._graph, self.heads, self.per_stream
        shape = (self._width, heads, tokens)
        first = stream * tokens * query.layout[2]
        rows = graph.view(query, shape, query.layout[1:3], first)
        strides = (keys.layout[2],)
        table = graph.view(keys, (self._width, self._cells), strides, stream * keys.layout[3])
        offset = stream * self.slots.layout[1]
        table = graph.get_rows(table, graph.view(self.slots, (self.positions,), offset=offset))
        scores = graph.mul_mat(table, graph.reshape(rows, self._width, heads * tokens))
        scores = graph.reshape(scores, self.positions, heads, tokens)
        scores = graph.add_in_place(scores, self.rows_of(self.mask, stream))
        pooled = graph.sized("pool_2d", scores, shape=(self.blocks, heads, tokens))
        return self._top(graph.add(pooled, bias))

    def best_of_all(self, query: GraphTensor, keys: GraphTensor) -> GraphTensor:
        """Numbers of the chosen blocks, one token per stream, [best, heads, 1, streams]."""
        graph, heads, streams = self._graph, self.heads, self._streams
        table = graph.view(keys, (self._width, self._cells, streams), keys.layout[2:])
        table = graph.get_rows(table, self.slots)
        table = graph.reshape(table, self._width, self.positions, 1, streams)
        scores = graph.mul_mat(table, graph.reshape(query, self._width, heads, 1, streams))
        mask = graph.reshape(self.mask, self.positions, 1, 1, streams)
        scores = graph.add_in_place(scores, mask)
        pooled = graph.sized("pool_2d", scores, shape=(self.blocks, heads, 1, streams))
        bias = graph.reshape(self.bias, self.blocks, 1, 1, streams)
        return self._top(graph.add(pooled, bias))

    def rows_of(self, tensor: GraphTensor, stream: int) -> GraphTensor:
        """Rows of one stream's tokens, [width, 1, tokens]."""
        row = tensor.layout[1]
        shape = (tensor.shape[0], 1, self.per_stream)
        return self._graph.view(tensor, shape, (row, row), stream * self.per_stream * row)

    def _top(self, scores: GraphTensor) -> GraphTensor:
        best = self._graph.sized("top_k", scores, shape=(self.best, *scores.shape[1:]))
        best.type = I32
        return best
