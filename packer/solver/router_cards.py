"""Cards of routers: a model that is split over several of them has them to itself.

A router shows its processes all of its cards, and llama-server opens a CUDA context on every card
it sees. Beside a split model, a small one would take memory of cards it does not use, as much as
``estimate`` says of its command line and more than its share in the plan. So cards of routers
have parts: one for a replica on one card, all of them for one on several.
"""

from collections.abc import Sequence
from dataclasses import replace

from packer.domain.node import Inventory, NodePool, Sharing
from packer.solver.candidates import Candidate, CandidateSet
from packer.solver.instance import NodeType

DIMENSION = "router_part"


def router_parts(sets: Sequence[CandidateSet], inventory: Inventory) -> int | None:
    """Parts of a router's card, one per replica; None where no model can be split over routers."""
    products = {
        pool.gpu.name
        for pool in inventory.pools
        if pool.sharing is Sharing.WHOLE and pool.gpus_per_node > 1
    }
    is_split = any(
        len(one.shares_bytes) > 1 and one.gpu in products
        for each in sets
        for one in each.candidates
    )
    return sum(each.workload.replicas for each in sets) if is_split else None


def part_of(candidate: Candidate, parts: int | None) -> tuple[int, ...]:
    """What a candidate takes of each of its cards; nothing where cards have no parts."""
    if parts is None:
        return ()
    return (parts if len(candidate.shares_bytes) > 1 else 1,)


def with_parts(node_type: NodeType, pool: NodePool, parts: int | None) -> NodeType:
    """The node type whose cards have parts; elsewhere than at routers, more than anything takes."""
    if parts is None:
        return node_type
    here = parts if pool.sharing is Sharing.WHOLE else parts * parts
    return replace(
        node_type,
        gpu_cap=(*node_type.gpu_cap, here),
        gpu_caps=tuple((*cap, here) for cap in node_type.gpu_caps),
    )
