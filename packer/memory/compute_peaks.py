"""Peaks of one context's graphs as a function of its cells: simulated at few, exact in between."""

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass, replace

from packer.domain.model import ModelFile
from packer.memory.compute_allocator import GraphAllocator
from packer.memory.compute_blocks import BlockChoice
from packer.memory.compute_graphs.context import Batch, GraphContext
from packer.memory.compute_graphs.model_graph import ModelGraph
from packer.memory.compute_graphs.registry import build_graph
from packer.memory.compute_scheduler import Scheduler
from packer.memory.hyperparameters import HyperParameters

Peaks = tuple[int, ...]


@dataclass(frozen=True)
class Reservation:
    """What one context reserves graphs for.

    Attributes:
        context: Devices and caches; its cells are replaced by those asked for.
        batches: Batches graphs are built for.
        choice: Blocks that are built.
        is_pipelined: Whether inputs exist several times.
        offloads_operations: Whether large operations on host weights run on a card.
        window_cells: Cells of sliding-window layers; None when they follow the others.
        is_empty: Whether no slot has tokens yet; else every cell is taken.
    """

    model: ModelFile
    sizes: HyperParameters
    context: GraphContext
    batches: tuple[Batch, ...]
    choice: BlockChoice
    is_pipelined: bool
    offloads_operations: bool
    window_cells: int | None
    is_empty: bool


@dataclass(frozen=True)
class _Point:
    """Peaks at one number of cells.

    Attributes:
        decisions: Every choice of the allocator on the way there.
        is_settled: Whether the blocks that were left out would have changed nothing.
    """

    peaks: Peaks
    decisions: tuple[int, ...]
    is_settled: bool


class PeakCurve:
    """Peaks over cells.

    Sizes of all tensors are a constant plus a multiple of the cells. Where the allocator takes the
    same decisions at two numbers of cells it takes them in between too, because each is a
    comparison of two such sizes; so the peaks in between lie on a straight line.
    """

    def __init__(self, reservation: Reservation) -> None:
        """A curve without points yet."""
        self._reservation = reservation
        self._points: dict[int, _Point] = {}
        self._cells: list[int] = []

    def at(self, cells: int) -> Peaks | None:
        """Bytes every backend must reserve, the host last; None if too few blocks are built."""
        point = self._points.get(cells)
        if point is None:
            between = self._between(cells)
            if between is not None:
                return between
            point = self._points[cells] = self._simulate(cells)
            insort(self._cells, cells)
        return point.peaks if point.is_settled else None

    def _between(self, cells: int) -> Peaks | None:
        """Peaks between two neighbours of equal decisions."""
        place = bisect_left(self._cells, cells)
        if not 0 < place < len(self._cells):
            return None
        low, high = self._cells[place - 1], self._cells[place]
        first, second = self._points[low], self._points[high]
        if not first.is_settled or first.decisions != second.decisions:
            return None
        return tuple(
            before + (after - before) * (cells - low) // (high - low)
            for before, after in zip(first.peaks, second.peaks, strict=True)
        )

    def _simulate(self, cells: int) -> _Point:
        """Peaks by building and allocating the graphs."""
        reservation, window = self._reservation, self._reservation.window_cells
        context = replace(
            reservation.context,
            cells=cells,
            window_cells=cells if window is None else window,
            positions=reservation.context.positions if reservation.is_empty else cells,
            blocks=reservation.choice.blocks,
        )
        points = [
            self._allocate(replace(context, streams=min(context.streams, batch.sequences)), batch)
            for batch in reservation.batches
        ]
        peaks = tuple(max(sizes) for sizes in zip(*(point.peaks for point in points), strict=True))
        winners = tuple(
            int(size == peak)
            for point in points
            for size, peak in zip(point.peaks, peaks, strict=True)
        )
        return _Point(
            peaks,
            sum((point.decisions for point in points), winners),
            all(point.is_settled for point in points),
        )

    def _allocate(self, context: GraphContext, batch: Batch) -> _Point:
        """Peaks of one batch's graph."""
        reservation = self._reservation
        graph = ModelGraph(reservation.model, reservation.sizes, context, batch)
        build_graph(graph)
        scheduler = Scheduler(
            context.host,
            is_pipelined=reservation.is_pipelined,
            offloads_operations=reservation.offloads_operations,
        )
        scheduled = scheduler.schedule(graph.graph)
        pairs = _identities(graph, reservation.choice.repeats)
        allocator = GraphAllocator(scheduler.alignments(), scheduler.size_of)
        watched = {identity for pair in pairs for identity in pair}
        peaks = allocator.run(scheduled.leaves, scheduled.nodes, watched)
        pictures = allocator.pictures
        is_settled = all(pictures[first] == pictures[second] for first, second in pairs)
        return _Point(peaks, allocator.decisions, is_settled)


def _identities(graph: ModelGraph, repeats: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Identities of the block results that are compared."""
    ends = graph.block_ends
    return [(id(ends[first]), id(ends[second])) for first, second in repeats]
