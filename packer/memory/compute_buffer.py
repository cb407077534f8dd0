"""Compute buffers: what the scheduler reserves for activations, masks and scratch.

llama.cpp builds the graph of its largest batch, gives every operation to a device, and lets an
allocator walk over it; the highest address is the buffer's size. The same is done here with sizes
alone. Repetitions of blocks and most numbers of cells need no walk of their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from packer.domain.basis import Basis
from packer.domain.llama_build import MEASURED_BUILD, is_same_build
from packer.domain.model import ModelFile
from packer.domain.server_options import ServerOptions
from packer.memory.compute_graphs.registry import is_known
from packer.memory.compute_program import Peaks
from packer.memory.compute_reservations import reserved_peaks
from packer.memory.layer_split import HOST, Layout
from packer.memory.part import NOTHING, Part
from packer.memory.resolution import ResolvedContext
from packer.memory.result import Card
from packer.memory.tensor_override import has_overrides

# Graphs that were not measured: of nextn blocks and of adapters, a few operations among many that
# were, and of other builds. 115 builds later 35 of 588 buffers of the catalogue differed, by -1 to
# +4 %, and 19 of 778 of tiny models, by -10 to +18 %.
_UNMEASURED_LOW, UNMEASURED_HIGH = 0.8, 1.25
# Their indexer scores as many positions as are taken, so buffers are reserved anew as slots fill.
_GROWING = frozenset({"minimax-m3"})


@dataclass(frozen=True)
class ComputeBuffers:
    """Compute buffers of one context: one part per visible card, and the pinned host buffer."""

    cards: tuple[Part, ...]
    host: Part


def compute_buffers(
    model: ModelFile,
    context: ResolvedContext,
    layout: Layout,
    options: ServerOptions,
    cards: Sequence[Card],
    *,
    has_flash_attention: bool,
    build: str,
    adapters: Sequence[ModelFile] = (),
) -> ComputeBuffers:
    """Compute buffers of one context on every card and on the host.

    Exact for graphs that were compared with llama.cpp's. Estimated for nextn blocks that were not,
    for adapters, for weights that may be repacked, for MiniMax M3, whose buffers are exact when it
    starts (``low``) and then grow, and for every build but the measured one.

    Args:
        model: Header of the model this context runs.
        context: Cells, slots and batches.
        layout: Devices of the layers.
        options: Options of this context; a draft context gets its own.
        cards: Every visible card.
        has_flash_attention: As resolved, not as asked.
        build: llama.cpp build.
        adapters: Headers of the LoRA adapters of this context.

    Raises:
        KeyError: The file lacks a tensor, or its nextn blocks are not modelled.

    Source:
        llama.cpp b11434, src/llama-context.cpp, sched_reserve(); pinned by
        tests/unit/memory/test_compute_truth.py.
    """

    def peaks(*, is_empty: bool = True, asked: ServerOptions = options) -> Peaks:
        return reserved_peaks(
            model,
            context,
            layout,
            asked,
            has_flash_attention=has_flash_attention,
            build=build,
            is_empty=is_empty,
            adapters=tuple(adapters),
        )

    at_start = peaks()
    if model.architecture in _GROWING and not context.is_nextn:
        sizes = [_growing(*pair) for pair in zip(at_start, peaks(is_empty=False), strict=True)]
    elif may_repack(options, layout):
        apart = peaks(asked=replace(options, op_offload=False))
        sizes = [_between(*pair) for pair in zip(at_start, apart, strict=True)]
    elif is_known(model.architecture, is_nextn=context.is_nextn) and not adapters:
        sizes = [Part.exact(size) for size in at_start]
    else:
        sizes = [_unmeasured(size) for size in at_start]
    if not is_same_build(build, MEASURED_BUILD):
        sizes = [_of_another_build(size) for size in sizes]
    parts = [NOTHING] * len(cards)
    for index, card in enumerate(layout.cards):
        parts[card] = sizes[index]
    return ComputeBuffers(tuple(parts), sizes[-1])


def may_repack(options: ServerOptions, layout: Layout) -> bool:
    """Whether weights on the host may get a layout of the CPU's own, which no card can be sent.

    Which types do depends on the processor: large operations on those stay on the host.

    Source: llama.cpp b11434, src/llama-model.cpp, make_cpu_buft_list().
    """
    if not (options.no_host and options.repack and options.op_offload and layout.cards):
        return False
    return HOST in layout.layers or has_overrides(options)


def _between(one: int, other: int) -> Part:
    """Bytes between two ways of running the same operations."""
    return Part(max(one, other), min(one, other), max(one, other), Basis.ESTIMATED)


def _growing(at_start: int, when_full: int) -> Part:
    """Bytes with every cell taken; the server starts with less."""
    most = max(at_start, when_full)
    return Part(most, at_start, most, Basis.ESTIMATED)


def _of_another_build(part: Part) -> Part:
    """The same bytes with a wider band: what a build that was not measured may change."""
    low, high = _unmeasured(part.low).low, _unmeasured(part.high).high
    return Part(part.bytes, low, high, Basis.ESTIMATED)


def _unmeasured(size: int) -> Part:
    return Part.scaled(size, _UNMEASURED_LOW, UNMEASURED_HIGH, Basis.ESTIMATED)
