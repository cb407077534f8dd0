"""The order in which a difference is carried out, found by the plan's own arithmetic."""

from collections.abc import Mapping

from packer.cluster.difference import Difference, ServerChange
from packer.cluster.servers import Server
from packer.plan.plan import Plan
from packer.plan.rollout.change import HOST, Change, Occupancy, Place, RunningServers
from packer.plan.rollout.order import rollout
from packer.plan.rollout.step import Rollout


def rollout_of(
    difference: Difference,
    plan: Plan,
    *,
    start_seconds: float,
    prune: bool,
    lost_nodes: frozenset[str] = frozenset(),
) -> Rollout:
    """Steps from what runs to what was rendered.

    Args:
        difference: What is to change.
        plan: Whose cards and minimums hold.
        start_seconds: From a server's start until it answers [s], an estimate.
        prune: Whether servers that are not rendered any more are to go; otherwise they stay and
            hold what they hold.
        lost_nodes: Nodes whose pods do not run any more.

    Raises:
        InvalidInput: The new servers do not fit beside those that stay.
    """
    going = [one for one in difference.servers if prune or not _stays(one)]
    staying = [one.old for one in difference.servers if one.old and not prune and _stays(one)]
    unchanged = tuple(
        (server.occupancy(), server.is_available) for server in (*difference.kept, *staying)
    )
    changes = [_change(one, start_seconds, lost_nodes) for one in going]
    minimums = {one.name: one.min_available for one in plan.workloads}
    return rollout(RunningServers(capacity_of(plan, difference), unchanged, minimums), changes)


def _stays(change: ServerChange) -> bool:
    """Whether a server goes only when it is pruned; what an interrupted change left always goes."""
    return change.new is None and change.old is not None and not change.old.is_leaving


def _change(change: ServerChange, start_seconds: float, lost_nodes: frozenset[str]) -> Change:
    old = change.old
    held = old.occupancy() if old else None
    if old and old.node in lost_nodes:
        # Its pod holds nothing any more; where nothing comes instead, its object must still go.
        held = None if change.new else Occupancy({}, old.workloads)
    return Change(
        name=change.name,
        old=held,
        new=change.new.occupancy() if change.new else None,
        is_available=old is not None and old.node not in lost_nodes and old.is_available,
        start_seconds=start_seconds,
    )


def capacity_of(plan: Plan, difference: Difference) -> Mapping[Place, int]:
    """What servers may hold at each place; where the plan knows none, what is held now."""
    room: dict[Place, int] = {}
    for server in [one.old for one in difference.servers if one.old] + list(difference.kept):
        _count(room, server)
    for node in plan.nodes:
        for card in node.cards:
            room[Place(node.name, card.index)] = card.allocatable_bytes - card.taken_bytes
        room[Place(node.name, HOST)] = node.host_allocatable_bytes
    return room


def _count(room: dict[Place, int], server: Server) -> None:
    for place, held in server.occupancy().bytes.items():
        room[place] = room.get(place, 0) + held
