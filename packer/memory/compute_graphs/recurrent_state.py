"""States of recurrent blocks: gathered for the batch's sequences, written back behind them."""

from collections.abc import Callable

from packer.memory.compute_graphs.model_graph import ModelGraph
from packer.memory.compute_tensor import F32, I32, GraphTensor

ReadStates = Callable[[GraphTensor, GraphTensor], GraphTensor]
"""An operation that reads all states and the numbers of the wanted ones itself."""


class RecurrentStates:
    """States in one context's memory.

    Source for the whole class: llama.cpp b11434, src/llama-graph.cpp, build_rs() and
    build_rs_inp_impl(); src/llama-memory-recurrent.cpp.
    """

    def __init__(self, graph: ModelGraph) -> None:
        self._graph = graph
        states, sequences = graph.context.states, graph.batch.sequences
        self._wanted = graph.input(I32, states)
        self._main = graph.view(self._wanted, (sequences,))
        self._rest = graph.view(self._wanted, (states - 1,), offset=I32.block_bytes)
        self.rows = states * (1 + graph.context.rollback_depth)

    def memory(self, layer: int, width: int) -> GraphTensor:
        """All states of one kind of a block, [width, rows]."""
        held = GraphTensor("none", F32, (width, self.rows, 1, 1))
        held.home = self._graph.context.cache_home(layer)
        return held

    def gather(self, memory: GraphTensor, read: ReadStates | None = None) -> GraphTensor:
        """States of the batch's sequences, or what ``read`` makes of them; the others move up."""
        graph, width = self._graph, memory.shape[0]
        states, sequences = graph.context.states, graph.batch.sequences
        flat = graph.reshape(memory, width, self.rows)
        graph.expand(graph.scale_in_place(graph.view(flat, (width,))))
        wanted = self._wanted if read is None else self._rest
        skipped = 0 if read is None else 1
        gathered = graph.get_rows(flat, wanted)
        step = gathered.layout[1]
        if read is None:
            result = graph.view(gathered, (width, sequences), (step,))
        else:
            result = read(flat, self._main)
        graph.expand(result)
        extra = (width, states - sequences)
        moved = graph.view(gathered, extra, (step,), (sequences - skipped) * step)
        target = graph.view(memory, extra, (memory.layout[1],), sequences * memory.layout[1])
        graph.expand(graph.copy_into(moved, target))
        return result

    def store(self, memory: GraphTensor, fresh: GraphTensor, depth: int = 0) -> None:
        """Write the states of the batch's sequences, ``depth`` steps back in time."""
        graph, sequences = self._graph, self._graph.batch.sequences
        width, row = memory.shape[0], memory.layout[1]
        offset = depth * graph.context.states * row
        target = graph.view(memory, (width, sequences), (row,), offset)
        graph.expand(graph.copy_into(fresh, target))

    @property
    def depth(self) -> int:
        """States written per sequence: the newest, and those a roll-back may return to."""
        return self._graph.context.rollback_depth + 1
