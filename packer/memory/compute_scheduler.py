"""Which backend runs each operation, where the graph is cut, what is copied across; host last.

Source for the whole module: llama.cpp b11434, ggml/src/ggml-backend.cpp,
ggml_backend_sched_split_graph(); written from its rules.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from packer.memory.compute_cuda import OFFLOAD_MIN_ROWS, allocation_bytes, batch_rows, can_run
from packer.memory.compute_fusion import count_uses, lifetime_extensions
from packer.memory.compute_tensor import UNASSIGNED, VIEW_OPERATIONS, GraphTensor

_CARD_ALIGNMENT = 128
_HOST_ALIGNMENT = 32
_PIPELINE_COPIES = 4
_MOST_SOURCES = 10


@dataclass
class Graph:
    """Operations in order of execution, and the leaves they start from."""

    nodes: list[GraphTensor]
    leaves: list[GraphTensor]


@dataclass
class _Split:
    """Consecutive operations on one backend, and the foreign tensors they read."""

    backend: int
    start: int
    end: int = 0
    inputs: list[GraphTensor] = field(default_factory=list)


@dataclass
class ScheduledGraph:
    """What the allocator walks over: copies and keep-alive marks included."""

    nodes: list[GraphTensor]
    leaves: list[GraphTensor]
    split_count: int


class Scheduler:
    """Assigns one graph to the backends of one context."""

    def __init__(self, cards: int, *, is_pipelined: bool, offloads_operations: bool) -> None:
        """Scheduler over ``cards`` cards and the host.

        Args:
            cards: Number of cards; the host is backend ``cards``.
            is_pipelined: Whether several batches are in flight, so inputs exist four times.
            offloads_operations: Whether large operations on host weights run on a card.
        """
        self.host = cards
        self.copies = _PIPELINE_COPIES if is_pipelined else 1
        self._offloads = offloads_operations
        self._copy_of: dict[tuple[int, int], list[GraphTensor]] = {}

    def alignments(self) -> tuple[int, ...]:
        """Alignment of every backend's buffer [bytes]."""
        return (_CARD_ALIGNMENT,) * self.host + (_HOST_ALIGNMENT,)

    def size_of(self, tensor: GraphTensor, backend: int) -> int:
        """Bytes a backend reserves for a tensor."""
        return allocation_bytes(tensor, is_card=backend != self.host)

    def schedule(self, graph: Graph) -> ScheduledGraph:
        """The graph with backends, copies and keep-alive marks. Exact."""
        self.assign(graph)
        uses = count_uses(graph.nodes)
        splits = self._cut(graph.nodes)
        if self.copies > 1:
            self._copy_inputs(graph.leaves)
        return self._assemble(graph, splits, uses)

    # Assignment -------------------------------------------------------------------------------

    def assign(self, graph: Graph) -> None:
        """Give every tensor its backend."""
        for tensor in (*graph.leaves, *graph.nodes):
            tensor.backend = tensor.pin
            if tensor.backend == UNASSIGNED:
                tensor.backend = self._backend_by_memory(tensor)
        operations = [node for node in graph.nodes if node.operation not in VIEW_OPERATIONS]
        self._spread(operations, skips_host=True)
        self._spread(operations[::-1], skips_host=True)
        self._spread(operations, skips_host=False)
        self._spread(operations[::-1], skips_host=False)
        for node in operations:
            if node.backend == UNASSIGNED:
                node.backend = self._backend_with_most_sources(node)
        for node in graph.nodes:
            self._settle(node)

    def _backend_by_memory(self, tensor: GraphTensor) -> int:
        """Backend a tensor is tied to by its own memory or by the weight it reads."""
        home = tensor.holder.home
        if home is not None:
            return home
        if tensor.is_input:
            return self.host
        if tensor.operation in ("rope", "flash_attn"):
            return UNASSIGNED
        for source in tensor.sources:
            if source.is_weight and source.home is not None:
                return self._backend_of_weight(tensor, source.home)
        return UNASSIGNED

    def _backend_of_weight(self, node: GraphTensor, home: int) -> int:
        """Backend of an operation that reads a weight: the weight's, or a card if it is large."""
        if home == self.host and self._offloads and batch_rows(node) >= OFFLOAD_MIN_ROWS:
            for backend in range(self.host):
                if self._supports(backend, node):
                    return backend
        return home if self._supports(home, node) else UNASSIGNED

    def _spread(self, nodes: Sequence[GraphTensor], *, skips_host: bool) -> None:
        """Give unassigned operations the backend of the one before."""
        current = UNASSIGNED
        for node in nodes:
            if node.backend != UNASSIGNED:
                current = node.backend
                if skips_host and current == self.host:
                    current = UNASSIGNED
            elif current != UNASSIGNED and self._supports(current, node):
                node.backend = current

    def _backend_with_most_sources(self, node: GraphTensor) -> int:
        """Backend that already holds most operands; the first of equals."""
        best, chosen = -1, UNASSIGNED
        for backend in range(self.host + 1):
            if self._supports(backend, node):
                held = sum(self._holds(source, backend) for source in node.sources)
                if held > best:
                    best, chosen = held, backend
        return chosen

    def _settle(self, node: GraphTensor) -> None:
        """Give what is left its root's backend, or that of its reader."""
        if node.root is not None and node.backend == UNASSIGNED:
            node.backend = node.root.backend
        for source in node.sources:
            if source.backend == UNASSIGNED:
                source.backend = node.backend if source.root is None else source.root.backend

    def _supports(self, backend: int, node: GraphTensor) -> bool:
        """Whether a backend can run an operation."""
        return backend == self.host or can_run(node, backend, self.host)

    def _holds(self, tensor: GraphTensor, backend: int) -> bool:
        """Whether a backend can read a tensor where it lies."""
        holder = tensor.holder
        if holder.home is not None:
            return holder.home == backend
        return (tensor.backend if tensor.backend != UNASSIGNED else holder.backend) == backend

    # Cuts and copies --------------------------------------------------------------------------

    def _cut(self, nodes: Sequence[GraphTensor]) -> list[_Split]:
        """Runs of operations on one backend; reading a foreign weight starts a new one."""
        first = next(node.backend for node in nodes if node.operation not in VIEW_OPERATIONS)
        splits = [_Split(first, 0)]
        for index, node in enumerate(nodes):
            if node.operation in VIEW_OPERATIONS:
                continue
            split = splits[-1]
            if node.backend != split.backend or (split.inputs and self._reads_foreign_weight(node)):
                split.end = index
                split = _Split(node.backend, index)
                splits.append(split)
            for position, source in enumerate(node.sources):
                if source.backend != split.backend and not self._holds(source, split.backend):
                    node.sources[position] = self._copy_for(source, split)
        splits[-1].end = len(nodes)
        return splits

    def _reads_foreign_weight(self, node: GraphTensor) -> bool:
        return any(source.is_weight and source.backend != node.backend for source in node.sources)

    def _copy_for(self, source: GraphTensor, split: _Split) -> GraphTensor:
        """Copy of a tensor on the split's backend; made once per backend."""
        key = (id(source), split.backend)
        if key not in self._copy_of:
            self._copy_of[key] = [
                self._duplicate(source, split.backend) for _ in range(self.copies)
            ]
            split.inputs.append(source)
        return self._copy_of[key][0]

    def _duplicate(self, source: GraphTensor, backend: int) -> GraphTensor:
        copy = GraphTensor("none", source.type, source.shape)
        copy.strides = source.strides
        copy.backend = backend
        # Copies of a pipeline are written while earlier batches still run: never reused.
        copy.is_input = copy.is_output = self.copies > 1
        return copy

    def _copy_inputs(self, leaves: Sequence[GraphTensor]) -> None:
        """A pipeline keeps every input several times where it is written."""
        for leaf in leaves:
            if leaf.is_input:
                more = [self._duplicate(leaf, leaf.backend) for _ in range(self.copies - 1)]
                leaf.is_output = True
                self._copy_of[id(leaf), leaf.backend] = [leaf, *more]

    def _assemble(
        self, graph: Graph, splits: Sequence[_Split], uses: dict[int, int]
    ) -> ScheduledGraph:
        """Operations with the copies in front of each split and marks where fusion keeps memory."""
        extensions: dict[int, list[GraphTensor]] = {}
        nodes: list[GraphTensor] = []
        for split in splits:
            run = graph.nodes[split.start : split.end]
            if split.backend != self.host:
                run = lifetime_extensions(run, uses, extensions)
            for source in split.inputs:
                nodes += (_reader((source,)), self._copy_of[id(source), split.backend][0])
            for node in run:
                nodes.append(node)
                kept = extensions.get(id(node), [])
                for start in range(0, len(kept), _MOST_SOURCES):
                    nodes.append(_reader(kept[start : start + _MOST_SOURCES]))
        return ScheduledGraph(nodes, self._early_leaves(graph, splits), len(splits))

    def _early_leaves(self, graph: Graph, splits: Sequence[_Split]) -> list[GraphTensor]:
        """Leaves in the order they get memory: a pipeline's copies come first."""
        leaves: list[GraphTensor] = []
        if self.copies > 1:
            for leaf in graph.leaves:
                if leaf.is_input:
                    leaves += self._copy_of[id(leaf), leaf.backend]
            for split in splits:
                for source in split.inputs:
                    leaves += self._copy_of[id(source), split.backend]
        return leaves + graph.leaves


def _reader(kept: Sequence[GraphTensor]) -> GraphTensor:
    """A mark that reads tensors so that they live until here; it takes no memory itself."""
    mark = GraphTensor("none", kept[0].type, kept[0].shape, kept)
    mark.root = kept[0].holder
    return mark
