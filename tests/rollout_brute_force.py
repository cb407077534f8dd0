"""Fewest forced stops of a change by trying every order, and a plain reading of every moment.

Shares nothing with ``packer.plan.rollout`` but its inputs and its step kinds.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from packer.plan.rollout.change import Change, Occupancy, RunningServers
from packer.plan.rollout.step import StepKind

Running = dict[str, tuple[Occupancy, bool]]


def first_moment(servers: RunningServers, changes: Sequence[Change]) -> Running:
    """Who runs before the first step; the new of server ``x`` is called ``x'``."""
    running = {f"kept {n}": one for n, one in enumerate(servers.unchanged)}
    for change in changes:
        if change.old is not None:
            running[change.name] = (change.old, change.is_available)
    return running


def answering(running: Running) -> Counter[str]:
    """Workload → servers that answer for it."""
    return Counter(
        workload
        for occupancy, answers in running.values()
        if answers
        for workload in occupancy.serves
    )


def least(servers: RunningServers, changes: Sequence[Change]) -> dict[str, int]:
    """Workload → what must go on answering; a fault may have left less than the rule."""
    there = answering(first_moment(servers, changes))
    return {name: min(number, there[name]) for name, number in servers.min_available.items()}


def is_within_room(servers: RunningServers, running: Running) -> bool:
    """Whether every place and every seat is respected."""
    used: Counter[object] = Counter()
    seats: dict[str, set[str]] = {}
    for occupancy, _ in running.values():
        for place, size in occupancy.bytes.items():
            used[place] += size
        for seat, holder in occupancy.seats.items():
            seats.setdefault(seat, set()).add(holder)
    fits = all(
        used[place] <= servers.capacity_bytes.get(place, 0)  # type: ignore[call-overload]
        for place in used
    )
    return fits and all(len(holders) == 1 for holders in seats.values())


def moments(running: Running, change: Change, kind: StepKind) -> Iterator[Running]:
    """Moments of one step, the last of which stays."""
    after = dict(running)
    if kind is not StepKind.STOP and change.new is not None:
        after[change.name + "'"] = (change.new, False)
        yield dict(after)
        after[change.name + "'"] = (change.new, True)
        yield dict(after)
    if kind is not StepKind.START:
        after.pop(change.name, None)
        yield dict(after)


def fewest_forced_stops(servers: RunningServers, changes: Sequence[Change]) -> int | None:
    """Fewest stops of servers that answer and come again, over all orders; None if none keeps all.

    Minimums count; an order that goes below one is no order here.
    """
    by_name = {change.name: change for change in changes}
    minimum = least(servers, changes)
    best: dict[frozenset[str], int] = {}

    def explore(running: Running, waiting: frozenset[str], stops: int) -> int | None:
        if not waiting:
            return stops
        seen = frozenset(running) | {f"waiting {name}" for name in waiting}
        if best.get(seen, 1 << 30) <= stops:
            return None
        best[seen] = stops
        found = []
        for name in sorted(waiting):
            change = by_name[name]
            for kind in _kinds(running, change):
                after = _carried_out(servers, minimum, running, change, kind)
                if after is None:
                    continue
                is_stop = kind is StepKind.STOP
                forced = is_stop and change.new is not None and change.is_available
                left = waiting if is_stop and change.new is not None else waiting - {name}
                found.append(explore(after, left, stops + forced))
        return min((one for one in found if one is not None), default=None)

    return explore(first_moment(servers, changes), frozenset(by_name), 0)


def _kinds(running: Running, change: Change) -> tuple[StepKind, ...]:
    if change.name not in running:
        return (StepKind.START,)
    return (StepKind.STOP,) if change.new is None else (StepKind.REPLACE, StepKind.STOP)


def _carried_out(
    servers: RunningServers,
    minimum: dict[str, int],
    running: Running,
    change: Change,
    kind: StepKind,
) -> Running | None:
    """What runs after a step; None when a moment of it breaks a rule."""
    after = running
    for after in moments(running, change, kind):
        there = answering(after)
        if not is_within_room(servers, after):
            return None
        if any(there[name] < number for name, number in minimum.items()):
            return None
    return after
