"""MiniMax M3's attention to the blocks of cells its indexer picks.

Source: llama.cpp b11434, src/models/minimax-m3.cpp.
"""

from packer.memory.compute_graphs.attention import Attention
from packer.memory.compute_graphs.attention_cache import rotate_by
from packer.memory.compute_graphs.block_indexer import BlockIndexer
from packer.memory.compute_graphs.decoders import Triple
from packer.memory.compute_graphs.model_graph import ModelGraph
from packer.memory.compute_tensor import F16, F32, I32, GraphTensor

Pair = tuple[GraphTensor, GraphTensor]


class SparseAttention:
    """Attention of all sparse blocks; needs flash attention and a stream per slot."""

    def __init__(self, graph: ModelGraph) -> None:
        """Sparse attention over a graph's cache."""
        self._graph = graph
        self._indexer = BlockIndexer(graph)
        self._streams, self._cells = graph.context.streams, graph.context.cells
        self._kv_heads = max(graph.sizes.kv_heads)
        positions = self._indexer.positions
        self._slots = graph.input(F32, positions, self._streams)
        self._cell_blocks = graph.input(I32, self._cells, self._streams)
        self._float_mask: GraphTensor | None = None

    def serves(self, layer: int) -> bool:
        """Whether a block attends sparsely."""
        context = self._graph.context
        has_streams = context.streams == context.states
        is_behind = layer >= self._graph.whole("leading_dense_block_count")
        return context.has_flash_attention and has_streams and is_behind

    def attend(
        self, attention: Attention, parts: Triple, normed: GraphTensor, layer: int
    ) -> GraphTensor:
        """Result of a block's attention, after its output matrix."""
        graph, inputs, cache = self._graph, attention.inputs(layer), attention.cache
        wanted, keys = self._indexer.index(attention, normed, layer)
        rotations = (inputs.key_rotation, inputs.key_rotation, inputs.value_rotation)
        query, key, value = (
            tensor if rotation is None else rotate_by(graph, tensor, rotation)
            for tensor, rotation in zip(parts, rotations, strict=True)
        )
        for tensor in (query, key, value):
            graph.expand(tensor)
        graph.expand(cache.write_keys(layer, key, inputs.key_rows, self._cells))
        graph.expand(cache.write_values(layer, value, inputs.value_rows, self._cells))
        cached = (cache.keys(layer, self._cells), cache.values(layer, self._cells))
        if self._indexer.per_stream == 1:
            best = self._indexer.best_of_all(wanted, keys)
            result = self._attend_gathered(query, best, cached)
        else:
            result = self._attend_streams(inputs.mask, query, (wanted, keys), cached)
        if inputs.value_rotation is not None:
            result = rotate_by(graph, result, inputs.value_rotation)
        return graph.linear(layer, "attn_output", result, has_bias=False)

    # Prompts ----------------------------------------------------------------------------------

    def _attend_streams(
        self, mask: GraphTensor, query: GraphTensor, indexed: Pair, cached: Pair
    ) -> GraphTensor:
        """Attention of a prompt, one stream after the other."""
        graph, tokens = self._graph, self._indexer.per_stream
        if self._float_mask is None:
            self._float_mask = graph.cast(mask, F32)
        parts = []
        for stream in range(self._streams):
            bias = self._indexer.rows_of(self._indexer.bias, stream)
            best = self._indexer.best_of_stream(indexed, bias, stream)
            picked = self._picked_mask(best, bias, self._float_mask, stream)
            first = stream * tokens * query.layout[2]
            rows = graph.view(query, (*query.shape[:2], tokens), query.layout[1:3], first)
            key, value = (self._of_stream(tensor, stream) for tensor in cached)
            parts.append(self._flash(rows, key, value, picked))
        result = parts[0]
        for part in parts[1:]:
            result = graph.concat(result, part, 1)
        return result

    def _of_stream(self, cached: GraphTensor, stream: int) -> GraphTensor:
        """One stream's keys or values, each head a batch of its own."""
        graph, offset = self._graph, stream * cached.layout[3]
        view = graph.view(cached, cached.shape[:3], cached.layout[1:], offset)
        return graph.permute(view, 0, 3, 1, 2)

    def _picked_mask(
        self, best: GraphTensor, bias: GraphTensor, mask: GraphTensor, stream: int
    ) -> GraphTensor:
        """Mask over all cells of one stream for each group of heads."""
        graph, indexer = self._graph, self._indexer
        heads, tokens, count = indexer.heads, indexer.per_stream, indexer.blocks
        rows = heads * tokens
        closed = graph.cast(graph.scale(bias), F16)
        closed = graph.repeat(closed, count, heads, tokens)
        opened = graph.scale(graph.cast(best, F32))
        blocks = graph.set_rows(
            graph.reshape(closed, 1, count, rows),
            graph.reshape(opened, 1, indexer.best, rows),
            graph.reshape(best, indexer.best, rows),
        )
        blocks = graph.reshape(blocks, count, heads, tokens)
        blocks = graph.contiguous(graph.permute(blocks, 0, 2, 1, 3))
        blocks = graph.contiguous(graph.transpose(graph.reshape(blocks, count, rows)))
        offset = stream * self._cell_blocks.layout[1]
        numbers = graph.view(self._cell_blocks, (self._cells,), offset=offset)
        cells = graph.contiguous(graph.transpose(graph.get_rows(blocks, numbers)))
        cells = graph.reshape(cells, self._cells, tokens, heads)
        strides, offset = (mask.layout[1], mask.layout[3]), stream * mask.layout[3]
        own = graph.view(mask, (self._cells, tokens, 1), strides, offset)
        both = graph.add_in_place(cells, own)
        return graph.cast(graph.reshape(both, self._cells, tokens, 1, heads), F16)

    # One token per stream ---------------------------------------------------------------------

    def _attend_gathered(self, query: GraphTensor, best: GraphTensor, cached: Pair) -> GraphTensor:
        """Attention of one token per stream to gathered cells alone."""
        graph, indexer, streams = self._graph, self._indexer, self._streams
        heads, block, chosen = indexer.heads, indexer.block, indexer.best * indexer.block
        numbers = graph.scale(graph.cast(best, F32))
        numbers = graph.reshape(numbers, 1, indexer.best, heads, streams)
        numbers = graph.repeat(numbers, block, indexer.best, heads, streams)
        numbers = graph.add(numbers, graph.reshape(graph.count(block), block))
        places = graph.cast(graph.reshape(numbers, chosen * heads, streams), I32)
        slots = graph.reshape(self._slots, 1, indexer.positions, streams)
        cells = graph.get_rows(slots, places)
        cells = graph.scale(graph.reshape(cells, block, indexer.best, heads, streams))
        cells = graph.add(cells, graph.reshape(graph.count(self._kv_heads), 1, 1, heads))
        rows = graph.cast(graph.reshape(cells, chosen * heads, streams), I32)
        key, value = (self._gathered(tensor, rows) for tensor in cached)
        mask = graph.reshape(indexer.mask, 1, indexer.positions, streams)
        mask = graph.get_rows(mask, places)
        mask = graph.cast(graph.reshape(mask, chosen, 1, 1, heads * streams), F16)
        return self._flash(query, key, value, mask)

    def _gathered(self, cached: GraphTensor, rows: GraphTensor) -> GraphTensor:
        """Chosen cells of keys or values, one batch per group of heads and stream."""
        graph, indexer, head = self._graph, self._indexer, cached.shape[0]
        shape = (head, cached.shape[1] * cached.shape[2], cached.shape[3])
        flat = graph.view(cached, shape, (cached.layout[1], cached.layout[3]))
        batches = indexer.heads * self._streams
        picked = graph.get_rows(flat, rows)
        picked = graph.reshape(picked, head, indexer.best * indexer.block, 1, batches)
        kind = F16 if cached.type.is_quantized else cached.type
        return picked if picked.type is kind else graph.cast(picked, kind)

    def _flash(
        self, query: GraphTensor, key: GraphTensor, value: GraphTensor, mask: GraphTensor
    ) -> GraphTensor:
        """Flash attention over groups of heads, [heads * head, tokens]."""
        graph = self._graph
        head, heads, tokens = query.shape[:3]
        group, batches = heads // self._kv_heads, key.shape[3]
        cut = graph.reshape(query, head, group, batches, heads * tokens // (group * batches))
        cut = graph.permute(cut, 0, 2, 3, 1)
        result = graph.flash_attention(cut, key, value, mask, None)
        result = graph.permute(result, 0, 1, 3, 2)
        if not result.is_contiguous:
            result = graph.contiguous(result)
        return graph.reshape(result, head * heads, tokens)
