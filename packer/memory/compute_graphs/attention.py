"""Attention of one block: cache writes, cache views, and the products around them."""

from dataclasses import dataclass

from packer.memory.compute_graphs.model_graph import ModelGraph, widest_value
from packer.memory.compute_tensor import F16, F32, I64, GraphTensor

_ROTATION = 64
_CAPPED = frozenset({"gemma2"})


@dataclass(frozen=True)
class AttentionInputs:
    """Inputs that all layers of one cache share.

    Attributes:
        key_rows, value_rows: Cells the batch is written to.
        mask: Which cells each token may see.
        key_rotation, value_rotation: Hadamard matrices of a quantized cache.
        cells: Cells per stream.
    """

    key_rows: GraphTensor
    value_rows: GraphTensor
    mask: GraphTensor
    key_rotation: GraphTensor | None
    value_rotation: GraphTensor | None
    cells: int


class Attention:
    """Attention over the caches of one context.

    Source for the whole class: llama.cpp b11434, src/llama-graph.cpp, build_attn() and
    build_attn_mha(); src/llama-kv-cache.cpp, cpy_k() … get_v() and the Hadamard rotation.
    """

    def __init__(self, graph: ModelGraph, *, rotates: bool = True) -> None:
        """Caches of a graph; ``rotates`` is whether quantized ones are multiplied by Hadamard's."""
        self._graph = graph
        self._rotates = rotates
        self._caches: dict[tuple[str, int], GraphTensor] = {}
        sizes = graph.sizes
        layers = range(len(sizes.window_layers))
        self._dense = self._inputs(
            graph.context.cells, [il for il in layers if not sizes.window_layers[il]]
        )
        self._windowed = self._inputs(
            graph.context.window_cells, [il for il in layers if sizes.window_layers[il]]
        )

    def inputs(self, layer: int) -> AttentionInputs:
        """Inputs of a block: those of its sliding window, or the dense ones."""
        return self._windowed if self._graph.sizes.window_layers[layer] else self._dense

    def attend(
        self,
        layer: int,
        query: GraphTensor,
        key: GraphTensor | None,
        value: GraphTensor | None,
        *,
        cached_in: int | None = None,
        sinks: GraphTensor | None = None,
        has_window_cache: bool = False,
        output: str = "attn_output",
    ) -> GraphTensor:
        """Result of a block's attention, after its output matrix.

        Args:
            layer: Block.
            query: [head, heads, tokens].
            key: The same for keys; None only reads the cache.
            value: The same for values; None where keys are values too.
            cached_in: Block whose cache is used; None is this one.
            sinks: Weights that take part in the sum without a token.
            has_window_cache: Whether the model splits its cache by window, which changes the order.
            output: Name of the output matrix; empty leaves it out.
        """
        graph, inputs = self._graph, self.inputs(layer)
        query = self._rotated(query, inputs.key_rotation)
        key = self._rotated(key, inputs.key_rotation) if key is not None else None
        value = self._rotated(value, inputs.value_rotation) if value is not None else None
        order = (query, key, value) if has_window_cache else (query, value, key)
        for tensor in order:
            if tensor is not None:
                graph.expand(tensor)
        owner = layer if cached_in is None else cached_in
        if key is not None:
            graph.expand(self._write(owner, "k", key, inputs))
        if value is not None:
            graph.expand(self._write(owner, "v", value, inputs))
        keys, values = self._read_keys(owner, inputs.cells), self._read_values(owner, inputs.cells)
        result = self.scores(layer, query, keys, values, inputs.mask, sinks=sinks)
        if inputs.value_rotation is not None:
            result = self._rotated(result, inputs.value_rotation)
        return graph.linear(layer, output, result) if output else result

    def scores(
        self,
        layer: int,
        query: GraphTensor,
        keys: GraphTensor,
        values: GraphTensor,
        mask: GraphTensor,
        *,
        sinks: GraphTensor | None = None,
        expansion: GraphTensor | None = None,
    ) -> GraphTensor:
        """Weighted values of all heads side by side, [heads * head, tokens].

        Args:
            layer: Block.
            query: [head, heads, tokens].
            keys: View of the cache, or the batch's own where there is none.
            values: The same for values.
            mask: Which cells each token may see.
            sinks: Weights that take part in the sum without a token.
            expansion: Matrix from compressed values to those of each head (MLA).
        """
        graph = self._graph
        is_transposed = values.layout[1] > values.layout[2]
        streams = keys.shape[3]
        head, heads, tokens = query.shape[0], query.shape[1], query.shape[2] // streams
        step = query.layout[2]
        query = graph.view(
            query, (head, heads, tokens, streams), (query.layout[1], step, step * tokens)
        )
        query, keys, values = (
            graph.permute(tensor, 0, 2, 1, 3) for tensor in (query, keys, values)
        )
        if graph.context.has_flash_attention:
            if is_transposed:
                values = graph.transpose(values)
            keys, values = (
                graph.cast(tensor, F16) if tensor.type is F32 else tensor
                for tensor in (keys, values)
            )
            result = graph.flash_attention(query, keys, values, mask, sinks)
            graph.fused_attention.append((layer, result))
            result = self._flattened(result, expansion)
        else:
            result = self._plain(query, keys, values, mask, sinks, expansion, is_transposed)
        graph.expand(result)
        return result

    def _flattened(self, result: GraphTensor, expansion: GraphTensor | None) -> GraphTensor:
        """Result of flash attention with the heads of each token side by side."""
        graph = self._graph
        if expansion is not None:
            result = graph.mul_mat(expansion, graph.permute(result, 0, 2, 1, 3))
            result = graph.contiguous(graph.permute(result, 0, 2, 1, 3))
        shape = result.shape
        return graph.reshape(result, shape[0] * shape[1], shape[2] * shape[3])

    def _plain(
        self,
        query: GraphTensor,
        keys: GraphTensor,
        values: GraphTensor,
        mask: GraphTensor,
        sinks: GraphTensor | None,
        expansion: GraphTensor | None,
        is_transposed: bool,
    ) -> GraphTensor:
        graph = self._graph
        scores = graph.mul_mat(keys, query)
        if graph.model.architecture in _CAPPED:
            scores = graph.scale(graph.unary("tanh", graph.scale(scores)))
        scores = graph.same("soft_max", scores, mask, sinks)
        if not is_transposed:
            values = graph.contiguous(graph.transpose(values))
        result = graph.mul_mat(values, scores)
        if expansion is not None:
            result = graph.mul_mat(expansion, result)
        result = graph.permute(result, 0, 2, 1, 3)
        shape = result.shape
        result = graph.contiguous(result, shape[0] * shape[1], shape[2] * shape[3])
        if graph.context.keeps_cache_on_host:
            result.pin = graph.context.host
        return result

    # Cache ------------------------------------------------------------------------------------

    def cache(self, kind: str, layer: int, width: int, cells: int) -> GraphTensor:
        """Keys (``k``), values (``v``) or index keys (``i``) a block has cached, all streams."""
        found = self._caches.get((kind, layer))
        if found is None:
            context = self._graph.context
            element = context.type_v if kind == "v" else context.type_k
            found = GraphTensor("none", element, (width, cells, context.streams, 1))
            found.home = context.cache_home(layer)
            self._caches[kind, layer] = found
        return found

    def write_keys(self, layer: int, key: GraphTensor, inputs: AttentionInputs) -> GraphTensor:
        """Keys of the batch written to the cache."""
        return self._write(layer, "k", key, inputs)

    def store(self, cache: GraphTensor, fresh: GraphTensor, rows: GraphTensor) -> GraphTensor:
        """[head, heads, tokens] written to the cells of a cache that is not transposed."""
        graph = self._graph
        width = fresh.shape[0] * fresh.shape[1]
        flat = graph.view(fresh, (width, fresh.shape[2]), (fresh.layout[2],))
        if cache.shape[2] > 1:
            cache = graph.reshape(cache, width, cache.shape[1] * cache.shape[2])
        return graph.set_rows(cache, flat, rows)

    def _write(
        self, layer: int, kind: str, fresh: GraphTensor, inputs: AttentionInputs
    ) -> GraphTensor:
        width = fresh.shape[0] * fresh.shape[1]
        if kind == "k":
            cache = self.cache("k", layer, width, inputs.cells)
            return self.store(cache, fresh, inputs.key_rows)
        if not self._graph.context.transposes_values:
            cache = self.cache("v", layer, width, inputs.cells)
            return self.store(cache, fresh, inputs.value_rows)
        return self._write_transposed(layer, fresh, inputs)

    def _write_transposed(
        self, layer: int, fresh: GraphTensor, inputs: AttentionInputs
    ) -> GraphTensor:
        """Values written element by element into a transposed cache."""
        graph = self._graph
        width, tokens = fresh.shape[0] * fresh.shape[1], fresh.shape[2]
        widest = widest_value(graph.sizes)
        cache = self.cache("v", layer, widest, inputs.cells)
        if fresh.type.row_bytes(width) == fresh.layout[2]:
            flat = graph.reshape(fresh, width, tokens)
        else:
            flat = graph.contiguous(fresh, width, tokens)
        if width < widest:
            flat = graph.sized("pad", flat, shape=(widest, tokens))
        cells = cache.shape[0] * cache.rows
        column = graph.reshape(cache, 1, cells)
        return graph.set_rows(
            column, graph.reshape(flat, 1, flat.shape[0] * tokens), inputs.value_rows
        )

    def _read_keys(self, layer: int, cells: int) -> GraphTensor:
        sizes = self._graph.sizes
        return self.read_keys(layer, sizes.head_k[layer], sizes.kv_heads[layer], cells)

    def read_keys(
        self, layer: int, head: int, heads: int, cells: int, kind: str = "k"
    ) -> GraphTensor:
        """All cached keys of a block, [head, heads, cells, streams]."""
        cache = self.cache(kind, layer, head * heads, cells)
        row = cache.type.row_bytes(head * heads)
        strides = (cache.type.row_bytes(head), row, row * cells)
        return self._graph.view(cache, (head, heads, cells, cache.shape[2]), strides)

    def _read_values(self, layer: int, cells: int) -> GraphTensor:
        sizes, graph = self._graph.sizes, self._graph
        head, heads = sizes.head_v[layer], sizes.kv_heads[layer]
        if not graph.context.transposes_values:
            return self.read_keys(layer, head, heads, cells, "v")
        cache = self.cache("v", layer, widest_value(sizes), cells)
        column = cache.type.row_bytes(cells)
        strides = (column * head, column, column * cache.shape[0])
        return graph.view(cache, (cells, heads, head, cache.shape[2]), strides)

    # Inputs -----------------------------------------------------------------------------------

    def _inputs(self, cells: int, layers: list[int]) -> AttentionInputs:
        """Inputs of one cache, shared by its layers."""
        graph = self._graph
        context, tokens = graph.context, graph.batch.tokens
        width = widest_value(graph.sizes) if context.transposes_values else 1
        heads_k = {graph.sizes.head_k[layer] for layer in layers}
        return AttentionInputs(
            key_rows=graph.input(I64, tokens),
            value_rows=graph.input(I64, tokens * width),
            mask=self.mask(cells),
            key_rotation=self._key_rotation(heads_k),
            value_rotation=self._value_rotation({graph.sizes.head_v[layer] for layer in layers}),
            cells=cells,
        )

    def mask(self, cells: int, *, is_half: bool | None = None) -> GraphTensor:
        """Mask over all cells of each stream; flash attention wants it in f16."""
        graph, streams = self._graph, self._graph.context.streams
        half = graph.context.has_flash_attention if is_half is None else is_half
        return graph.input(F16 if half else F32, cells, graph.batch.tokens // streams, 1, streams)

    def _key_rotation(self, heads: set[int]) -> GraphTensor | None:
        """Hadamard matrix as large as the key heads' power-of-two part allows."""
        is_quantized = self._graph.context.type_k.is_quantized
        if not (self._rotates and is_quantized and _is_rotated(heads)):
            return None
        return self.rotation(heads.copy().pop())

    def rotation(self, head: int) -> GraphTensor:
        """The largest Hadamard matrix that divides a head."""
        extent = _ROTATION
        while head % (2 * extent) == 0:
            extent *= 2
        return self._graph.input(F32, extent, extent)

    def _value_rotation(self, heads: set[int]) -> GraphTensor | None:
        """Hadamard matrix of the values, always the smallest."""
        is_quantized = self._graph.context.type_v.is_quantized
        if not (self._rotates and is_quantized and _is_rotated(heads)):
            return None
        return self._graph.input(F32, _ROTATION, _ROTATION)

    def _rotated(self, tensor: GraphTensor, rotation: GraphTensor | None) -> GraphTensor:
        """A tensor with each head multiplied by a Hadamard matrix."""
        return tensor if rotation is None else rotate(self._graph, tensor, rotation)


def rotate(graph: ModelGraph, tensor: GraphTensor, rotation: GraphTensor) -> GraphTensor:
    """A tensor with each head multiplied by a Hadamard matrix."""
    extent = rotation.shape[0]
    rows = tensor.shape[0] * tensor.rows // extent
    if tensor.is_contiguous:
        flat = graph.reshape(tensor, extent, rows)
    else:
        flat = graph.contiguous(tensor, extent, rows)
    return graph.reshape(graph.mul_mat(rotation, flat), *tensor.shape)


def _is_rotated(heads: set[int]) -> bool:
    """Whether all layers of a cache have one head size, and it is a multiple of 64."""
    return len(heads) == 1 and all(head and head % _ROTATION == 0 for head in heads)
