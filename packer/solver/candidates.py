"""Candidates: every way one replica of a workload may run on one GPU product, with its bytes.

A candidate fixes the file, the cache type, the number of cards and which layers sit on which card;
with a demand or goals also slots, the part of a card's time it needs, and how it drafts.
Its shares are the upper bands of the memory estimate: what holds them holds the process.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from packer.domain.gpu import GpuProduct
from packer.domain.workload import Workload
from packer.performance.learnt import Learnt
from packer.solver.candidate import Candidate, CandidateSet, Considered, Offer, Refused
from packer.solver.collection_pause import collection_paused
from packer.solver.known_sizes import KnownSizes
from packer.solver.quality import quality_refusal
from packer.solver.replica_counts import replica_counts
from packer.solver.serving_candidates import ServingSearch
from packer.solver.sizing import Sizing

__all__ = [
    "Candidate",
    "CandidateSet",
    "Offer",
    "Refused",
    "find_candidates",
    "find_candidates_by_replicas",
]


def find_candidates(
    workload: Workload,
    offers: tuple[Offer, ...],
    *,
    build: str,
    learnt: Learnt | None = None,
    most_share: float = 1.0,
    known: KnownSizes | None = None,
) -> CandidateSet:
    """Candidates of one workload over all GPU products it may use.

    Args:
        workload: What is asked; its number of replicas is taken as it is.
        offers: One per product of the inventory.
        build: llama.cpp build of the server image.
        learnt: The user's own measurements, for workloads whose speed matters.
        most_share: Part of a card's time that may be planned at all.
        known: Bytes and times that are known already, of the same build and share.
    """
    found: list[Candidate] = []
    refused: list[Refused] = []
    considered: list[Considered] = []
    known = known or KnownSizes(build, learnt, most_share)
    choices = product(enumerate(workload.variants), enumerate(workload.cache_types))
    for offer, ((rank, variant), (cache_rank, cache_type)) in product(offers, choices):
        reason = _barred(workload, offer.gpu) or quality_refusal(workload, variant, cache_type)
        if not reason and workload.has_speed_wishes:
            search = ServingSearch(workload, rank, cache_type, offer, known)
            search.run()
            found += search.found
            refused += search.refused
            considered += search.considered
        elif not reason:
            sizing = Sizing(workload, variant, cache_type, offer, build)
            some, reason = sizing.candidates(rank, cache_rank)
            found += some
        if reason:
            refused.append(Refused(workload.name, rank, cache_type, offer.gpu.name, reason))
    kept = tuple(_undominated(found))
    return CandidateSet(workload, kept, tuple(refused), tuple(dict.fromkeys(considered)))


def find_candidates_by_replicas(
    workload: Workload,
    offers: tuple[Offer, ...],
    *,
    build: str,
    learnt: Learnt | None = None,
    most_share: float = 1.0,
) -> tuple[CandidateSet, ...]:
    """One set per number of replicas worth planning with; one alone where they are stated."""
    usable = tuple(offer for offer in offers if not _barred(workload, offer.gpu))
    known = KnownSizes(build, learnt, most_share)
    with collection_paused():
        return tuple(
            find_candidates(replace(workload, replicas=count), offers, build=build, known=known)
            for count in replica_counts(workload, usable, known)
        )


def _barred(workload: Workload, gpu: GpuProduct) -> str:
    if gpu.name in workload.refused_gpus:
        return "the fleet file refuses this product"
    if workload.allowed_gpus and gpu.name not in workload.allowed_gpus:
        return "not among the products the fleet file allows"
    return ""


def _undominated(candidates: list[Candidate]) -> Iterator[Candidate]:
    """Candidates that no other of the same product and card count beats in every respect."""
    alike: dict[tuple[str, int], list[tuple[tuple[int, ...], Candidate]]] = {}
    for one in candidates:
        key = one.gpu, len(one.estimate.devices)
        alike.setdefault(key, []).append((_demands(one), one))
    for one in candidates:
        group = alike[one.gpu, len(one.estimate.devices)]
        mine = next(demands for demands, other in group if other is one)
        if not any(_beats(other, demands, one, mine) for demands, other in group):
            yield one


def _beats(one: Candidate, its: tuple[int, ...], other: Candidate, theirs: tuple[int, ...]) -> bool:
    if one is other or any(a > b for a, b in zip(its, theirs, strict=True)):
        return False
    # Of two equal candidates exactly one stays.
    return its != theirs or _order(one) < _order(other)


def _demands(one: Candidate) -> tuple[int, ...]:
    """What a candidate costs in every respect; the order of its cards does not matter."""
    wishes = (one.penalty, one.slowness, one.way.load_permille, one.host_bytes)
    return (*wishes, *sorted(one.shares_bytes))


def _order(one: Candidate) -> tuple[tuple[float, ...], int, str]:
    """Decides between candidates that demand the same."""
    return one.options.tensor_split, one.options.slots or 0, str(one.way.speculation)
