"""Reservations of contexts, remembered: equal graphs of any context share their peaks."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field

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
from packer.memory.compute_peaks import Occasion, Reservation, ReservedPeaks
from packer.memory.compute_program import Peaks
from packer.memory.hyperparameters import HyperParameters, read_hyperparameters
from packer.memory.identity_cache import derived_once
from packer.memory.kv_cache import window_cells
from packer.memory.layer_split import HOST, Layout
from packer.memory.resolution import ResolvedContext
from packer.memory.tensor_override import has_overrides

_REPETITIONS = (2, 3, 6, None)
_MOST_RESERVATIONS = 1024
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
    known, key = _known(model).choices, asked.key
    choices = known.get(key)
    if choices is None:
        if len(known) >= _MOST_RESERVATIONS:
            known.clear()
        choices = known[key] = _Choices(asked)
    return choices.peaks(asked.occasions)


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
    def has_window(self) -> bool:
        """Whether sliding-window layers have cells of their own."""
        return window_cells(self.sizes, self.context) != self.context.cells_per_slot

    @property
    def occasions(self) -> tuple[Occasion, ...]:
        """Every graph that can decide a buffer."""
        cells, slots = self.context.cells_per_slot, self.context.slots
        window = window_cells(self.sizes, self.context)
        return tuple(Occasion(batch, cells, window, slots) for batch in self._batches)

    @property
    def _batches(self) -> tuple[Batch, ...]:
        """Batches whose graphs can decide a buffer."""
        prompt = prompt_batch(self.context, self.build)
        if self.model.architecture in _LONG_SEQUENCES:
            return (prompt, one_sequence_batch(self.context), single_batch(self.context))
        is_on_cards = HOST not in self.layout.layers and not has_overrides(self.options)
        if is_on_cards and prompt.tokens >= _PROMPT_DOMINATES * self.context.slots:
            return (prompt,)
        return (prompt, single_batch(self.context))

    @property
    def key(self) -> tuple[Hashable, ...]:
        """Equal for questions that differ in cells, slots and batches alone."""
        context, options = self.context, self.options
        return (
            self.layout,
            context.streams == 1,
            context.type_k.ggml_id,
            context.type_v.ggml_id,
            context.rollback_depth,
            context.is_cache_offloaded,
            context.is_nextn,
            self.has_window,
            self.has_flash_attention,
            options.flash_attention is FlashAttention.OFF,
            options.op_offload,
            options.split_mode,
            (options.embedding, options.reranking, options.pooling),
            (options.override_tensors, options.cpu_moe),
            (options.cpu_moe_layers, options.cpu_ffn_layers),
            self.is_empty,
            tuple(_shapes(adapter) for adapter in self.adapters),
            "draft-mtp" in options.speculation,
        )


@derived_once
def _shapes(adapter: ModelFile) -> tuple[Hashable, ...]:
    """What of an adapter decides a graph."""
    return tuple((tensor.name, tensor.shape, tensor.type.ggml_id) for tensor in adapter.tensors)


class _Choices:
    """Choices of blocks for one question, those with fewest blocks first."""

    def __init__(self, asked: _Asked) -> None:
        self._asked = asked
        is_short = asked.context.is_nextn or asked.sizes.architecture in _UNREPEATED
        self._needs_all = is_short or bool(asked.adapters)
        self._reserved: dict[int, ReservedPeaks] = {}

    def peaks(self, occasions: tuple[Occasion, ...]) -> Peaks:
        """Bytes every backend reserves for the largest of some graphs."""
        last, enough = len(_REPETITIONS) - 1, _known(self._asked.model).enough
        devices = (len(self._asked.layout.cards), HOST in self._asked.layout.layers)
        likely = _likely(enough, devices, last)
        for index in range(last if self._needs_all else likely, last + 1):
            if index not in self._reserved:
                self._reserved[index] = _reserved(self._asked, _REPETITIONS[index])
            found = self._reserved[index].of(occasions)
            if found is not None:
                if not self._needs_all:
                    enough[devices] = index
                return found
        raise AssertionError("a graph with every block is always settled")


def _likely(enough: dict[tuple[int, bool], int], devices: tuple[int, bool], last: int) -> int:
    """Repetitions to begin with: those that were enough for these devices, else for others.

    Where others needed every block, these begin anew: that is dear, and often not needed.
    """
    found = enough.get(devices)
    if found is None:
        found = next(iter(enough.values()), 0)
        return 0 if found == last else found
    return found


@dataclass
class _Known:
    """What was found out about one model.

    Attributes:
        choices: Choices of blocks by what was asked.
        enough: Which of the repetitions were enough for the last question of as many cards, and
            with or without layers on the host; the next is likely to need as many.
    """

    choices: dict[Hashable, _Choices] = field(default_factory=dict)
    enough: dict[tuple[int, bool], int] = field(default_factory=dict)


@derived_once
def _known(model: ModelFile) -> _Known:
    """Everything found out about a model."""
    return _Known()


_shared: OrderedDict[Hashable, ReservedPeaks] = OrderedDict()


def _reserved(asked: _Asked, repetitions: int | None) -> ReservedPeaks:
    """Peaks for a question and a choice of blocks, shared by questions of equal graphs."""
    model, options, layout = asked.model, asked.options, asked.layout
    context = graph_context(
        model,
        asked.context,
        layout,
        options,
        has_flash_attention=asked.has_flash_attention,
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
        choice=choice,
        is_pipelined=is_pipelined(layout, options, asked.context),
        offloads_operations=options.op_offload,
        is_unified=asked.context.streams == 1,
        has_window=asked.has_window,
        is_empty=asked.is_empty,
    )
    by_type = types_count(context.layers, context.host, has_overrides=overrides)
    key = (*_graph_key(asked, choice, by_type), context.layers[0], context.layers[-1])
    found = _shared.get(key)
    if found is None:
        found = _shared[key] = ReservedPeaks(reservation)
        if len(_shared) > _MOST_RESERVATIONS:
            _shared.popitem(last=False)
    return found


def _graph_key(asked: _Asked, choice: BlockChoice, by_type: bool) -> tuple[Hashable, ...]:
    """Equal where graphs are equal, whatever the file and the exact split are."""
    kinds = block_kinds(asked.model)
    return (
        kinds.type_print if by_type else kinds.shape_print,
        choice.marks,
        choice.repeats,
        len(asked.layout.cards),
        asked.layout.offloaded > asked.sizes.block_count,
        *asked.key[1:],
    )
