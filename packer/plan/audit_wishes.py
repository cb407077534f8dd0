"""What a fleet asks of one replica, held against its command line; part of the audit."""

from collections.abc import Iterator

from packer.domain.demand import PartialOffload
from packer.domain.server_options import ServerOptions
from packer.domain.workload import Variant, Workload
from packer.plan.building import path_in_pod
from packer.plan.plan import Placement
from packer.plan.replica_figures import speculation_of

_FINE = frozenset({"f32", "f16", "bf16", "q8_0"})


def broken_wishes(
    placement: Placement, workload: Workload, options: ServerOptions
) -> Iterator[str]:
    """Every wish of a workload that a command line does not keep, and every lie about it.

    Args:
        placement: The replica.
        workload: What was asked.
        options: What the replica's command line says.
    """
    yield from _wrong_files(placement, workload, options)
    yield from _wrong_caches(placement, workload, options)
    if options.slots != workload.slots and not workload.derives_slots:
        yield f"{options.slots} slots instead of {workload.slots}"
    yield from _wrong_trades(workload, options)
    if _endpoint(options) != _endpoint(workload):
        yield f"it serves {_endpoint(options)} instead of {_endpoint(workload)}"
    most = workload.max_gpus
    if most is not None and len(placement.gpus) > most:
        yield f"{len(placement.gpus)} cards, at most {most} are allowed"
    if options.fit:
        yield "llama.cpp may change sizes by itself; --fit off is missing"


def _endpoint(one: ServerOptions | Workload) -> str:
    """What a server answers; --reranking alone makes it pool too."""
    if one.reranking:
        return "reranking"
    return "embeddings" if one.embedding else "completions"


def variant_of(placement: Placement, workload: Workload) -> Variant | None:
    """The file a placement says it loads; None if the workload does not list it so."""
    stated = placement.variant
    if not 0 <= stated.rank < len(workload.variants):
        return None
    variant = workload.variants[stated.rank]
    known = (variant.quantization, variant.model.origin, variant.mount)
    return variant if known == (stated.quantization, stated.model, stated.mount) else None


def _wrong_files(placement: Placement, workload: Workload, options: ServerOptions) -> Iterator[str]:
    variant = variant_of(placement, workload)
    draft, projector = workload.draft, workload.projector
    if workload.speculations and options.draft is None:
        draft = None
    said = (
        options.model,
        options.draft.model if options.draft else "",
        options.projector or "",
    )
    asked = (
        path_in_pod(variant) if variant else "",
        path_in_pod(draft.variant) if draft else "",
        path_in_pod(projector) if projector else "",
    )
    for real, wanted in zip(said, asked, strict=True):
        if real != wanted:
            yield f"its argv loads {real or 'nothing'} instead of {wanted or 'nothing'}"


def _wrong_caches(
    placement: Placement, workload: Workload, options: ServerOptions
) -> Iterator[str]:
    stated = (placement.variant.cache_type_k, placement.variant.cache_type_v)
    real = (options.cache_type_k, options.cache_type_v)
    if stated != real:
        yield f"the plan says cache types {' and '.join(stated)}, its argv {' and '.join(real)}"
    for cache_type in dict.fromkeys(real):
        if cache_type not in workload.cache_types:
            yield f"cache type {cache_type} is not allowed"
        if workload.is_high_fidelity and cache_type not in _FINE:
            yield f"cache type {cache_type} is too coarse for fidelity: high"


def _wrong_trades(workload: Workload, options: ServerOptions) -> Iterator[str]:
    """Ways to draft, and parts left in the node's memory, that the workload does not allow."""
    allowed = {(one.drafter, one.depth) for one in workload.speculations}
    way = speculation_of(options, workload)
    if allowed and (way.drafter, way.depth) not in allowed:
        yield f"it drafts by {way}, which is not allowed"
    offload = workload.partial_offload
    if options.cpu_moe_layers and offload is PartialOffload.NONE:
        yield "experts are left in the node's memory, which is not allowed"
    every = min(variant.model.number("block_count") for variant in workload.variants) + 1
    layers = every if options.gpu_layers is None else options.gpu_layers
    if layers < every and offload is not PartialOffload.LAYERS:
        yield "layers are left in the node's memory, which is not allowed"
