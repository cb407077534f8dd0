"""Keys and values a context has cached: written by a batch, seen as operands of attention.

Source: llama.cpp b11434, src/llama-kv-cache.cpp, cpy_k() … get_v().
"""

from packer.memory.compute_graphs.model_graph import ModelGraph
from packer.memory.compute_graphs.quirks import widest_value
from packer.memory.compute_tensor import GraphTensor


class AttentionCache:
    """Caches of all blocks of one context."""

    def __init__(self, graph: ModelGraph) -> None:
        self._graph = graph
        self._held: dict[tuple[str, int], GraphTensor] = {}

    def held(self, kind: str, layer: int, width: int, cells: int) -> GraphTensor:
        """Memory of a block's keys (``k``), values (``v``) or index keys (``i``), all streams."""
        found = self._held.get((kind, layer))
        if found is None:
            context = self._graph.context
            element = context.type_v if kind == "v" else context.type_k
            found = GraphTensor("none", element, (width, cells, context.streams, 1))
            found.home = context.cache_home(layer)
            self._held[kind, layer] = found
        return found

    def store(self, held: GraphTensor, fresh: GraphTensor, rows: GraphTensor) -> GraphTensor:
        """[head, heads, tokens] written to the cells of a cache that is not transposed."""
        graph = self._graph
        width = fresh.shape[0] * fresh.shape[1]
        flat = graph.view(fresh, (width, fresh.shape[2]), (fresh.layout[2],))
        if held.shape[2] > 1:
            held = graph.reshape(held, width, held.shape[1] * held.shape[2])
        return graph.set_rows(held, flat, rows)

    def write_keys(
        self, layer: int, fresh: GraphTensor, rows: GraphTensor, cells: int
    ) -> GraphTensor:
        """Keys of the batch written to their cells."""
        held = self.held("k", layer, fresh.shape[0] * fresh.shape[1], cells)
        return self.store(held, fresh, rows)

    def write_values(
        self, layer: int, fresh: GraphTensor, rows: GraphTensor, cells: int
    ) -> GraphTensor:
        """Values of the batch written to their cells, one by one where they are transposed."""
        graph = self._graph
        width, tokens = fresh.shape[0] * fresh.shape[1], fresh.shape[2]
        if not graph.context.transposes_values:
            return self.store(self.held("v", layer, width, cells), fresh, rows)
        widest = widest_value(graph.sizes)
        held = self.held("v", layer, widest, cells)
        if fresh.type.row_bytes(width) == fresh.layout[2]:
            flat = graph.reshape(fresh, width, tokens)
        else:
            flat = graph.contiguous(fresh, width, tokens)
        if width < widest:
            flat = graph.sized("pad", flat, shape=(widest, tokens))
        column = graph.reshape(held, 1, held.shape[0] * held.rows)
        return graph.set_rows(column, graph.reshape(flat, 1, flat.shape[0] * tokens), rows)

    def keys(self, layer: int, cells: int) -> GraphTensor:
        """All cached keys of a block, [head, heads, cells, streams]."""
        sizes = self._graph.sizes
        return self.view("k", layer, sizes.head_k[layer], sizes.kv_heads[layer], cells)

    def values(self, layer: int, cells: int) -> GraphTensor:
        """All cached values of a block; cells come first where they are transposed."""
        sizes, graph = self._graph.sizes, self._graph
        head, heads = sizes.head_v[layer], sizes.kv_heads[layer]
        if not graph.context.transposes_values:
            return self.view("v", layer, head, heads, cells)
        held = self.held("v", layer, widest_value(sizes), cells)
        column = held.type.row_bytes(cells)
        strides = (column * head, column, column * held.shape[0])
        return graph.view(held, (cells, heads, head, held.shape[2]), strides)

    def view(self, kind: str, layer: int, head: int, heads: int, cells: int) -> GraphTensor:
        """All cells of one kind, [head, heads, cells, streams]."""
        held = self.held(kind, layer, head * heads, cells)
        row = held.type.row_bytes(head * heads)
        strides = (row // heads, row, row * cells)
        return self._graph.view(held, (head, heads, cells, held.shape[2]), strides)


def rotate_by(graph: ModelGraph, tensor: GraphTensor, rotation: GraphTensor) -> GraphTensor:
    """A tensor with each head multiplied by a Hadamard matrix."""
    extent = rotation.shape[0]
    rows = tensor.shape[0] * tensor.rows // extent
    if tensor.is_contiguous:
        flat = graph.reshape(tensor, extent, rows)
    else:
        flat = graph.contiguous(tensor, extent, rows)
    return graph.reshape(graph.mul_mat(rotation, flat), *tensor.shape)
