"""Operations of a graph: each returns its result with ggml's shape, type and layout.

Source for the whole module: llama.cpp b11434, ggml/src/ggml.c (the constructor of each operation).
"""

from collections.abc import Sequence

from packer.domain.quantization import ElementType
from packer.memory.compute_scheduler import Graph
from packer.memory.compute_tensor import (
    F32,
    I32,
    GraphTensor,
    Shape,
    contiguous_strides,
)


class GraphOperations:
    """A graph under construction."""

    def __init__(self) -> None:
        self.graph = Graph([], [])
        self._visited: set[int] = set()

    # Construction -----------------------------------------------------------------------------

    def expand(self, tensor: GraphTensor) -> None:
        """Add a tensor and all it depends on, operands first, in order."""
        if id(tensor) in self._visited:
            return
        self._visited.add(id(tensor))
        for source in tensor.sources:
            self.expand(source)
        is_leaf = tensor.operation == "none"
        (self.graph.leaves if is_leaf else self.graph.nodes).append(tensor)

    def input(self, element_type: ElementType, *shape: int) -> GraphTensor:
        """A tensor the server fills before each batch."""
        tensor = GraphTensor("none", element_type, _four(shape))
        tensor.is_input = True
        return tensor

    def empty(self, *shape: int) -> GraphTensor:
        """A tensor that is neither an input nor computed."""
        return GraphTensor("none", F32, _four(shape))

    # Arithmetic -------------------------------------------------------------------------------

    def same(self, operation: str, *sources: GraphTensor | None, variant: str = "") -> GraphTensor:
        """An operation whose result has the shape and type of its first operand."""
        operands = [source for source in sources if source is not None]
        return GraphTensor(operation, operands[0].type, operands[0].shape, operands, variant)

    def add(self, left: GraphTensor, right: GraphTensor) -> GraphTensor:
        """Sum, the second operand broadcast."""
        return GraphTensor("add", left.type, left.shape, (left, right))

    def add_in_place(self, left: GraphTensor, right: GraphTensor) -> GraphTensor:
        """Sum written over the first operand."""
        result = _shown("add", left)
        result.sources = [left, right]
        return result

    def count(self, count: int) -> GraphTensor:
        """Numbers from zero on."""
        return GraphTensor("arange", F32, _four((count,)))

    def mul(self, left: GraphTensor, right: GraphTensor) -> GraphTensor:
        """Element-wise product, the second operand broadcast."""
        return GraphTensor("mul", left.type, left.shape, (left, right))

    def unary(self, kind: str, operand: GraphTensor) -> GraphTensor:
        """Activation such as ``silu``."""
        return GraphTensor("unary", operand.type, operand.shape, (operand,), kind)

    def scale(self, operand: GraphTensor) -> GraphTensor:
        """Product with a constant."""
        return GraphTensor("scale", operand.type, operand.shape, (operand,))

    def scale_in_place(self, operand: GraphTensor) -> GraphTensor:
        """Product with a constant, written over the operand."""
        return _shown("scale", operand)

    def gated(self, kind: str, gate: GraphTensor, up: GraphTensor | None = None) -> GraphTensor:
        """Gated activation of two tensors, or of the two halves of one."""
        if up is not None:
            return GraphTensor("glu", gate.type, gate.shape, (gate, up), kind)
        shape = (gate.shape[0] // 2, *gate.shape[1:])
        return GraphTensor("glu", gate.type, shape, (gate,), kind)

    def sum_rows(self, operand: GraphTensor) -> GraphTensor:
        """Sum of each row."""
        return GraphTensor("sum_rows", operand.type, (1, *operand.shape[1:]), (operand,))

    # Matrices ---------------------------------------------------------------------------------

    def mul_mat(self, weight: GraphTensor, operand: GraphTensor) -> GraphTensor:
        """Matrix product; the weight's rows are the result's columns."""
        shape = (weight.shape[1], *operand.shape[1:])
        return GraphTensor("mul_mat", F32, shape, (weight, operand))

    def mul_mat_id(
        self, weights: GraphTensor, operand: GraphTensor, chosen: GraphTensor
    ) -> GraphTensor:
        """Matrix product with the chosen experts of each token."""
        shape = (weights.shape[1], chosen.shape[0], operand.shape[2], 1)
        return GraphTensor("mul_mat_id", F32, shape, (weights, operand, chosen))

    def flash_attention(
        self,
        query: GraphTensor,
        key: GraphTensor,
        value: GraphTensor,
        mask: GraphTensor,
        sinks: GraphTensor | None,
    ) -> GraphTensor:
        """Attention in one operation, heads before tokens in the result."""
        shape = (value.shape[0], query.shape[2], query.shape[1], query.shape[3])
        sources = [query, key, value, mask] + ([sinks] if sinks is not None else [])
        return GraphTensor("flash_attn", F32, shape, sources)

    # Rows -------------------------------------------------------------------------------------

    def get_rows(self, table: GraphTensor, rows: GraphTensor) -> GraphTensor:
        """Rows of a table by number."""
        kind = I32 if table.type is I32 else F32
        shape = (table.shape[0], *rows.shape[:3])
        return GraphTensor("get_rows", kind, shape, (table, rows))

    def set_rows(self, target: GraphTensor, values: GraphTensor, rows: GraphTensor) -> GraphTensor:
        """Rows written into a tensor; the result shows that tensor."""
        result = _shown("set_rows", target)
        result.sources = [values, rows, target]
        return result

    def copy_into(self, source: GraphTensor, target: GraphTensor) -> GraphTensor:
        """A tensor copied over another; the result shows the target."""
        result = _shown("cpy", target)
        result.sources = [source, target]
        return result

    def cast(self, operand: GraphTensor, element_type: ElementType) -> GraphTensor:
        """The same elements in another type."""
        return GraphTensor("cpy", element_type, operand.shape, (operand,))

    def argsort_top(self, operand: GraphTensor, count: int) -> GraphTensor:
        """Numbers of the largest elements of each row, cut from the sorted row."""
        order = GraphTensor("argsort", I32, operand.shape, (operand,))
        return self.view(order, (count, *order.shape[1:]), order.layout[1:])

    # Layout -----------------------------------------------------------------------------------

    def view(
        self,
        source: GraphTensor,
        shape: Sequence[int],
        strides: Sequence[int] = (),
        offset: int = 0,
    ) -> GraphTensor:
        """Part of a tensor.

        Args:
            source: Tensor looked at.
            shape: Elements per dimension.
            strides: Bytes between neighbours from the second dimension on; missing ones follow
                without gaps.
            offset: Bytes before the first element.
        """
        full = _four(shape)
        layout = [source.type.block_bytes, *strides]
        while len(layout) < 4:
            inner = len(layout) - 1
            row = source.type.row_bytes(full[0]) if inner == 0 else layout[inner] * full[inner]
            layout.append(row)
        place = source.view_offset + offset
        return self._view("view", source, full, (layout[0], layout[1], layout[2], layout[3]), place)

    def reshape(self, source: GraphTensor, *shape: int) -> GraphTensor:
        """A contiguous tensor under another shape."""
        result = GraphTensor("reshape", source.type, _four(shape), (source,))
        result.root = source.holder
        result.view_offset = source.view_offset
        return result

    def permute(self, source: GraphTensor, *axes: int) -> GraphTensor:
        """Dimensions in another order: dimension i becomes dimension ``axes[i]``."""
        shape, strides = [0] * 4, [0] * 4
        layout = source.layout
        for old, new in enumerate(axes):
            shape[new], strides[new] = source.shape[old], layout[old]
        return self._view(
            "permute",
            source,
            (shape[0], shape[1], shape[2], shape[3]),
            (strides[0], strides[1], strides[2], strides[3]),
            source.view_offset,
        )

    def transpose(self, source: GraphTensor) -> GraphTensor:
        """The first two dimensions exchanged."""
        shape, strides = source.shape, source.layout
        return self._view(
            "transpose",
            source,
            (shape[1], shape[0], shape[2], shape[3]),
            (strides[1], strides[0], strides[2], strides[3]),
            source.view_offset,
        )

    def contiguous(self, source: GraphTensor, *shape: int) -> GraphTensor:
        """A copy without gaps, under another shape if one is given."""
        return GraphTensor("cont", source.type, _four(shape) if shape else source.shape, (source,))

    def concat(self, left: GraphTensor, right: GraphTensor, dimension: int) -> GraphTensor:
        """Two tensors joined along a dimension."""
        shape = list(left.shape)
        shape[dimension] += right.shape[dimension]
        return GraphTensor("concat", left.type, _four(shape), (left, right))

    def repeat(self, operand: GraphTensor, *shape: int) -> GraphTensor:
        """A tensor repeated to a shape."""
        return GraphTensor("repeat", operand.type, _four(shape), (operand,))

    def sized(self, operation: str, *sources: GraphTensor, shape: Sequence[int]) -> GraphTensor:
        """An operation with a 32-bit result of a given shape."""
        return GraphTensor(operation, F32, _four(shape), sources)

    def _view(
        self, operation: str, source: GraphTensor, shape: Shape, strides: Shape, offset: int
    ) -> GraphTensor:
        result = GraphTensor(operation, source.type, shape, (source,))
        if strides != contiguous_strides(source.type, shape):
            result.strides = strides
        result.root = source.holder
        result.view_offset = offset
        return result


def _shown(operation: str, source: GraphTensor) -> GraphTensor:
    """A whole tensor under another operation's name."""
    result = GraphTensor(operation, source.type, source.shape, (source,))
    result.strides = source.strides
    result.root = source.holder
    result.view_offset = source.view_offset
    return result


def _four(shape: Sequence[int]) -> Shape:
    """A shape with all four dimensions."""
    padded = (*shape, 1, 1, 1, 1)
    return (padded[0], padded[1], padded[2], padded[3])
