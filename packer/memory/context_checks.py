"""What llama.cpp refuses when it creates a context, found before it is tried."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from packer.domain.quantization import ElementType
from packer.domain.server_options import FlashAttention, ServerOptions
from packer.errors import InvalidInput, Problem
from packer.memory.compute_context import pooling
from packer.memory.hyperparameters import HyperParameters
from packer.memory.identity_cache import derived_once
from packer.memory.layer_split import HOST
from packer.memory.resolution import ResolvedContext

_MOST_SLOTS = 256  # LLAMA_MAX_SEQ


def check_context(model: HyperParameters, context: ResolvedContext, options: ServerOptions) -> None:
    """Refuse what llama.cpp would refuse.

    Raises:
        InvalidInput: Every reason at once.

    Source: llama.cpp b11434, src/llama-context.cpp, llama_init_from_model() and graph_reserve().
    """
    problems = tuple(_problems(model, context, options))
    if problems:
        raise InvalidInput(problems)


def check_cache_buffers(cache: Mapping[int, int]) -> None:
    """Refuse a device whose cached layers take no byte: llama.cpp cannot create an empty buffer.

    Raises:
        InvalidInput: A device only holds layers without attention of a model that has both.

    Source: llama.cpp b11434, src/llama-kv-cache.cpp, "failed to allocate buffer for kv cache".
    """
    empty = [device for device, size in cache.items() if size == 0]
    if empty and any(cache.values()):
        name = "the host" if empty[0] == HOST else f"card {empty[0]}"
        raise InvalidInput(
            Problem(
                code="P0511",
                title=f"{name} would only hold layers without attention",
                why="llama.cpp cannot create an empty cache there and stops",
                help="use another --tensor-split or --gpu-layers",
            )
        )


def _pooling_problems(
    model: HyperParameters, context: ResolvedContext, options: ServerOptions
) -> Iterator[Problem]:
    """A batch is rounded up to a whole number per slot, the rows that are pooled are not."""
    tokens = min(context.context_cells, context.ubatch_size)
    if tokens % context.slots and pooling(model, options) == "mean":
        most = max(context.slots, tokens - tokens % context.slots)
        yield Problem(
            code="P0518",
            title=f"{context.slots} slots cannot share a batch of {tokens} tokens",
            why="with mean pooling llama.cpp aborts when it starts unless the slots divide it",
            help=f"use --ubatch-size {most}, or other slots",
        )


def _problems(
    model: HyperParameters, context: ResolvedContext, options: ServerOptions
) -> Iterator[Problem]:
    if context.slots > _MOST_SLOTS:
        yield Problem(
            code="P0506",
            title=f"--parallel {context.slots} is more than {_MOST_SLOTS} slots",
            help=f"use at most {_MOST_SLOTS}",
        )
    if context.outputs_max < context.slots:
        yield Problem(
            code="P0517",
            title=f"a batch of {context.outputs_max} tokens cannot serve {context.slots} slots",
            why="llama.cpp aborts when it starts",
            help=f"raise --batch-size (with --embedding also --ubatch-size) to {context.slots}",
        )
    yield from _pooling_problems(model, context, options)
    if model.is_mla and context.type_k is not context.type_v:
        yield Problem(
            code="P0507",
            title=f"{model.architecture} has one cache for keys and values",
            why=f"K is {context.type_k.name} but V is {context.type_v.name}",
            help="give --cache-type-k and --cache-type-v the same type",
        )
    if options.flash_attention is FlashAttention.OFF or model.rules.has_no_flash_attention:
        if context.type_v.is_quantized:
            yield Problem(
                code="P0509",
                title=f"a {context.type_v.name} V cache needs flash attention",
                why="and it is off: by --flash-attn off, or because the model has none",
                help="use --flash-attn on, or --cache-type-v f16",
            )
        return
    for letter, element, sizes in zip(
        "KV", (context.type_k, context.type_v), _head_sizes(model), strict=True
    ):
        broken = _first_broken(element, sizes)
        if broken:
            yield Problem(
                code="P0507",
                title=f"a {letter} head of {broken} elements cannot be {element.name}",
                why=f"{element.name} packs {element.block_elements} elements in a block",
                help="use f16 for this model's cache",
            )


@derived_once
def _head_sizes(model: HyperParameters) -> tuple[frozenset[int], frozenset[int]]:
    """Different sizes of key and of value heads."""
    trunk = model.trunk_count
    return frozenset(model.head_k[:trunk]), frozenset(model.head_v[:trunk])


def _first_broken(element: ElementType, heads: Iterable[int]) -> int:
    """Smallest head size that is not whole blocks, 0 if all are."""
    return min((head for head in heads if head % element.block_elements), default=0)


def check_weight_devices(devices: Iterable[int], used: Sequence[int]) -> None:
    """Refuse weights on a card that the model does not compute on.

    Args:
        devices: Devices that hold weights; the host is -1.
        used: Cards the model uses.

    Raises:
        InvalidInput: llama.cpp would abort: nothing can run the operations that read them.

    Source: llama.cpp b11434, ggml/src/ggml-backend.cpp, ggml_backend_sched_backend_id_from_cur().
    """
    stray = sorted(set(devices) - {HOST, *used})
    if stray:
        raise InvalidInput(
            Problem(
                code="P0519",
                title=f"--override-tensor names CUDA{stray[0]}, which the model does not use",
                why="nothing there can run what reads those weights, and llama.cpp aborts",
                help="name a card that --device and --split-mode leave to the model, or CPU",
            )
        )
