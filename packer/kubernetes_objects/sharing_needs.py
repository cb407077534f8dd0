"""What a cluster must have for each way of sharing cards."""

from collections.abc import Iterator, Sequence

from packer.domain.node import Sharing
from packer.domain.rendering import MigStrategy
from packer.kubernetes_objects.card_groups import CardGroup
from packer.kubernetes_objects.hami import MOST_SERVERS_PER_CARD

_DRA = "Kubernetes 1.34 or newer with NVIDIA's DRA driver (device class `{}`)"
_MEMORY = (
    "Kubernetes 1.36 or newer (1.34 with the feature gate `DRAConsumableCapacity`) with NVIDIA's "
    "DRA driver 0.5 or newer, its feature gate `ConsumableShares` on and `consumableShares=memory`"
)
_WHOLE = (
    "NVIDIA's device plugin and GPU feature discovery (`nvidia.com/gpu`, "
    "label `nvidia.com/gpu.product`) on the nodes that share whole cards"
)
_SLICES = (
    "NVIDIA's device plugin and GPU feature discovery with the MIG strategy `{}`, and cards cut "
    "as the inventory says"
)
_HAMI = "HAMi with its scheduler `hami-scheduler`, without memory overcommitment (scaling 1)"
_CROWDED = "more than {} servers share a card: HAMi's `deviceSplitCount` must be {} at least"


def sharing_needs(groups: Sequence[CardGroup], strategy: MigStrategy) -> Iterator[str]:
    """What must exist before manifests for these card groups are applied."""
    claimed = [group for group in groups if group.sharing is Sharing.DRA]
    if any(not group.slice for group in claimed):
        yield _DRA.format("gpu.nvidia.com")
    if any(group.slice for group in claimed):
        yield _DRA.format("mig.nvidia.com") + ", and cards cut as the inventory says"
    if any(group.sharing is Sharing.DRA_MEMORY for group in groups):
        yield _MEMORY
    owned = [group for group in groups if group.sharing is Sharing.WHOLE]
    if any(not group.slice for group in owned):
        yield _WHOLE
    if any(group.slice for group in owned):
        yield _SLICES.format(strategy.value)
    yield from _hami(groups)


def _hami(groups: Sequence[CardGroup]) -> Iterator[str]:
    crowds = [
        sum(gpu in placed.gpus for placed in group.placements)
        for group in groups
        if group.sharing is Sharing.HAMI
        for gpu in group.gpus
    ]
    if crowds:
        yield _HAMI
    if crowds and max(crowds) > MOST_SERVERS_PER_CARD:
        yield _CROWDED.format(MOST_SERVERS_PER_CARD, max(crowds))
