"""Reservations of contexts, remembered: equal graphs of any context share one curve of peaks."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

from packer.domain.model import ModelFile
from packer.domain.server_options import FlashAttention, ServerOptions
from packer.memory.compute_blocks import (
    BlockChoice,
    block_kinds,
    choose_blocks,
    types_count,
)
from packer.memory.compute_context import (
    graph_context,
    is_pipelined,
    one_sequence_batch,
    prompt_batch,
    single_batch,
)
from packer.memory.compute_graphs.context import Batch
from packer.memory.compute_peaks import PeakCurve, Peaks, Reservation
from packer.memory.hyperparameters import HyperParameters, read_hyperparameters
from packer.memory.identity_cache import derived_once
from packer.memory.kv_cache import window_cells
from packer.memory.layer_split import HOST, Layout
from packer.memory.resolution import ResolvedContext
from packer.memory.tensor_override import has_overrides

_REPETITIONS = (3, 6, None)
_MOST_CURVES = 1024
# From this ratio on the batch of one token per slot never needs more than the prompt's.
_PROMPT_DOMINATES = 8
# Their inputs grow with the square of one sequence's tokens, so one sequence needs most.
_LONG_SEQUENCES = frozenset({"kimi-linear", "minimax-01"})
# Here every block leaves something behind, so none can be left out.
_UNREPEATED = frozenset({"deepseek32", "gemma3n", "gemma4", "glm-dsa", "kimi-k3"})


def reserved_peaks(
    model: ModelFile,
    context: ResolvedContext,
    layout: Layout,
    options: ServerOptions,
    *,
    has_flash_attention: bool,
    build: str,
    is_empty: bool = True,
    adapters: tuple[ModelFile, ...] = (),
) -> Peaks:
    """Bytes every backend reserves: the layout's cards in order, then the host.

    Args:
        model: Header.
        context: Cells, slots and batches.
        layout: Devices of the layers.
        options: Options of this context.
        has_flash_attention: As resolved.
        build: llama.cpp build.
        is_empty: Whether no slot has tokens yet, as when the server starts.
        adapters: Headers of LoRA adapters.

    Raises:
        KeyError: The file lacks a tensor, or its nextn blocks are not modelled.
    """
    asked = _Asked(model, context, layout, options, has_flash_attention, build, is_empty, adapters)
    known = _known(model)
    key = asked.key
    curves = known.get(key)
    if curves is None:
        curves = known[key] = _Curves(asked)
    return curves.at(context.cells_per_slot)


@derived_once
def _known(model: ModelFile) -> dict[Hashable, "_Curves"]:
    """Curves of one model by what was asked."""
    return {}


@dataclass(frozen=True)
class _Asked:
    """One question, with all that decides its graphs."""

    model: ModelFile
    context: ResolvedContext
    layout: Layout
    options: ServerOptions
    has_flash_attention: bool
    build: str
    is_empty: bool
    adapters: tuple[ModelFile, ...]

    @property
    def sizes(self) -> HyperParameters:
        """Hyper-parameters of the model."""
        return read_hyperparameters(self.model)

    @property
    def window(self) -> int | None:
        """Cells of sliding-window layers; None when they follow the others."""
        cells = window_cells(self.sizes, self.context)
        return None if cells == self.context.cells_per_slot else cells

    @property
    def _picked_cells(self) -> int:
        """Cells an indexer picks: as many as there are, up to its limit."""
        prefix = f"{self.model.architecture}.attention.indexer"
        limit = self.model.metadata.get(f"{prefix}.top_k", 0)
        block = self.model.metadata.get(f"{prefix}.block_size", 1)
        if not isinstance(limit, int) or not isinstance(block, int):
            return 0
        return min(self.context.cells_per_slot, limit * max(1, block))

    @property
    def batches(self) -> tuple[Batch, ...]:
        """Batches whose graphs can decide a buffer."""
        prompt = prompt_batch(self.context, self.build)
        if self.model.architecture in _LONG_SEQUENCES:
            return (prompt, one_sequence_batch(self.context), single_batch(self.context))
        is_on_cards = HOST not in self.layout.layers and not has_overrides(self.options)
        if is_on_cards and prompt.tokens >= _PROMPT_DOMINATES * self.context.slots:
            return (prompt,)
        return (prompt, single_batch(self.context))

    @property
    def key(self) -> Hashable:
        """Equal for questions that differ in cells alone."""
        context, options = self.context, self.options
        return (
            self.layout,
            prompt_batch(context, self.build),
            context.streams,
            context.type_k.ggml_id,
            context.type_v.ggml_id,
            context.rollback_depth,
            context.is_cache_offloaded,
            context.is_nextn,
            self.window,
            self.has_flash_attention,
            options.flash_attention is FlashAttention.OFF,
            options.op_offload,
            options.split_mode,
            (options.embedding, options.reranking, options.pooling),
            (options.override_tensors, options.cpu_moe),
            (options.cpu_moe_layers, options.cpu_ffn_layers),
            self._picked_cells,
            self.is_empty,
            tuple(_shapes(adapter) for adapter in self.adapters),
            "draft-mtp" in options.speculation,
        )


@derived_once
def _shapes(adapter: ModelFile) -> tuple[Hashable, ...]:
    """What of an adapter decides a graph."""
    return tuple((tensor.name, tensor.shape, tensor.type.ggml_id) for tensor in adapter.tensors)


class _Curves:
    """Curves that answer one question, the one with fewest blocks first."""

    def __init__(self, asked: _Asked) -> None:
        self._asked = asked
        sizes = asked.sizes
        is_short = asked.context.is_nextn or sizes.architecture in _UNREPEATED
        is_short = is_short or bool(asked.adapters)
        self._repetitions = _REPETITIONS[-1:] if is_short else _REPETITIONS
        self._curves: list[PeakCurve] = []

    def at(self, cells: int) -> Peaks:
        """Bytes every backend reserves at a number of cells."""
        for index, repetitions in enumerate(self._repetitions):
            if index == len(self._curves):
                self._curves.append(_curve(self._asked, repetitions))
            peaks = self._curves[index].at(cells)
            if peaks is not None:
                return peaks
        raise AssertionError("a graph with every block is always settled")


_shared: OrderedDict[Hashable, PeakCurve] = OrderedDict()


def _curve(asked: _Asked, repetitions: int | None) -> PeakCurve:
    """The curve for a question and a choice of blocks, shared by questions of equal graphs."""
    model, options, layout = asked.model, asked.options, asked.layout
    context = graph_context(
        model,
        asked.context,
        layout,
        options,
        has_flash_attention=asked.has_flash_attention,
        is_empty=asked.is_empty,
        adapters=asked.adapters,
    )
    overrides = has_overrides(options)
    choice = choose_blocks(
        model,
        context.layers,
        context.host,
        context.home_of,
        has_overrides=overrides,
        repetitions=repetitions,
    )
    reservation = Reservation(
        model=model,
        sizes=asked.sizes,
        context=context,
        batches=asked.batches,
        choice=choice,
        is_pipelined=is_pipelined(layout, options, asked.context),
        offloads_operations=options.op_offload,
        window_cells=asked.window,
        is_empty=asked.is_empty,
    )
    by_type = types_count(context.layers, context.host, has_overrides=overrides)
    key = (*_graph_key(asked, choice, by_type), context.layers[-1], context.layers[0])
    curve = _shared.get(key)
    if curve is None:
        curve = _shared[key] = PeakCurve(reservation)
        if len(_shared) > _MOST_CURVES:
            _shared.popitem(last=False)
    return curve


def _graph_key(asked: _Asked, choice: BlockChoice, by_type: bool) -> tuple[Hashable, ...]:
    """Equal where graphs are equal, whatever the file and the exact split are."""
    kinds = block_kinds(asked.model)
    _, *rest = asked.key if isinstance(asked.key, tuple) else (asked.key,)
    offloaded = asked.layout.offloaded > asked.sizes.block_count
    return (
        kinds.type_print if by_type else kinds.shape_print,
        choice.marks,
        choice.repeats,
        len(asked.layout.cards),
        offloaded,
        *rest,
    )
