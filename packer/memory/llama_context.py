"""One llama_context with the model under it: where everything of it lies."""

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from packer.domain.model import ModelFile
from packer.domain.server_options import ServerOptions
from packer.errors import InvalidModelFile, Location, Problem, UnsupportedModel
from packer.memory.compute_buffer import ComputeBuffers, compute_buffers
from packer.memory.compute_graphs.registry import is_known
from packer.memory.context_checks import (
    check_cache_buffers,
    check_context,
    check_weight_devices,
)
from packer.memory.draft_model import drafts_with_nextn
from packer.memory.flash_attention import transposes_values
from packer.memory.flash_attention_choice import uses_flash_attention
from packer.memory.graph_size import check_graph_size
from packer.memory.hyperparameters import HyperParameters
from packer.memory.identity_cache import derived_once
from packer.memory.kv_cache import kv_cache_bytes
from packer.memory.layer_split import Layout, dividing_shares, model_layout
from packer.memory.recurrent_state import recurrent_state_bytes
from packer.memory.resolution import ResolvedContext
from packer.memory.result import Card
from packer.memory.tensor_override import tensor_overrides
from packer.memory.weights import weight_bytes

_MOST_CONTEXTS = 1024


@dataclass(frozen=True)
class PlacedContext:
    """Exact bytes of one context by device; -1 is the host.

    Attributes:
        weights: Of the model under it; empty when another context already holds them.
        cache: Key/value cache and recurrent state.
    """

    layout: Layout
    has_flash_attention: bool
    weights: dict[int, int]
    cache: dict[int, int]


@dataclass(frozen=True)
class ContextMemory(PlacedContext):
    """Bytes of one context by device, compute buffers with their bands among them."""

    compute: ComputeBuffers


def place_context(
    model: ModelFile,
    sizes: HyperParameters,
    context: ResolvedContext,
    options: ServerOptions,
    cards: Sequence[Card],
    *,
    is_own_model: bool = True,
) -> PlacedContext:
    """Where weights, cache and state of one context lie. Exact.

    Args:
        model: Header of the model.
        sizes: Its hyper-parameters.
        context: The context as resolved.
        options: Options as this context sees them.
        cards: Every visible card.
        is_own_model: Whether the weights belong to this context.

    Raises:
        InvalidInput: llama.cpp would refuse the context.
        InvalidModelFile: The file lacks a tensor that llama.cpp reads.
        UnsupportedModel: The split mode is not modelled.
    """
    check_context(sizes, context, options)
    layout = model_layout(sizes.block_count, options, cards)
    weights: dict[int, int] = {}
    if is_own_model:
        overrides = tensor_overrides(options, len(cards))
        weights = weight_bytes(model, layout.layers, overrides, drafts_with_nextn(options))
        check_weight_devices(weights, layout.cards)
    attention = kv_cache_bytes(
        sizes, context, layout.layers, not transposes_values(options.flash_attention)
    )
    check_cache_buffers(attention)
    cache = Counter(attention)
    cache.update(recurrent_state_bytes(sizes, context, layout.layers))
    with _missing_tensors_named(model, is_nextn=context.is_nextn):
        has_flash_attention = uses_flash_attention(model, sizes, context, layout, options)
        check_graph_size(
            model, sizes, context, layout, options, has_flash_attention=has_flash_attention
        )
    return PlacedContext(layout, has_flash_attention, weights, dict(cache))


def context_memory(
    model: ModelFile,
    sizes: HyperParameters,
    context: ResolvedContext,
    options: ServerOptions,
    cards: Sequence[Card],
    *,
    build: str,
    is_own_model: bool = True,
    adapters: Sequence[ModelFile] = (),
) -> ContextMemory:
    """Everything one context takes, remembered; arguments as for ``place_context``.

    Args:
        model: Header of the model.
        sizes: Its hyper-parameters.
        context: The context as resolved.
        options: Options as this context sees them.
        cards: Every visible card.
        build: llama.cpp build of the server.
        is_own_model: Whether the weights belong to this context.
        adapters: Headers of the LoRA adapters it applies.
    """

    def sized() -> ContextMemory:
        placed = place_context(model, sizes, context, options, cards, is_own_model=is_own_model)
        with _missing_tensors_named(model, is_nextn=context.is_nextn):
            compute = compute_buffers(
                model,
                context,
                placed.layout,
                options,
                cards,
                has_flash_attention=placed.has_flash_attention,
                build=build,
                adapters=adapters,
            )
        return ContextMemory(
            placed.layout, placed.has_flash_attention, placed.weights, placed.cache, compute
        )

    if adapters:
        return sized()
    known = _known_contexts(model)
    key = (context, options, dividing_shares(options, cards), len(cards), build, is_own_model)
    found = known.get(key)
    if found is None:
        if len(known) >= _MOST_CONTEXTS:
            known.clear()
        found = known[key] = sized()
    return found


@derived_once
def _known_contexts(_: ModelFile) -> dict[Hashable, ContextMemory]:
    """Contexts of one file that were sized so far: products of cards differ in none of this."""
    return {}


@contextmanager
def _missing_tensors_named(model: ModelFile, *, is_nextn: bool) -> Iterator[None]:
    """Turn a graph's failed look-up of a tensor into an error about the file or about ourselves."""
    try:
        yield
    except KeyError as error:
        if not is_known(model.architecture, is_nextn=is_nextn):
            raise UnsupportedModel(
                Problem(
                    code="P0501",
                    title=f"the graph of architecture {model.architecture!r} is not modelled",
                    why="its tensors do not look like those of any graph that is",
                    help="ask `llama-fit-params` of the server's own build",
                )
            ) from error
        raise InvalidModelFile(
            Problem(
                code="P0514",
                title=f"tensor {error.args[0]} is missing",
                where=Location(model.origin or model.name),
                why=f"llama.cpp cannot build the graph of a {model.architecture} model without it",
                help="download or convert the file again",
            )
        ) from error
