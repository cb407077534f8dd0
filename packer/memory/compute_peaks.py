"""Peaks of one context's graphs: each kind of graph is built once, its sizes left open."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from packer.domain.model import ModelFile
from packer.memory.compute_blocks import BlockChoice
from packer.memory.compute_extent import Symbols
from packer.memory.compute_graphs.context import Batch, GraphContext
from packer.memory.compute_graphs.model_graph import ModelGraph
from packer.memory.compute_graphs.registry import build_graph
from packer.memory.compute_lifetimes import lifetimes
from packer.memory.compute_program import Allocated, Peaks, Program
from packer.memory.compute_scheduler import Scheduler
from packer.memory.hyperparameters import HyperParameters

# Programs of one kind of batch, and answers, that are remembered.
_MOST_PROGRAMS = 64
_MOST_ANSWERS = 1024


@dataclass(frozen=True)
class Reservation:
    """What one context reserves graphs for, whatever its cells, slots and batches are.

    Attributes:
        context: Devices and cache types; cells and slots are replaced by those asked for.
        choice: Blocks that are built.
        is_pipelined: Whether inputs exist several times.
        offloads_operations: Whether large operations on host weights run on a card.
        is_unified: Whether all slots share one cache.
        has_window: Whether sliding-window layers have cells of their own.
        is_empty: Whether no slot has tokens yet; else every cell is taken.
    """

    model: ModelFile
    sizes: HyperParameters
    context: GraphContext
    choice: BlockChoice
    is_pipelined: bool
    offloads_operations: bool
    is_unified: bool
    has_window: bool
    is_empty: bool


@dataclass(frozen=True)
class Occasion:
    """One batch in one context.

    Attributes:
        cells, window_cells: Cells per stream.
        states: Recurrent states in memory, one per slot.
    """

    batch: Batch
    cells: int
    window_cells: int
    states: int

    @property
    def values(self) -> tuple[int, ...]:
        """Values of the symbols that ``opened`` puts in place of numbers."""
        batch = self.batch
        return (
            batch.tokens_per_sequence,
            batch.sequences,
            batch.outputs,
            self.cells,
            self.window_cells,
            self.states,
        )

    @property
    def kind(self) -> tuple[bool, ...]:
        """Which numbers are one or equal: those are not left open."""
        batch = self.batch
        return (
            batch.tokens == batch.sequences,
            batch.sequences == 1,
            batch.outputs == batch.tokens,
            batch.outputs == batch.sequences,
            self.states == batch.sequences,
        )

    def opened(self, symbols: Symbols) -> "Occasion":
        """The same with symbols in place of numbers."""
        has_single_tokens, has_one_sequence, has_all, has_one_output, has_own_states = self.kind
        each = 1 if has_single_tokens else symbols.extent(0)
        sequences = 1 if has_one_sequence else symbols.extent(1)
        outputs = sequences if has_one_output else symbols.extent(2)
        tokens = each * sequences
        return Occasion(
            Batch(tokens, sequences, tokens if has_all else outputs),
            symbols.extent(3),
            symbols.extent(4),
            sequences if has_own_states else symbols.extent(5),
        )


class ReservedPeaks:
    """Peaks of all graphs of one reservation."""

    def __init__(self, reservation: Reservation) -> None:
        """No graph is built yet."""
        self._reservation = reservation
        self._programs: dict[tuple[bool, ...], list[Program]] = {}
        self._answers: dict[Occasion, Allocated] = {}

    def of(self, occasions: Sequence[Occasion]) -> Peaks | None:
        """Bytes every backend must reserve, the host last; None if too few blocks are built."""
        found = [self._allocated(occasion) for occasion in occasions]
        if not all(part.is_settled for part in found):
            return None
        if len(found) == 1:
            return found[0].peaks
        return tuple(max(sizes) for sizes in zip(*(part.peaks for part in found), strict=True))

    def _allocated(self, occasion: Occasion) -> Allocated:
        """Peaks of one batch's graph, remembered."""
        found = self._answers.get(occasion)
        if found is None:
            if len(self._answers) >= _MOST_ANSWERS:
                self._answers.clear()
            found = self._answers[occasion] = self._run(occasion)
        return found

    def _run(self, occasion: Occasion) -> Allocated:
        """Peaks by a program that fits, else by a new one."""
        programs = self._programs.setdefault(occasion.kind, [])
        values = occasion.values
        for place, program in enumerate(programs):
            found = program.run(values)
            if found is not None:
                if place:
                    programs.insert(0, programs.pop(place))
                return found
        symbols = Symbols(values)
        program = graph_program(self._reservation, occasion.opened(symbols), symbols)
        programs.insert(0, program)
        del programs[_MOST_PROGRAMS:]
        found = program.run(values)
        if found is None:
            raise AssertionError("a program passes its own checks")
        return found


def graph_program(reservation: Reservation, occasion: Occasion, symbols: Symbols) -> Program:
    """The program of one graph, built with numbers or with symbols."""
    base, batch = reservation.context, occasion.batch
    context = replace(
        base,
        streams=1 if reservation.is_unified else batch.sequences,
        cells=occasion.cells,
        window_cells=occasion.window_cells if reservation.has_window else occasion.cells,
        positions=base.positions if reservation.is_empty else occasion.cells,
        states=occasion.states,
        blocks=reservation.choice.blocks,
    )
    graph = ModelGraph(reservation.model, reservation.sizes, context, batch)
    build_graph(graph)
    scheduler = Scheduler(
        context.host,
        is_pipelined=reservation.is_pipelined,
        offloads_operations=reservation.offloads_operations,
    )
    scheduled = scheduler.schedule(graph.graph)
    ends = graph.block_ends
    circles = reservation.choice.repeats
    watched = sorted({place for circle in circles for place in circle})
    found = lifetimes(
        scheduler.alignments(),
        scheduler.size_of,
        scheduled.leaves,
        scheduled.nodes,
        [ends[place] for place in watched],
    )
    repeats = [tuple([watched.index(place) for place in circle]) for circle in circles]
    return Program(symbols, found, repeats)
