"""Who waits for whom: the graph of changes, and the circles that only a stop can break."""

import networkx

from packer.plan.rollout.change import Occupancy, Place
from packer.plan.rollout.state import Phase, RolloutState


def circles_in_order(state: RolloutState) -> list[list[int]]:
    """Sets of changes that wait for each other, those that others wait for first.

    A change waits for another whose old server stands at a place or on a seat that its new one
    needs. A place with room for all that is there and all that is to come makes nobody wait.
    Changes in different sets never gain by being mixed: when a set's turn comes, every old server
    in its way belongs to the set, and nothing that can wait has arrived. So the fewest stops of
    each set add up to the fewest of all, as far as memory and seats go.
    """
    pending = state.pending()
    graph: networkx.DiGraph[int] = networkx.DiGraph()
    graph.add_nodes_from(pending)
    graph.add_edges_from(_waits(state, pending))
    condensed = networkx.condensation(graph)
    first_member = {one: min(data["members"]) for one, data in condensed.nodes(data=True)}
    leaves_first = networkx.lexicographical_topological_sort(
        condensed.reverse(copy=False), key=lambda one: _turn(state, first_member[one])
    )
    return [sorted(condensed.nodes[one]["members"]) for one in leaves_first]


def _turn(state: RolloutState, index: int) -> tuple[int, int]:
    """Servers that only come go first, those that only leave last: more answer meanwhile."""
    change = state.changes[index]
    if state.phases[index] is Phase.STOPPED:
        return 0, index
    return (2 if change.new is None else 1), index


def _waits(state: RolloutState, pending: list[int]) -> set[tuple[int, int]]:
    """Pairs (who waits, for whom)."""
    roomy = state.roomy_places(pending)
    leaving_from: dict[Place | str, list[int]] = {}
    for index in pending:
        old = state.changes[index].old
        if old is not None and state.phases[index] is Phase.OLD:
            for key in _keys(old):
                leaving_from.setdefault(key, []).append(index)
    return {
        (index, other)
        for index in pending
        if (new := state.changes[index].new) is not None
        for key in _keys(new)
        if key not in roomy
        for other in leaving_from.get(key, ())
        if other != index and (isinstance(key, Place) or _differs(state, other, key, new))
    }


def _keys(occupancy: Occupancy) -> tuple[Place | str, ...]:
    return (*occupancy.bytes, *occupancy.seats)


def _differs(state: RolloutState, leaving: int, seat: str, new: Occupancy) -> bool:
    old = state.changes[leaving].old
    return old is not None and old.seats[seat] != new.seats[seat]
