"""Compute buffers: what the scheduler reserves for activations, masks and scratch.

llama.cpp builds the graph of its largest batch, gives every operation to a device, and lets an
allocator walk over it; the highest address is the buffer's size. The same is done here with sizes
alone. Repetitions of blocks and most numbers of cells need no walk of their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from packer.domain.basis import Basis
from packer.domain.model import ModelFile
from packer.domain.server_options import ServerOptions
from packer.memory.compute_graphs.registry import is_known
from packer.memory.compute_reservations import reserved_peaks
from packer.memory.layer_split import Layout
from packer.memory.part import NOTHING, Part
from packer.memory.resolution import ResolvedContext
from packer.memory.result import Card

# Nextn blocks that were read but never measured: one block beside an embedding and logits that are
# measured, so their error is that of the block's activations.
_UNMEASURED_LOW, _UNMEASURED_HIGH = 0.8, 1.25


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
) -> ComputeBuffers:
    """Compute buffers of one context on every card and on the host.

    Exact for graphs that were compared with llama.cpp's; estimated for nextn blocks that were not.

    Args:
        model: Header of the model this context runs.
        context: Cells, slots and batches.
        layout: Devices of the layers.
        options: Options of this context; a draft context gets its own.
        cards: Every visible card.
        has_flash_attention: As resolved, not as asked.
        build: llama.cpp build.

    Raises:
        KeyError: The file lacks a tensor, or its nextn blocks are not modelled.

    Source:
        llama.cpp b11434, src/llama-context.cpp, sched_reserve(); pinned by
        tests/unit/memory/test_compute_truth.py.
    """
    peaks = reserved_peaks(
        model, context, layout, options, has_flash_attention=has_flash_attention, build=build
    )
    part = _exact if is_known(model.architecture, is_nextn=context.is_nextn) else _unmeasured
    parts = [NOTHING] * len(cards)
    for index, card in enumerate(layout.cards):
        parts[card] = part(peaks[index])
    return ComputeBuffers(tuple(parts), part(peaks[-1]))


def _exact(size: int) -> Part:
    return Part.exact(size)


def _unmeasured(size: int) -> Part:
    return Part.scaled(size, _UNMEASURED_LOW, _UNMEASURED_HIGH, Basis.ESTIMATED)
