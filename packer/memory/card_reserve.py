"""What no planned server may use of a card: headroom by rule, and a router's own CUDA context."""

from packer.domain.node import NodePool, Sharing
from packer.domain.workload import Headroom
from packer.memory.process_overhead import process_overhead
from packer.memory.visible_card import visible_card


def card_reserve_bytes(pool: NodePool, headroom: Headroom) -> int:
    """Bytes of each card of a pool that stay free of planned servers. Estimate on the safe side.

    Whole cards are served by one router that starts a process per model; the router itself may
    open a CUDA context on every card it sees, which counts as one more process.

    Source: llama.cpp issue 20582; the context's size as in ``process_overhead``.
    """
    gpu = pool.gpu
    by_rule = headroom.on(gpu.allocatable_bytes)
    if pool.sharing is not Sharing.WHOLE:
        return by_rule
    return by_rule + process_overhead(visible_card(gpu)).high
