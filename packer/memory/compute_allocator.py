"""Peak of ggml's graph allocator: best fit among freed blocks, in the order of execution.

The size of a compute buffer is not a sum: a tensor's memory is reused once its last reader has
run, so what is reserved is the highest address the allocator ever hands out for the largest graph.
"""

from collections.abc import Callable, Container, Sequence

from packer.memory.compute_tensor import GraphTensor

_ENDLESS = 1 << 62

# ggml_op_can_inplace(): the result may take over an operand's memory.
_IN_PLACE = frozenset(
    {
        "fill", "scale", "diag_mask_inf", "add", "add_id", "sub", "mul", "div", "sqr", "sqrt",
        "log", "unary", "rope", "rms_norm", "clamp", "soft_max",
    }
)  # fmt: skip

SizeOf = Callable[[GraphTensor, int], int]


class _Arena:
    """Address space of one backend's compute buffer."""

    def __init__(self, alignment: int) -> None:
        self.alignment = alignment
        self.starts = [0]
        self.sizes = [_ENDLESS]
        self.peak = 0
        self.choices: list[int] = []

    @property
    def picture(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Free blocks: where they start and how large they are."""
        return tuple(self.starts), tuple(self.sizes)

    def take(self, wanted: int) -> int:
        """Address of a new block: the smallest hole that fits, else the end."""
        wanted += -wanted % self.alignment
        sizes = self.sizes
        last = chosen = len(sizes) - 1
        best, fitting = _ENDLESS, 0
        for index in range(last):
            size = sizes[index]
            if wanted <= size:
                fitting += 1 << index
                if size <= best:
                    chosen, best = index, size
        address = self.starts[chosen]
        self.starts[chosen] += wanted
        sizes[chosen] -= wanted
        is_used_up = sizes[chosen] == 0
        if is_used_up:
            del self.starts[chosen], sizes[chosen]
        is_peak = address + wanted > self.peak
        if is_peak:
            self.peak = address + wanted
        self.choices.append(((fitting * 64 + chosen) * 2 + is_used_up) * 2 + is_peak)
        return address

    def give(self, address: int, size: int) -> None:
        """Return a block and join it with its neighbours."""
        size += -size % self.alignment
        starts, sizes = self.starts, self.sizes
        for index, start in enumerate(starts):
            if start + sizes[index] == address:
                sizes[index] += size
                self._join(index)
                return
            if address + size == start:
                starts[index] = address
                sizes[index] += size
                if index:
                    self._join(index - 1)
                return
        # Empty blocks can leave the list out of order; llama.cpp stops at the first larger one.
        index = 0
        while index < len(starts) and starts[index] < address:
            index += 1
        starts.insert(index, address)
        sizes.insert(index, size)

    def _join(self, index: int) -> None:
        """Join a hole with the next one if they touch."""
        starts, sizes = self.starts, self.sizes
        if index + 1 < len(starts) and starts[index] + sizes[index] == starts[index + 1]:
            sizes[index] += sizes[index + 1]
            del starts[index + 1], sizes[index + 1]


class GraphAllocator:
    """One pass over a scheduled graph; ``peaks`` are the buffer sizes it needs.

    Source:
        llama.cpp b11434, ggml/src/ggml-alloc.c (ggml_gallocr_alloc_graph_impl and what it calls).
        Written from its rules; pinned byte for byte by tests/unit/memory/test_compute_truth.py.
    """

    def __init__(self, alignments: Sequence[int], size_of: SizeOf) -> None:
        """One arena per backend; ``size_of`` gives the bytes a backend needs for a tensor."""
        self._arenas = [_Arena(alignment) for alignment in alignments]
        self._size_of = size_of
        self.pictures: dict[int, tuple[object, ...]] = {}

    @property
    def peaks(self) -> tuple[int, ...]:
        """Bytes each backend must reserve."""
        return tuple(arena.peak for arena in self._arenas)

    @property
    def decisions(self) -> tuple[int, ...]:
        """Every choice taken so far; equal choices mean sizes that grow in proportion."""
        return tuple(choice for arena in self._arenas for choice in (*arena.choices, -1))

    def run(
        self,
        leaves: Sequence[GraphTensor],
        nodes: Sequence[GraphTensor],
        watched: Container[int] = (),
    ) -> tuple[int, ...]:
        """Bytes each backend must reserve for a graph whose tensors have a backend. Exact.

        Args:
            leaves: Tensors that get memory before anything runs.
            nodes: Operations in order.
            watched: Identities of operations behind which ``pictures`` keeps the free blocks, where
                the result lies, and how many copies that are never freed were met so far.
        """
        copies = 0
        for leaf in leaves:
            self._place(leaf)
        self._count(nodes)
        for node in nodes:
            copies += node.is_input
            for source in node.sources:
                self._place(source)
            self._place(node)
            for source in node.sources:
                source.uses -= 1
                if source.uses == 0 and source.views == 0:
                    self._release(source)
            if id(node) in watched:
                free = (arena.picture for arena in self._arenas)
                self.pictures[id(node)] = (copies, node.offset, *free)
        return self.peaks

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
        arena = self._arenas[tensor.backend]
        tensor.offset = arena.take(self._size_of(tensor, tensor.backend))

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
                tensor.offset, tensor.backend = parent.offset, parent.backend
                parent.is_owned = False
                self._shrink(tensor, parent)
                return True
        return False

    def _shrink(self, tensor: GraphTensor, parent: GraphTensor) -> None:
        """Free what the operand had beyond the result (scratch of flash attention)."""
        arena = self._arenas[parent.backend]
        had = self._size_of(parent, parent.backend)
        needs = self._size_of(tensor, parent.backend)
        had += -had % arena.alignment
        needs += -needs % arena.alignment
        if had > needs:
            arena.give(parent.offset + needs, had - needs)

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
        self._arenas[tensor.backend].give(tensor.offset, self._size_of(tensor, tensor.backend))
        tensor.is_owned = False
