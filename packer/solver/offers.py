"""What each GPU product of an inventory offers one replica."""

from packer.domain.node import Inventory, NodePool
from packer.domain.workload import Headroom
from packer.memory.card_reserve import card_reserve_bytes
from packer.solver.candidate import Offer


def offers_of(inventory: Inventory, headroom: Headroom) -> tuple[Offer, ...]:
    """One offer per product: the most cards, room and node memory any of its nodes has. Exact.

    A candidate that needs more than this fits on no node; one that needs less may still not fit on
    a node where others hold memory, which the solver decides card by card.
    """
    by_product: dict[str, list[NodePool]] = {}
    for pool in inventory.pools:
        if pool.nodes:
            by_product.setdefault(pool.gpu.name, []).append(pool)
    return tuple(
        Offer(
            gpu=pools[0].gpu,
            cards=_most_cards(pools),
            room_bytes=max(_most_room(pool, headroom) for pool in pools),
            host_bytes=max(pool.host_memory_bytes for pool in pools),
            host_bandwidth_bytes_per_second=_least_bandwidth(pools),
        )
        for pools in by_product.values()
    )


def _least_bandwidth(pools: list[NodePool]) -> int | None:
    """Memory bandwidth every node has; None if one of them does not say [bytes/s]."""
    known = [pool.host_memory_bandwidth_bytes_per_second for pool in pools]
    stated = [one for one in known if one is not None]
    return min(stated) if len(stated) == len(known) else None


def _most_cards(pools: list[NodePool]) -> int:
    """Cards of one node a replica can use: CUDA shows a process one MIG slice and no more.

    Source: NVIDIA, MIG user guide, device enumeration under CUDA_VISIBLE_DEVICES.
    """
    return 1 if pools[0].gpu.is_slice else max(pool.gpus_per_node for pool in pools)


def _most_room(pool: NodePool, headroom: Headroom) -> int:
    allocatable = pool.gpu.allocatable_bytes
    untouched = len(pool.taken) < pool.nodes
    free = (
        allocatable
        if untouched
        else max(
            pool.free_bytes(node, gpu)
            for node in range(pool.nodes)
            for gpu in range(pool.gpus_per_node)
        )
    )
    return free - card_reserve_bytes(pool, headroom)
