"""Attention of one block: cache writes, cache views, and the products around them."""

from dataclasses import dataclass

from packer.memory.compute_graphs.attention_cache import AttentionCache, rotate_by
from packer.memory.compute_graphs.model_graph import ModelGraph
from packer.memory.compute_graphs.quirks import widest_value
from packer.memory.compute_tensor import F16, F32, I64, GraphTensor

_ROTATION = 64
_CAPPED = frozenset({"gemma2", "grok"})


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
    build_attn_mha(); src/llama-kv-cache.cpp, the Hadamard rotation.
    """

    def __init__(self, graph: ModelGraph, *, rotates: bool = True) -> None:
        """Caches of a graph; ``rotates`` is whether quantized ones are multiplied by Hadamard's."""
        self._graph = graph
        self._rotates = rotates
        self.cache = AttentionCache(graph)
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
            graph.expand(self.cache.write_keys(owner, key, inputs.key_rows, inputs.cells))
        if value is not None:
            graph.expand(self.cache.write_values(owner, value, inputs.value_rows, inputs.cells))
        keys = self.cache.keys(owner, inputs.cells)
        values = self.cache.values(owner, inputs.cells)
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
        return tensor if rotation is None else rotate_by(self._graph, tensor, rotation)


def _is_rotated(heads: set[int]) -> bool:
    """Whether all layers of a cache have one head size, and it is a multiple of 64."""
    return len(heads) == 1 and all(head and head % _ROTATION == 0 for head in heads)
