"""Values of one workload that are fine alone but not together."""

from collections.abc import Callable, Iterator, Sequence

from packer.domain.model import ModelFile
from packer.domain.quantization import ELEMENT_TYPES_BY_NAME
from packer.domain.workload import Workload
from packer.errors import Problem
from packer.spec.workload_options import OptionsInFile

MOST_CELLS = 2**31 - 1
"""Cells of all slots together must fit llama.cpp's 32-bit count."""


def workload_problems(workload: Workload, options: OptionsInFile) -> list[Problem]:
    """What is wrong with one workload, its models being known."""
    return [problem for check in _CHECKS for problem in check(workload, options)]


def _context(workload: Workload, options: OptionsInFile) -> Iterator[Problem]:
    context = workload.context_per_slot
    limits = (_trained_context(variant.model) for variant in workload.variants)
    limit = min((known for known in limits if known), default=context)
    where = options.where("context")
    if context > limit:
        title = f"{workload.name}: context {context} is over the model's limit"
        why = f"{workload.model} was trained for {limit} tokens"
        yield Problem("P0205", title, where, why, f"write context: {limit} or less")
    cells = context * workload.slots
    if cells > MOST_CELLS:
        title = f"{workload.name}: the KV cache has too many cells"
        why = f"{workload.slots} slots × {context} tokens are {cells} cells, over {MOST_CELLS}"
        yield Problem("P0217", title, where, why, "lower context or slots")


def _trained_context(model: ModelFile) -> int | None:
    try:
        return model.context_length
    except KeyError:
        return None


def _quantized_cache(workload: Workload, options: OptionsInFile) -> Iterator[Problem]:
    if workload.flash_attention != "off":
        return
    places = [
        (name, "cacheTypes: [f16]", options.where("cache_types", index))
        for index, name in enumerate(workload.cache_types)
    ]
    if workload.draft is not None:
        where = options.where("draft", "cacheType")
        places.append((workload.draft.cache_type, "cacheType: f16", where))
    for name, instead, where in places:
        if ELEMENT_TYPES_BY_NAME[name].is_quantized:
            title = "a quantized V cache needs flash attention"
            why = f"{name} is quantized and flashAttention is off"
            help_ = f"write flashAttention: on, or {instead}"
            yield Problem("P0204", title, where, why, help_)


def _repeated_items(workload: Workload, options: OptionsInFile) -> Iterator[Problem]:
    quantizations = options.entry.quantizations or ()
    for key, items in (("quantizations", quantizations), ("cache_types", workload.cache_types)):
        for index in repeated([item.casefold() for item in items]):
            title = f"{items[index]} is listed twice"
            why = "the list is an order of preference"
            yield Problem("P0209", title, options.where(key, index), why, "keep the first")


def repeated(items: Sequence[str]) -> list[int]:
    """Indices of items that came before."""
    seen: set[str] = set()
    again: list[int] = []
    for index, item in enumerate(items):
        again += [index] if item in seen else []
        seen.add(item)
    return again


def _endpoints(workload: Workload, options: OptionsInFile) -> Iterator[Problem]:
    if workload.embedding and workload.reranking:
        title = f"{workload.name}: one server cannot embed and rerank"
        why = "reranking pools by rank, embeddings do not"
        where = options.where("reranking")
        yield Problem("P0230", title, where, why, "make it two workloads")


def _replicas(workload: Workload, options: OptionsInFile) -> Iterator[Problem]:
    least = workload.min_available
    if least is not None and least > workload.replicas and not workload.derives_replicas:
        title = f"{workload.name}: minAvailable is more than there are replicas"
        why = f"{least} of {workload.replicas}"
        help_ = f"write at most minAvailable: {workload.replicas}"
        yield Problem("P0213", title, options.where("min_available"), why, help_)


def _batches(workload: Workload, options: OptionsInFile) -> Iterator[Problem]:
    if workload.ubatch_size > workload.batch_size:
        title = f"{workload.name}: ubatchSize is larger than batchSize"
        why = f"llama.cpp would cut {workload.ubatch_size} to {workload.batch_size}"
        key = "batch_size" if options.entry.ubatch_size is None else "ubatch_size"
        where = options.where(key)
        yield Problem("P0214", title, where, why, f"write ubatchSize: {workload.batch_size}")


def _gpus(workload: Workload, options: OptionsInFile) -> Iterator[Problem]:
    left = set(workload.allowed_gpus) - set(workload.refused_gpus)
    if workload.allowed_gpus and not left:
        title = f"{workload.name}: every allowed GPU is refused"
        why = f"nothing is left of {', '.join(workload.allowed_gpus)}"
        yield Problem("P0215", title, options.where("gpus"), why, "drop one of the two lists")


_CHECKS: tuple[Callable[[Workload, OptionsInFile], Iterator[Problem]], ...] = (
    _context,
    _quantized_cache,
    _repeated_items,
    _endpoints,
    _replicas,
    _batches,
    _gpus,
)
