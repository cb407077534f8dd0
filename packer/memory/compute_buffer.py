"""Compute buffers: what the scheduler reserves for activations, masks and scratch.

First version, with the closed forms of single-card and layer-split transformers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from packer.domain.basis import Basis
from packer.domain.model import ModelFile
from packer.domain.server_options import ServerOptions
from packer.memory.hyperparameters import HyperParameters, read_hyperparameters
from packer.memory.kv_cache import window_cells
from packer.memory.layer_split import HOST, Layout
from packer.memory.part import NOTHING, Part
from packer.memory.resolution import ResolvedContext, pad
from packer.memory.result import Card
from packer.units import MIB


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
    """Compute buffers of one context on every card and on the host. Calibrated.

    Args:
        model: Header of the model this context runs.
        context: Cells, slots and batches.
        layout: Devices of the layers.
        options: Options of this context; a draft context gets its own.
        cards: Every visible card.
        has_flash_attention: As resolved, not as asked.
        build: llama.cpp build.

    Source: llama.cpp b11434, src/llama-context.cpp, sched_reserve(); fitted to allocator rows.
    """
    sizes = read_hyperparameters(model)
    tokens = pad(min(context.context_cells, context.ubatch_size), context.slots)
    masks = _masks(sizes, context, tokens, has_flash_attention)
    line = 4 * tokens
    activations = line * _widest(sizes)
    used = sorted(set(layout.layers) - {HOST})
    is_pipelined = len(layout.cards) > 1 and layout.is_all_offloaded
    parts = [NOTHING] * len(cards)
    for position, card in enumerate(used):
        size = masks + activations
        if is_pipelined:
            extra = 12 * sizes.embedding if position == 0 else 3 * sizes.embedding
            size = 4 * masks + activations + line * extra
        parts[card] = Part.scaled(size, 0.9, 1.3, Basis.ESTIMATED)
    host = masks * (4 if is_pipelined else 1) + 4 * line * sizes.embedding + 16 * MIB
    return ComputeBuffers(tuple(parts), Part.scaled(host, 0.5, 1.5, Basis.ESTIMATED))


def _masks(
    sizes: HyperParameters, context: ResolvedContext, tokens: int, has_flash_attention: bool
) -> int:
    """Attention masks of dense and of sliding-window layers [bytes]."""
    width = 2 if has_flash_attention else 4
    masks = width * tokens * context.cells_per_slot
    if any(sizes.window_layers):
        masks += width * tokens * window_cells(sizes, context)
    return masks


def _widest(sizes: HyperParameters) -> int:
    """Elements per token alive at the widest point of the graph."""
    embedding = sizes.embedding
    if not sizes.experts:
        return 4 * embedding + 3 * max(sizes.feed_forward)
    used, width = sizes.experts_used, max(sizes.expert_feed_forward)
    return max(5 * embedding + 2 * used * embedding, 4 * embedding + 3 * used * width)
