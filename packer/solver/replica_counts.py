"""Numbers of replicas worth planning with, where the fleet file leaves them to the plan."""

from packer.domain.workload import Workload
from packer.solver.candidate import Offer
from packer.solver.known_sizes import KnownSizes
from packer.solver.least_weights import too_large

_MOST_REPLICAS = 512
_MOST_COUNTS = 3


def replica_counts(
    workload: Workload, offers: tuple[Offer, ...], known: KnownSizes
) -> tuple[int, ...]:
    """Numbers of replicas worth planning with: the fewest each product needs, and one more.

    Where no number reaches the goals, the most that were looked at: what they miss, fewer miss too.
    """
    if not workload.derives_replicas:
        return (workload.replicas,)
    least = max(1, workload.min_available or 1)
    counts: set[int] = set()
    for offer in offers:
        fewest = [
            count
            for rank, variant in enumerate(workload.variants)
            if not too_large(workload, variant, offer)
            for count in [_fewest(workload, rank, offer, known)]
            if count is not None
        ]
        if fewest:
            counts |= {max(least, min(fewest)), max(least, min(fewest) + 1)}
    return tuple(sorted(counts)[:_MOST_COUNTS]) or (max(least, _MOST_REPLICAS),)


def _fewest(workload: Workload, rank: int, offer: Offer, known: KnownSizes) -> int | None:
    cache_type = workload.cache_types[0]
    return known.ways(workload, rank, cache_type, offer).fewest_replicas(_MOST_REPLICAS)
