"""Wishes about speed, quality and memory that are fine alone but not together, or not at all."""

from collections.abc import Callable, Iterator, Sequence

from packer.domain.demand import CachePool
from packer.domain.gpu import GpuProduct
from packer.domain.speculation import Drafter
from packer.domain.workload import Workload
from packer.errors import Problem
from packer.performance.physical_limit import PhysicalLimit, highest_limit
from packer.solver.quality import allowed_cache_types, allowed_variants
from packer.spec.demand_reading import has_nextn
from packer.spec.workload_options import OptionsInFile


def demand_problems(
    workload: Workload, options: OptionsInFile, products: Sequence[GpuProduct]
) -> list[Problem]:
    """What is wrong with one workload's wishes.

    Args:
        workload: The workload with its wishes.
        options: Where they were written.
        products: GPUs of the inventory; without any, limits of physics are not looked at.
    """
    problems = [problem for check in _CHECKS for problem in check(workload, options)]
    return [*problems, *_beyond_physics(workload, options, products)]


def _pool(workload: Workload, options: OptionsInFile) -> Iterator[Problem]:
    if workload.cache_pool is CachePool.SHARED and options.entry.demand is None:
        title = f"{workload.name}: a shared KV cache is sized for a demand"
        why = "nobody says how many tokens are in flight"
        help_ = "add demand:, or write kvUnified: true for slots × context cells"
        yield Problem("P1107", title, options.where("kv"), why, help_)


def _quality(workload: Workload, options: OptionsInFile) -> Iterator[Problem]:
    if not allowed_cache_types(workload):
        title = f"{workload.name}: fidelity high leaves no cache type"
        why = "only f32, f16, bf16 and q8_0 are fine enough"
        where = options.where("cache_types")
        yield Problem("P1109", title, where, why, "add q8_0 to cacheTypes")
    if workload.variants and not allowed_variants(workload):
        title = f"{workload.name}: minBitsPerWeight leaves no quantization"
        most = max(_bits(workload))
        why = f"the finest has {most:.2f} bits per weight"
        where = options.where("min_bits_per_weight")
        yield Problem("P1109", title, where, why, f"write at most {most:.2f}")


def _bits(workload: Workload) -> list[float]:
    return [variant.bits_per_weight for variant in workload.variants]


def _drafters(workload: Workload, options: OptionsInFile) -> Iterator[Problem]:
    """What a workload itself asks for by name must be there; ``defaults`` ask whom they can."""
    entry = options.entry.speculation
    own = ("workloads", options.index, "speculation", "allow")
    if entry is None or not options.document.has(*own):
        return
    for place, name in enumerate(entry.allow):
        where = options.document.where(*own, place)
        if Drafter(name) is Drafter.DRAFT and workload.draft is None:
            help_ = "add draft: {model: …}, or drop draft"
            yield Problem("P1111", "there is no draft model", where, "draft: is missing", help_)
        if Drafter(name) is Drafter.MTP and workload.variants and not has_nextn(workload):
            why = f"{workload.model} has no nextn blocks"
            help_ = "use a file converted with them, or drop mtp"
            yield Problem("P1111", "the file cannot predict several tokens", where, why, help_)


def _goals(workload: Workload, options: OptionsInFile) -> Iterator[Problem]:
    if workload.goals.first_token_p95_seconds is not None and options.entry.demand is None:
        title = f"{workload.name}: the wait for a first token depends on the demand"
        where = options.where("goals", "firstTokenSeconds")
        why = "nobody says how many requests of which length come"
        yield Problem("P1112", title, where, why, "add demand:")


def _pooled(workload: Workload, options: OptionsInFile) -> Iterator[Problem]:
    if not (workload.embedding or workload.reranking):
        return
    for key in ("demand", "goals", "speculation", "kv"):
        if getattr(options.entry, key) is not None:
            title = f"{workload.name}: {key} is for servers that generate"
            why = "embeddings and reranking have no decode steps"
            yield Problem("P1113", title, options.where(key), why, "state slots and replicas")


def _beyond_physics(
    workload: Workload, options: OptionsInFile, products: Sequence[GpuProduct]
) -> Iterator[Problem]:
    """Goals that no card of the inventory reaches with any of the files."""
    goals = workload.goals
    models = [variant.model for variant in allowed_variants(workload)]
    if goals.is_empty or not models:
        return
    usable = [gpu for gpu in products if _allows(workload, gpu.name)]
    limit = highest_limit(models, usable)
    if limit is None:
        return
    yield from _too_fast(workload, options, limit)
    asked = goals.first_token_p95_seconds
    if asked is not None and asked < limit.first_token_seconds:
        title = f"{workload.name}: a first token within {asked:g} s is beyond physics"
        why = f"every weight must be read once; {limit}"
        where = options.where("goals", "firstTokenSeconds", "p95")
        help_ = f"ask for {limit.first_token_seconds:.2g} s or more, or allow a smaller file"
        yield Problem("P1105", title, where, why, help_)


def _too_fast(
    workload: Workload, options: OptionsInFile, limit: PhysicalLimit
) -> Iterator[Problem]:
    asked = workload.goals.decode_tokens_per_second
    depths = [one.depth for one in workload.speculations]
    if not depths and workload.draft is not None:
        depths = [workload.draft.depth]
    most = limit.tokens_per_second * (1 + max(depths, default=0))
    if asked is None or asked <= most:
        return
    drafted = f", times {1 + max(depths)} with drafts" if max(depths, default=0) else ""
    title = f"{workload.name}: {asked:g} tokens/s per slot are beyond physics"
    where = options.where("goals", "decodeTokensPerSecond")
    help_ = f"ask for {most:.0f} or less, or allow a smaller file or a faster card"
    yield Problem("P1105", title, where, f"{limit}{drafted}", help_)


def _allows(workload: Workload, product: str) -> bool:
    allowed = not workload.allowed_gpus or product in workload.allowed_gpus
    return allowed and product not in workload.refused_gpus


_CHECKS: tuple[Callable[[Workload, OptionsInFile], Iterator[Problem]], ...] = (
    _pool,
    _quality,
    _drafters,
    _goals,
    _pooled,
)
