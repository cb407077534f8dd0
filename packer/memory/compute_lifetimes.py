"""When each tensor of a scheduled graph needs memory, and which of them share it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from packer.memory.compute_allocator import GIVE, LOOK, TAKE, TRIM, Step
from packer.memory.compute_extent import Size, terms_of
from packer.memory.compute_tensor import NO_BLOCK, GraphTensor

# ggml_op_can_inplace(): the result may take over an operand's memory.
_IN_PLACE = frozenset(
    {
        "fill", "scale", "diag_mask_inf", "add", "add_id", "sub", "mul", "div", "sqr", "sqrt",
        "log", "unary", "rope", "rms_norm", "clamp", "soft_max",
    }
)  # fmt: skip

SizeOf = Callable[[GraphTensor, int], int]


@dataclass(frozen=True)
class Lifetimes:
    """What the allocator is asked to do.

    Attributes:
        scripts: Steps of every backend.
        sizes: Bytes by number, before they are rounded up, and what to: the alignment.
        copies: Copies that are never freed and were met before each watched operation.
    """

    scripts: tuple[tuple[Step, ...], ...]
    sizes: tuple[tuple[Size, int], ...]
    copies: tuple[int, ...]


def lifetimes(
    alignments: Sequence[int],
    size_of: SizeOf,
    leaves: Sequence[GraphTensor],
    nodes: Sequence[GraphTensor],
    watched: Sequence[GraphTensor] = (),
) -> Lifetimes:
    """Lifetimes of all tensors of a graph whose tensors have a backend. Exact.

    Args:
        alignments: Alignment of every backend's buffer [bytes].
        size_of: Bytes a backend needs for a tensor.
        leaves: Tensors that get memory before anything runs.
        nodes: Operations in order.
        watched: Operations behind which the allocator is looked at, in order.

    Source:
        llama.cpp b11434, ggml/src/ggml-alloc.c (ggml_gallocr_alloc_graph_impl and what it calls).
        Written from its rules; pinned byte for byte by tests/unit/memory/test_compute_truth.py.
    """
    walk = _Walk(alignments, size_of)
    return walk.over(leaves, nodes, {id(tensor) for tensor in watched})


class _Walk:
    """One pass over a graph; a tensor's ``block`` is the number of its memory."""

    def __init__(self, alignments: Sequence[int], size_of: SizeOf) -> None:
        self._alignments = alignments
        self._size_of = size_of
        self._scripts: list[list[Step]] = [[] for _ in alignments]
        self._taken = [0] * len(alignments)
        self._sizes: list[tuple[Size, int]] = []
        self._numbers: dict[tuple[int, tuple[tuple[int, int], ...]], int] = {}
        self._by_tensor: dict[tuple[int, int], int] = {}

    def over(
        self, leaves: Sequence[GraphTensor], nodes: Sequence[GraphTensor], watched: set[int]
    ) -> Lifetimes:
        """Lifetimes of a graph's tensors."""
        copies: list[int] = []
        met = 0
        for leaf in leaves:
            self._place(leaf)
        self._count(nodes)
        for node in nodes:
            met += node.is_input
            for source in node.sources:
                if not source.is_owned:
                    self._place(source)
            self._place(node)
            for source in node.sources:
                source.uses -= 1
                if source.uses == 0 and source.views == 0:
                    self._release(source)
            if id(node) in watched:
                copies.append(met)
                self._look_at(node)
        return Lifetimes(
            tuple(tuple(script) for script in self._scripts), tuple(self._sizes), tuple(copies)
        )

    def _look_at(self, node: GraphTensor) -> None:
        """Where a watched tensor is, in the script of every backend."""
        for backend, script in enumerate(self._scripts):
            script.append((LOOK, node.block if node.backend == backend else NO_BLOCK, 0, 0))

    def _number(self, tensor: GraphTensor, backend: int) -> int:
        """Number of the size a backend needs for a tensor, remembered: it is asked twice."""
        known = self._by_tensor.get((id(tensor), backend))
        if known is None:
            known = self._by_tensor[id(tensor), backend] = self._new_number(tensor, backend)
        return known

    def _new_number(self, tensor: GraphTensor, backend: int) -> int:
        size: Size = self._size_of(tensor, backend)
        alignment = self._alignments[backend]
        key = (alignment, tuple(sorted(terms_of(size).items())))
        if key not in self._numbers:
            self._numbers[key] = len(self._sizes)
            self._sizes.append((size, alignment))
        return self._numbers[key]

    def _count(self, nodes: Sequence[GraphTensor]) -> None:
        """Count readers and views of every tensor; inputs get memory before anything runs."""
        for node in nodes:
            if node.root is not None and node.operation != "none":
                node.root.views += 1
            if node.is_input:
                self._place(node)
            for source in node.sources:
                source.uses += 1
                if source.is_input:
                    self._place(source)

    def _place(self, tensor: GraphTensor) -> None:
        """Give a tensor memory: an operand's that nobody else reads, or a block of its own."""
        if tensor.is_owned or tensor.root is not None or tensor.home is not None:
            return
        tensor.is_owned = True
        if tensor.operation in _IN_PLACE and self._take_over(tensor):
            return
        backend = tensor.backend
        tensor.block = self._taken[backend]
        self._taken[backend] += 1
        self._scripts[backend].append((TAKE, tensor.block, self._number(tensor, backend), 0))

    def _take_over(self, tensor: GraphTensor) -> bool:
        """Whether the tensor could take the memory of an operand that it is the last to read."""
        for parent in tensor.sources:
            if (
                parent.is_owned
                and not parent.is_output
                and parent.uses == 1
                and parent.views == 0
                and parent.type is tensor.type
                and parent.shape == tensor.shape
                and parent.strides == tensor.strides
            ):
                tensor.block, tensor.backend = parent.block, parent.backend
                parent.is_owned = False
                self._trim(tensor, parent)
                return True
        return False

    def _trim(self, tensor: GraphTensor, parent: GraphTensor) -> None:
        """Free what the operand had beyond the result (scratch of flash attention)."""
        backend = parent.backend
        had, needs = self._number(parent, backend), self._number(tensor, backend)
        if had != needs:
            self._scripts[backend].append((TRIM, parent.block, had, needs))

    def _release(self, tensor: GraphTensor) -> None:
        """Free a tensor that nobody will read again, or the memory it was the last to show."""
        if tensor.root is not None:
            root = tensor.root
            root.views -= 1
            if root.views == 0 and root.uses == 0 and root.is_owned:
                self._free(root)
        elif tensor.is_owned:
            self._free(tensor)

    def _free(self, tensor: GraphTensor) -> None:
        if tensor.is_output:
            return
        backend = tensor.backend
        self._scripts[backend].append((GIVE, tensor.block, self._number(tensor, backend), 0))
        tensor.is_owned = False
