"""Tensors of a compute graph: only what decides how many bytes they take, and for how long."""

from collections.abc import Iterable

from packer.domain.quantization import ELEMENT_TYPES_BY_NAME, ElementType

F32 = ELEMENT_TYPES_BY_NAME["f32"]
F16 = ELEMENT_TYPES_BY_NAME["f16"]
I32 = ELEMENT_TYPES_BY_NAME["i32"]
I64 = ELEMENT_TYPES_BY_NAME["i64"]

Shape = tuple[int, int, int, int]

VIEW_OPERATIONS = frozenset({"view", "reshape", "permute", "transpose"})
"""Operations that only look at another tensor; the scheduler skips them."""

UNASSIGNED = -1

NO_BLOCK = -1
"""Number of the memory of a tensor that has none."""

PRECISE = "precise"
"""Variant of a product with experts whose operand must stay in f32: cards cannot do that."""


class GraphTensor:
    """One tensor of a graph, with the working state of the scheduler and of the allocator.

    Attributes:
        operation: What computes it, such as ``mul_mat``; ``none`` for a leaf.
        variant: Which unary or gated operation, such as ``silu``.
        shape: Elements per dimension, fastest first.
        strides: Bytes between neighbours per dimension; None when contiguous.
        sources: Operands, in ggml's order, absent ones left out.
        root: Tensor whose memory this one shows; None when it has its own.
        home: Backend whose memory holds it already (weights, caches); None if it is computed.
        pin: Backend that the context forces on it.
        backend: Backend it was assigned to.
        uses, views: Operands and views of it that are still to come.
        block: Number of its memory in its backend's buffer; ``NO_BLOCK`` while it has none.
        is_owned: Whether the allocator holds memory for it now.
    """

    __slots__ = (
        "backend",
        "block",
        "home",
        "is_input",
        "is_output",
        "is_owned",
        "is_weight",
        "name",
        "operation",
        "pin",
        "root",
        "shape",
        "sources",
        "strides",
        "type",
        "uses",
        "variant",
        "view_offset",
        "views",
    )

    def __init__(
        self,
        operation: str,
        element_type: ElementType,
        shape: Shape,
        sources: Iterable["GraphTensor"] = (),
        variant: str = "",
    ) -> None:
        """A tensor with memory of its own, contiguous, not yet on a backend."""
        self.operation = operation
        self.variant = variant
        self.type = element_type
        self.shape = shape
        self.strides: Shape | None = None
        self.sources = list(sources)
        self.root: GraphTensor | None = None
        self.view_offset = 0
        self.home: int | None = None
        self.pin = UNASSIGNED
        self.backend = UNASSIGNED
        self.is_input = self.is_output = self.is_weight = self.is_owned = False
        self.uses = self.views = 0
        self.block = NO_BLOCK
        self.name = ""

    @property
    def layout(self) -> Shape:
        """Bytes between neighbours, also for a contiguous tensor."""
        return self.strides or contiguous_strides(self.type, self.shape)

    @property
    def rows(self) -> int:
        """Rows over all dimensions but the first."""
        return self.shape[1] * self.shape[2] * self.shape[3]

    @property
    def holder(self) -> "GraphTensor":
        """Tensor whose memory this one uses: its root, or itself."""
        return self.root or self

    @property
    def is_contiguous(self) -> bool:
        """Whether elements follow each other without gaps; strides over one do not count."""
        if self.strides is None:
            return True
        natural = contiguous_strides(self.type, self.shape)
        return all(
            have == want or extent == 1
            for have, want, extent in zip(self.strides, natural, self.shape, strict=True)
        )


def contiguous_strides(element_type: ElementType, shape: Shape) -> Shape:
    """Bytes between neighbours of a tensor without gaps."""
    row = element_type.row_bytes(shape[0])
    plane = row * shape[1]
    return (element_type.block_bytes, row, plane, plane * shape[2])


def tensor_bytes(tensor: GraphTensor) -> int:
    """Bytes from the first to the last element. Exact.

    Source: llama.cpp b11434, ggml/src/ggml.c, ggml_nbytes().
    """
    shape, kind = tensor.shape, tensor.type
    if tensor.strides is None:
        return kind.row_bytes(shape[0]) * shape[1] * shape[2] * shape[3]
    if min(shape) <= 0:
        return 0
    strides = tensor.strides
    outer = sum((shape[i] - 1) * strides[i] for i in (1, 2, 3))
    if kind.block_elements == 1:
        return kind.block_bytes + (shape[0] - 1) * strides[0] + outer
    return shape[0] * strides[0] // kind.block_elements + outer
