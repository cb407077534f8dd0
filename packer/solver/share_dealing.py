"""Counts of shares per GPU, dealt out to replicas so that each is on distinct GPUs."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

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
    load: Counter[int] = Counter()
    for (gpu, _), count in left.items():
        load[gpu] += count
    matching = _Matching(wanted, left, tuple(load))
    for gpu, count in load.items():
        if count == remaining:
            matching.augment_gpu(gpu, set())
    # Augmenting from the shares keeps every matched GPU matched.
    for share in range(len(wanted)):
        if share not in matching.place:
            matching.augment_share(share, set())
    return [matching.place[share] for share in range(len(wanted))]


@dataclass
class _Matching:
    """Shares of one replica matched to GPUs, grown along augmenting paths.

    Attributes:
        owner: Share per matched GPU.
        place: GPU per matched share.
    """

    wanted: Sequence[int]
    left: Mapping[tuple[int, int], int]
    gpus: Sequence[int]
    owner: dict[int, int] = field(default_factory=dict)
    place: dict[int, int] = field(default_factory=dict)

    def augment_gpu(self, gpu: int, seen: set[int]) -> bool:
        """Find the GPU a share, moving other GPUs to other shares; whether that worked."""
        for share, position in enumerate(self.wanted):
            if share in seen or not self.left.get((gpu, position)):
                continue
            seen.add(share)
            if share not in self.place or self.augment_gpu(self.place[share], seen):
                self.place[share], self.owner[gpu] = gpu, share
                return True
        return False

    def augment_share(self, share: int, seen: set[int]) -> bool:
        """Find the share a GPU, moving other shares to other GPUs; whether that worked."""
        for gpu in self.gpus:
            if gpu in seen or not self.left.get((gpu, self.wanted[share])):
                continue
            seen.add(gpu)
            if gpu not in self.owner or self.augment_share(self.owner[gpu], seen):
                self.owner[gpu], self.place[share] = share, gpu
                return True
        return False
