"""Whether one replica fits an empty node of a type, and on which of its GPUs."""

from collections.abc import Sequence

from packer.solver.instance import Alternative, NodeType, Vector


def fits_node_type(alternative: Alternative, node_type: NodeType) -> bool:
    """Whether a replica fits an empty node: allowed type, node and GPU capacities, links. Exact."""
    if alternative.gpu_types is not None and node_type.gpu_type not in alternative.gpu_types:
        return False
    if not within(alternative.node, node_type.node_cap):
        return False
    if len(alternative.shares) > node_type.gpus:
        return False
    if not node_type.gpu_caps and not all(
        within(share, node_type.gpu_cap) for share in set(alternative.shares)
    ):
        return False
    return any(
        len(group) >= len(alternative.shares) and _fits_group(alternative, node_type, group)
        for group in groups_for(alternative, node_type)
    )


def _fits_group(alternative: Alternative, node_type: NodeType, group: Vector) -> bool:
    if not node_type.gpu_caps:
        return True
    free = [node_type.capacities[gpu] for gpu in group]
    return match_shares(alternative.shares, free) is not None


def groups_for(alternative: Alternative, node_type: NodeType) -> tuple[Vector, ...]:
    """Groups of GPU indices within which the replica must stay."""
    if alternative.one_link and len(alternative.shares) > 1:
        return node_type.link_groups
    return (tuple(range(node_type.gpus)),)


def within(need: Sequence[int], room: Sequence[int]) -> bool:
    """Whether a vector is nowhere above another."""
    return all(a <= b for a, b in zip(need, room, strict=True))


def match_shares(shares: Sequence[Vector], free: Sequence[Sequence[int]]) -> list[int] | None:
    """A distinct bin per share with room for it, or None: bipartite matching, exact."""
    owner: dict[int, int] = {}

    def assign(share: int, seen: set[int]) -> bool:
        for position, room in enumerate(free):
            if position in seen or not within(shares[share], room):
                continue
            seen.add(position)
            if position not in owner or assign(owner[position], seen):
                owner[position] = share
                return True
        return False

    for share in range(len(shares)):
        if not assign(share, set()):
            return None
    places = [0] * len(shares)
    for position, share in owner.items():
        places[share] = position
    return places
