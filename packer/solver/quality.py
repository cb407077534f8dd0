"""Quality floors of a workload: which files and cache types it may use at all."""

from packer.domain.workload import Variant, Workload

FINE_CACHE_TYPES = frozenset({"f32", "f16", "bf16", "q8_0"})
"""Keys and values that keep long answers faithful. Source: the published runs of multi-token
prediction used q5 for summaries only."""


def allowed_variants(workload: Workload) -> tuple[Variant, ...]:
    """Files that have enough bits per weight, in the user's order."""
    least = workload.min_bits_per_weight
    if not least:
        return workload.variants
    return tuple(one for one in workload.variants if one.bits_per_weight >= least)


def allowed_cache_types(workload: Workload) -> tuple[str, ...]:
    """Cache types that are fine enough, in the user's order."""
    if not workload.is_high_fidelity:
        return workload.cache_types
    return tuple(one for one in workload.cache_types if one in FINE_CACHE_TYPES)


def quality_refusal(workload: Workload, variant: Variant, cache_type: str) -> str:
    """Why a file or a cache type is too coarse; empty if neither is."""
    least = workload.min_bits_per_weight
    if least and variant.bits_per_weight < least:
        return f"{variant.bits_per_weight:.2f} bits per weight, at least {least:g} are asked"
    if cache_type not in allowed_cache_types(workload):
        return f"fidelity: high forbids a {cache_type} cache"
    return ""
