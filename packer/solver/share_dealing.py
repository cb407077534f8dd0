"""Counts of shares per GPU, dealt out to replicas so that each is on distinct GPUs."""

from collections.abc import Mapping, Sequence

from packer.solver.instance import Vector


def deal_shares(
    order: Sequence[Vector],
    shares: Sequence[tuple[Vector, int]],
    counts: Mapping[tuple[int, int], int],
    replicas: int,
) -> list[tuple[int, ...]]:
    """GPUs per replica, in the order of its shares.

    The counts are a bipartite multigraph between share kinds and GPUs. Round by round one replica
    is matched: every GPU that still has as many shares as there are replicas left must take part,
    and a matching covering those and all shares exists (König), so the deal always ends.

    Args:
        order: Shares of the alternative, in order.
        shares: Distinct shares with their multiplicity.
        counts: Shares per (GPU, position in ``shares``).
        replicas: How many replicas the counts are for.
    """
    left = {key: count for key, count in counts.items() if count}
    wanted = [next(p for p, (share, _) in enumerate(shares) if share == one) for one in order]
    dealt = []
    for remaining in range(replicas, 0, -1):
        chosen = _match_round(wanted, left, remaining)
        for position, gpu in zip(wanted, chosen, strict=True):
            left[gpu, position] -= 1
        left = {key: count for key, count in left.items() if count}
        dealt.append(tuple(chosen))
    return dealt


def _match_round(
    wanted: Sequence[int], left: Mapping[tuple[int, int], int], remaining: int
) -> list[int]:
    """One distinct GPU per share, covering every GPU that cannot wait."""
    load: dict[int, int] = {}
    for (gpu, _), count in left.items():
        load[gpu] = load.get(gpu, 0) + count
    urgent = [gpu for gpu, count in load.items() if count == remaining]
    owner: dict[int, int] = {}  # GPU -> share
    place: dict[int, int] = {}  # share -> GPU

    def augment_gpu(gpu: int, seen: set[int]) -> bool:
        for share, position in enumerate(wanted):
            if share in seen or not left.get((gpu, position)):
                continue
            seen.add(share)
            if share not in place or augment_gpu(place[share], seen):
                place[share], owner[gpu] = gpu, share
                return True
        return False

    def augment_share(share: int, seen: set[int]) -> bool:
        for gpu in load:
            if gpu in seen or not left.get((gpu, wanted[share])):
                continue
            seen.add(gpu)
            if gpu not in owner or augment_share(owner[gpu], seen):
                owner[gpu], place[share] = share, gpu
                return True
        return False

    for gpu in urgent:
        augment_gpu(gpu, set())
    # Augmenting from the shares keeps every matched GPU matched.
    for share in range(len(wanted)):
        if share not in place:
            augment_share(share, set())
    return [place[share] for share in range(len(wanted))]
