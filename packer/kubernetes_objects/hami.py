"""Cards shared by HAMi: a share of memory per server, packed by its scheduler, held to in software.

HAMi takes one figure per pod and gives it on every card the pod gets, so a model split unevenly
takes the largest of its shares on each.

Source:
    HAMi of 2026-08, pkg/device/nvidia/device.go: limits ``nvidia.com/gpu`` and
    ``nvidia.com/gpumem`` [MiB], annotations ``nvidia.com/use-gpuuuid`` and ``use-gputype``;
    docs/develop/scheduler-policy.md. HAMi-core, src/utils.c,
    parse_cuda_visible_env(): numbers only, no UUIDs.
"""

from collections.abc import Iterator

from packer.errors import Problem
from packer.kubernetes_objects.card_groups import CardGroup
from packer.plan.plan import Placement
from packer.units import MIB, format_bytes

SCHEDULER = "hami-scheduler"
MOST_SERVERS_PER_CARD = 10
"""Default of HAMi's ``deviceSplitCount``."""


def share_mib(placement: Placement) -> int:
    """Memory one replica is given on each of its cards [MiB]."""
    return -(-max(device.high_bytes for device in placement.devices) // MIB)


def hami_limits(placement: Placement) -> dict[str, int]:
    """Limits of a container."""
    return {"nvidia.com/gpu": len(placement.gpus), "nvidia.com/gpumem": share_mib(placement)}


def hami_annotations(group: CardGroup, placement: Placement) -> dict[str, str]:
    """Annotations of a pod: the very cards if the plan knows them, else their type, packed."""
    if group.is_pinned:
        uuids = {card.index: card.uuid for card in group.cards}
        return {"nvidia.com/use-gpuuuid": ",".join(uuids[gpu] for gpu in placement.gpus)}
    return {
        "nvidia.com/use-gputype": ",".join(_types(group.node.product_label)),
        "hami.io/gpu-scheduler-policy": "binpack",
    }


def hami_environment(placement: Placement) -> dict[str, str]:
    """Cards in the order the split is written for, where that is not the order of the bus."""
    order = sorted(placement.gpus)
    if list(placement.gpus) == order:
        return {}
    ranks = ",".join(str(order.index(gpu)) for gpu in placement.gpus)
    return {"CUDA_VISIBLE_DEVICES": ranks}


def hami_problems(group: CardGroup) -> Iterator[Problem]:
    """Cards on which the shares HAMi can give add up to more than there is."""
    for card in group.cards:
        here = [placed for placed in group.placements if card.index in placed.gpus]
        shares = sum(share_mib(placed) for placed in here) * MIB
        room = card.allocatable_bytes - card.taken_bytes
        if shares > room:
            yield Problem(
                "P0720",
                f"HAMi would need {format_bytes(shares)} on gpu{card.index} of {group.node.name}, "
                f"which has {format_bytes(room)}",
                why="it gives a split model the largest of its shares on every card",
                help="render this pool with --sharing dra, or split the model evenly",
            )


def _types(product_label: str) -> tuple[str, ...]:
    """Parts of the names the driver may give the product; HAMi looks for one within the other.

    The label has hyphens where the name has spaces or hyphens, and which is not known.
    """
    model = product_label.partition("-")[2] or product_label
    return tuple(dict.fromkeys((model, model.replace("-", " "))))
