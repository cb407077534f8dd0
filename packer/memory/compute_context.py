"""From a resolved context to what its graphs depend on: backends, batches, homes of weights."""

from collections.abc import Callable, Sequence
from functools import cache

from packer.domain.llama_build import build_number
from packer.domain.model import ModelFile
from packer.domain.server_options import ServerOptions
from packer.memory.compute_graphs.context import Batch, GraphContext
from packer.memory.compute_graphs.graph_weights import tensors_by_name
from packer.memory.flash_attention import transposes_values
from packer.memory.hyperparameters import HyperParameters, read_hyperparameters
from packer.memory.identity_cache import derived_once
from packer.memory.kv_cache import window_cells
from packer.memory.layer_split import HOST, Layout
from packer.memory.resolution import ResolvedContext, pad
from packer.memory.tensor_override import overridden_device, tensor_overrides
from packer.memory.tensor_pattern import pattern_finder
from packer.memory.weights import placed_tensors

_FIRST_BUILD_WITH_FEWER_OUTPUTS = 9500
_EMPTY = 256
_EMBEDDING = "token_embd.weight"
_POOLINGS = ("none", "mean", "cls", "last", "rank")


def prompt_batch(context: ResolvedContext, build: str) -> Batch:
    """The largest batch: tokens rounded up to a whole number per slot.

    Source: llama.cpp b11434, src/llama-context.cpp, sched_reserve() and graph_reserve().
    """
    tokens = min(context.context_cells, context.ubatch_size)
    outputs = tokens if _reserves_every_output(build) else min(tokens, context.outputs_max)
    return Batch(pad(tokens, context.slots), context.slots, outputs)


def _reserves_every_output(build: str) -> bool:
    """Whether a build makes room for the logits of a whole ubatch although it never asks for them.

    Source: llama.cpp pull request 23861 ended that in June 2026, some builds before b9500.
    """
    number = build_number(build)
    return number is not None and number < _FIRST_BUILD_WITH_FEWER_OUTPUTS


def single_batch(context: ResolvedContext) -> Batch:
    """One token per slot."""
    return Batch(context.slots, context.slots, context.slots)


def one_sequence_batch(context: ResolvedContext) -> Batch:
    """The largest batch of one sequence alone."""
    tokens = min(context.context_cells, context.ubatch_size)
    return Batch(tokens, 1, min(tokens, context.outputs_max))


def graph_context(
    model: ModelFile,
    context: ResolvedContext,
    layout: Layout,
    options: ServerOptions,
    *,
    has_flash_attention: bool,
    blocks: Sequence[int] | None = None,
    is_empty: bool = True,
    adapters: Sequence[ModelFile] = (),
) -> GraphContext:
    """Devices and caches of one context, with cards numbered as the scheduler sees them.

    Args:
        model: Header.
        context: Cells, slots and batches.
        layout: Devices of the layers.
        options: Options of this context.
        has_flash_attention: As resolved.
        blocks: Blocks that are built; None builds all.
        is_empty: Whether no slot has tokens yet, as when the server starts.
        adapters: Headers of LoRA adapters.
    """
    sizes = read_hyperparameters(model)
    host = len(layout.cards)
    backend = {card: index for index, card in enumerate(layout.cards)} | {HOST: host}
    layers = tuple(backend[device] for device in layout.layers)
    return GraphContext(
        streams=context.streams,
        cells=context.cells_per_slot,
        window_cells=window_cells(sizes, context),
        type_k=context.type_k,
        type_v=context.type_v,
        has_flash_attention=has_flash_attention,
        transposes_values=(
            transposes_values(options.flash_attention) or sizes.rules.has_no_flash_attention
        ),
        positions=_EMPTY if is_empty else pad(context.cells_per_slot, _EMPTY),
        states=context.slots,
        rollback_depth=context.rollback_depth,
        pooling=pooling(sizes, options),
        host=host,
        layers=layers,
        blocks=tuple(range(sizes.trunk_count)) if blocks is None else tuple(blocks),
        keeps_cache_on_host=not context.is_cache_offloaded,
        is_fully_offloaded=layout.offloaded > sizes.block_count,
        home_of=weight_homes(model, sizes, options, layers, backend),
        reads_nextn="draft-mtp" in options.speculation,
        is_nextn=context.is_nextn,
        adapters=tuple(tensors_by_name(adapter) for adapter in adapters),
    )


def pooling(sizes: HyperParameters, options: ServerOptions) -> str:
    """How embeddings are pooled; empty when logits are returned."""
    if not (options.embedding or options.reranking):
        return ""
    if options.reranking:
        return "rank"
    if options.pooling:
        return options.pooling
    return _POOLINGS[sizes.pooling] if sizes.pooling < len(_POOLINGS) else "none"


def weight_homes(
    model: ModelFile,
    sizes: HyperParameters,
    options: ServerOptions,
    layers: tuple[int, ...],
    backend: dict[int, int],
) -> Callable[[str, int], int]:
    """Backend of a weight by its name and the block that reads it.

    Rope factors lie with the block that reads them; the output layer reads its own copy of the
    embedding.
    """
    patterns = [
        (pattern_finder(pattern), device)
        for pattern, device in tensor_overrides(options, max(backend) + 1)
    ]
    places = _places(model)
    host, output = backend[HOST], sizes.block_count

    @cache
    def home(name: str, layer: int) -> int:
        device = overridden_device(name, patterns)
        if device is not None:
            return backend[device]
        place, is_on_every_device = places[name]
        if is_on_every_device:
            return layers[layer]
        if name == _EMBEDDING and layer == output:
            return layers[-1]
        return host if place == HOST else layers[place]

    return home


@derived_once
def _places(model: ModelFile) -> dict[str, tuple[int, bool]]:
    """Layer of every tensor, and whether each device has a copy of it."""
    sizes = read_hyperparameters(model)
    return {
        tensor.name: (tensor.layer, tensor.is_on_every_device)
        for tensor in reversed(placed_tensors(model, sizes, loads_nextn=True))
    }


def is_pipelined(layout: Layout, options: ServerOptions, context: ResolvedContext) -> bool:
    """Whether several batches are in flight over several cards, so that inputs exist four times.

    Source: llama.cpp b11434, src/llama-context.cpp, llama_context::llama_context().
    """
    return (
        len(layout.cards) > 1
        and layout.offloaded > len(layout.layers) - 1
        and context.is_cache_offloaded
        and not tensor_overrides(options, max(layout.cards, default=0) + 1)
        and options.split_mode.value == "layer"
    )
