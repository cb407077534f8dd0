"""An assignment: one replica, the candidate it runs as, and the cards it gets."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import networkx as nx

from packer.domain.node import NodePool
from packer.solver.candidates import Candidate


@dataclass(frozen=True)
class Assignment:
    """One replica's place.

    Attributes:
        node: Index within the pool.
        gpus: Card index per share, in the CUDA order of the process.
    """

    candidate: Candidate
    replica: int
    pool: NodePool
    node: int
    gpus: tuple[int, ...]

    @property
    def node_name(self) -> str:
        """Name of the node."""
        return self.pool.node_name(self.node)


def in_card_order(assignments: Iterable[Assignment]) -> tuple[Assignment, ...]:
    """The same plan with cards renumbered so that every process sees its cards in rising order.

    Without UUIDs a process meets its cards in bus order, so a split is only right when its shares
    rise with the card index. Cards of a node that offer the same are interchangeable: a topological
    order of "comes before" renumbers them. Nodes where others hold memory keep their numbers, and
    so does a cycle (two replicas that want two cards in opposite orders).
    """
    by_node: dict[str, list[Assignment]] = {}
    for one in assignments:
        by_node.setdefault(one.node_name, []).append(one)
    return tuple(moved for group in by_node.values() for moved in _renumbered(group))


def _renumbered(group: list[Assignment]) -> list[Assignment]:
    pool = group[0].pool
    if pool.taken.get(group[0].node_name) or len(pool.link_groups) > 1:
        return group
    order: nx.DiGraph[int] = nx.DiGraph()
    order.add_nodes_from(sorted({gpu for one in group for gpu in one.gpus}))
    for one in group:
        order.add_edges_from(zip(one.gpus, one.gpus[1:], strict=False))
    try:
        new = {old: i for i, old in enumerate(nx.lexicographical_topological_sort(order))}
    except nx.NetworkXUnfeasible:
        return group
    return [replace(one, gpus=tuple(new[gpu] for gpu in one.gpus)) for one in group]
