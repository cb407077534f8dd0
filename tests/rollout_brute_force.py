"""Least that a change costs by trying every order, and a plain reading of every moment.

Shares nothing with ``packer.plan.rollout`` but its inputs and its step kinds.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache

from packer.plan.rollout.change import Change, Occupancy, RunningServers
from packer.plan.rollout.step import StepKind

Running = dict[str, tuple[Occupancy, bool]]
Cost = tuple[int, int, float]
"""Workloads that steps put below their minimum, forced stops, seconds of those stopped: less of an
earlier one is better, whatever the later ones."""


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


def cheapest(servers: RunningServers, changes: Sequence[Change]) -> Cost:
    """Least that any order costs: trying all of them, each moment once."""
    minimum = least(servers, changes)

    @cache
    def rest(phases: tuple[str, ...]) -> Cost | None:
        found = []
        running = _running(servers, changes, phases)
        for index, change in enumerate(changes):
            for kind in _kinds(phases[index], change):
                cost = _step_cost(servers, minimum, running, change, kind)
                is_over = kind is not StepKind.STOP or change.new is None
                later = (*phases[:index], "done" if is_over else "gone", *phases[index + 1 :])
                further = None if cost is None else rest(later)
                if cost is not None and further is not None:
                    found.append(_sum(cost, further))
        return min(found, default=None) if set(phases) - {"done"} else (0, 0, 0.0)

    whole = rest(tuple("gone" if change.old is None else "old" for change in changes))
    assert whole is not None, "no order leads to the end"
    return whole


def cost_of(
    servers: RunningServers, changes: Sequence[Change], steps: Sequence[tuple[StepKind, int]]
) -> Cost:
    """What some steps cost, all of which must be possible and lead to the end."""
    minimum = least(servers, changes)
    running, total = first_moment(servers, changes), (0, 0, 0.0)
    for kind, index in steps:
        cost = _step_cost(servers, minimum, running, changes[index], kind)
        assert cost is not None, "a moment of a step has no room"
        total = _sum(total, cost)
        *_, running = moments(running, changes[index], kind)
    there = {name.removesuffix("'"): one for name, (one, _) in running.items()}
    ends = {change.name: change.new for change in changes if change.new is not None}
    assert there == {f"kept {n}": one for n, (one, _) in enumerate(servers.unchanged)} | ends
    return total


def _running(servers: RunningServers, changes: Sequence[Change], phases: Sequence[str]) -> Running:
    running = first_moment(servers, changes)
    for change, phase in zip(changes, phases, strict=True):
        if phase != "old":
            running.pop(change.name, None)
        if phase == "done" and change.new is not None:
            running[change.name + "'"] = (change.new, True)
    return running


def _step_cost(
    servers: RunningServers,
    minimum: dict[str, int],
    before: Running,
    change: Change,
    kind: StepKind,
) -> Cost | None:
    """What one step costs; None where a moment of it has no room."""
    *on_the_way, after = moments(before, change, kind)
    if not all(is_within_room(servers, moment) for moment in (*on_the_way, after)):
        return None
    had, has = answering(before), answering(after)
    lost = sum(has[name] < had[name] and has[name] < number for name, number in minimum.items())
    forced = kind is StepKind.STOP and change.new is not None and change.is_available
    return lost, int(forced), change.start_seconds * forced


def _sum(one: Cost, other: Cost) -> Cost:
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]


def _kinds(phase: str, change: Change) -> tuple[StepKind, ...]:
    if phase == "done":
        return ()
    if phase == "gone":
        return (StepKind.START,)
    return (StepKind.STOP,) if change.new is None else (StepKind.REPLACE, StepKind.STOP)
