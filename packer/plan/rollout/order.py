"""The order of a change: never over a card, never below a minimum, with the fewest stops."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from packer.errors import InvalidInput, Problem
from packer.plan.rollout.change import Change, RunningServers
from packer.plan.rollout.fewest_stops import Action, Cost, fewest_stops
from packer.plan.rollout.state import RolloutState
from packer.plan.rollout.step import ForcedStop, Rollout, Shortfall, Step, StepKind
from packer.plan.rollout.waiting import circles_in_order
from packer.plan.rollout.waves import downtime_seconds, in_waves, peak_bytes, wave_seconds

EXPANSIONS = 4_000
"""Moments looked at for one circle before a greedy order is taken."""


def rollout(
    servers: RunningServers, changes: Sequence[Change], *, expansions: int = EXPANSIONS
) -> Rollout:
    """Steps from the running servers to the planned ones. Exact in bytes.

    First no workload below its minimum, then the fewest forced stops, then the shortest. What no
    order can keep is a ``Shortfall``, known before the first step.

    Raises:
        InvalidInput: The new servers do not fit even when all that is to change has stopped.
    """
    _check_end(servers, changes)
    actions, forced = _best_order(servers, changes, expansions)
    _check_done(servers, changes, actions)
    fewest = _stops_of(changes, actions)
    least_possible, proven = _fewest_without_minimum(servers, changes, expansions, fewest)
    waves = in_waves(RolloutState(servers, changes), actions)
    return Rollout(
        waves=tuple(tuple(Step(kind, changes[i].name) for kind, i in wave) for wave in waves),
        peak_bytes=peak_bytes(RolloutState(servers, changes), waves),
        forced_stops=forced,
        stops_are_fewest=proven and fewest == least_possible,
        shortfalls=_shortfalls(servers, changes, actions),
        downtime_seconds=downtime_seconds(RolloutState(servers, changes), waves),
        seconds=sum(wave_seconds(changes, wave) for wave in waves),
    )


def _best_order(
    servers: RunningServers, changes: Sequence[Change], expansions: int
) -> tuple[list[Action], tuple[ForcedStop, ...]]:
    """Circle by circle; all at once where a minimum ties circles together."""
    actions, circles, _ = _by_circles(servers, changes, expansions)
    cost = _cost(servers, changes, actions)
    if cost[0] or cost[1]:
        together, _ = fewest_stops(RolloutState(servers, changes), expansions)
        if together and _cost(servers, changes, together) < cost:
            actions = together
    return actions, _forced_stops(changes, actions, circles)


def _by_circles(
    servers: RunningServers, changes: Sequence[Change], expansions: int
) -> tuple[list[Action], list[list[int]], bool]:
    state = RolloutState(servers, changes)
    circles = circles_in_order(state)
    actions: list[Action] = []
    all_proven = True
    for members in circles:
        steps, proven = fewest_stops(state.restricted(members), expansions)
        all_proven = all_proven and proven
        for kind, place in steps:
            state.do(kind, members[place])
            actions.append((kind, members[place]))
    return actions, circles, all_proven


def _fewest_without_minimum(
    servers: RunningServers, changes: Sequence[Change], expansions: int, reached: int
) -> tuple[int, bool]:
    """Fewest stops that memory and seats force, a bound for any order; and whether it is exact."""
    if reached == 0:
        return 0, True
    actions, _, proven = _by_circles(replace(servers, min_available={}), changes, expansions)
    return _stops_of(changes, actions), proven


def _stops_of(changes: Sequence[Change], actions: Sequence[Action]) -> int:
    return sum(_is_forced(changes[index], kind) for kind, index in actions)


def _is_forced(change: Change, kind: StepKind) -> bool:
    return kind is StepKind.STOP and change.new is not None and change.is_available


def _cost(servers: RunningServers, changes: Sequence[Change], actions: Sequence[Action]) -> Cost:
    state = RolloutState(servers, changes)
    lost = 0
    for kind, index in actions:
        lost += state.lost_by(kind, index)
        state.do(kind, index)
    stopped = [changes[index] for kind, index in actions if _is_forced(changes[index], kind)]
    return lost, len(stopped), sum(change.start_seconds for change in stopped)


def _forced_stops(
    changes: Sequence[Change], actions: Sequence[Action], circles: Sequence[Sequence[int]]
) -> tuple[ForcedStop, ...]:
    circle_of = {index: circle for circle in circles for index in circle}
    return tuple(
        ForcedStop(
            changes[index].name,
            tuple(changes[other].name for other in circle_of[index] if other != index),
        )
        for kind, index in actions
        if _is_forced(changes[index], kind)
    )


def _shortfalls(
    servers: RunningServers, changes: Sequence[Change], actions: Sequence[Action]
) -> tuple[Shortfall, ...]:
    state = RolloutState(servers, changes)
    least = Counter(state.available)
    stops: dict[str, list[str]] = {}
    for kind, index in actions:
        dropped = state.dropped(kind, index)
        state.do(kind, index)
        for workload in sorted(dropped):
            least[workload] = min(least[workload], state.available[workload])
            if state.available[workload] < state.min_available.get(workload, 0):
                stops.setdefault(workload, []).append(changes[index].name)
    return tuple(
        Shortfall(workload, least[workload], servers.min_available[workload], tuple(names))
        for workload, names in sorted(stops.items())
    )


def _check_end(servers: RunningServers, changes: Sequence[Change]) -> None:
    """The new servers must fit beside those that stay."""
    arrived = [(change.new, True) for change in changes if change.new is not None]
    end = RolloutState(replace(servers, unchanged=(*servers.unchanged, *arrived)), ())
    problems = [
        Problem(
            code="P0807",
            title=f"{place} cannot hold what the plan puts there",
            why=f"{end.used_bytes[place]} bytes planned and running, "
            f"{servers.capacity_bytes.get(place, 0)} allocatable",
            help="plan again from the inventory as it is now",
        )
        for place in sorted(end.used_bytes)
        if end.used_bytes[place] > servers.capacity_bytes.get(place, 0)
        and any(change.new is not None and place in change.new.bytes for change in changes)
    ]
    if problems:
        raise InvalidInput(tuple(problems))


def _check_done(
    servers: RunningServers, changes: Sequence[Change], actions: Sequence[Action]
) -> None:
    """Steps must lead to the end: a seat that a staying server keeps is free at no moment."""
    state = RolloutState(servers, changes)
    for action in actions:
        state.do(*action)
    problems = [
        Problem(
            code="P0807",
            title=f"{changes[index].name} cannot come",
            why="a server that stays owns what it needs",
            help="let go what the plan has no more (apply --prune), or plan again",
        )
        for index in state.pending()
    ]
    if problems:
        raise InvalidInput(tuple(problems))
