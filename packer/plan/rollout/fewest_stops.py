"""The steps of one circle of changes with the fewest stops, by search over all orders."""

from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import count
from typing import TypeAlias

from packer.plan.rollout.state import Phase, RolloutState
from packer.plan.rollout.step import StepKind

Action: TypeAlias = tuple[StepKind, int]
Cost: TypeAlias = tuple[int, int, float]
"""Workloads put below their minimum, forced stops, seconds of the stopped: in this order."""

_NOTHING: Cost = (0, 0, 0.0)


def fewest_stops(start: RolloutState, expansions: int) -> tuple[list[Action], bool]:
    """Cheapest steps to the end, and whether they are proven cheapest.

    Every pair of orders is compared up to ``expansions`` looked-at moments; beyond, one greedy
    order is taken. An empty list with pending changes means that the new servers do not fit even
    when all old ones are gone.
    """
    found = _search(start, expansions)
    return (found, True) if found is not None else (_greedy(start), False)


def possible_actions(state: RolloutState) -> Iterator[tuple[Action, Cost]]:
    """Every step that can be done now, with what it costs."""
    for index in state.pending():
        change = state.changes[index]
        is_old = state.phases[index] is Phase.OLD
        if state.can_come(index):
            kind = StepKind.REPLACE if is_old else StepKind.START
            yield (kind, index), (state.lost_by(kind, index), 0, 0.0)
        if is_old:
            lost = state.lost_by(StepKind.STOP, index)
            if change.new is None:
                yield (StepKind.STOP, index), (lost, 0, 0.0)
            else:
                # What does not answer anyway has no gap in service.
                gap = (1, change.start_seconds) if change.is_available else (0, 0.0)
                yield (StepKind.STOP, index), (lost, *gap)


def _search(start: RolloutState, expansions: int) -> list[Action] | None:
    """Dijkstra's search over moments; None when it was cut short."""
    order = count()
    first = start.copy()
    steps = _advance(first)
    queue: list[tuple[Cost, int, RolloutState, list[Action]]] = [
        (_NOTHING, next(order), first, steps)
    ]
    seen: set[tuple[Phase, ...]] = set()
    while queue:
        cost, _, state, steps = heappop(queue)
        moment = tuple(state.phases)
        if moment in seen:
            continue
        seen.add(moment)
        if not state.pending():
            return steps
        if len(seen) > expansions:
            return None
        for action, extra in possible_actions(state):
            after = state.copy()
            after.do(*action)
            taken = [*steps, action, *_advance(after)]
            if tuple(after.phases) not in seen:
                total = (cost[0] + extra[0], cost[1] + extra[1], cost[2] + extra[2])
                heappush(queue, (total, next(order), after, taken))
    return []


def _advance(state: RolloutState) -> list[Action]:
    """Do every step that cannot be in anybody's way, until there is none."""
    done: list[Action] = []
    while (action := _harmless(state)) is not None:
        state.do(*action)
        done.append(action)
    return done


def _harmless(state: RolloutState) -> Action | None:
    """A step after which nothing that was possible before is impossible."""
    pending = state.pending()
    roomy = state.roomy_places(pending)
    for index in pending:
        change = state.changes[index]
        new = change.new
        if new is None or not all(place in roomy for place in new.bytes):
            continue
        kind = StepKind.REPLACE if state.phases[index] is Phase.OLD else StepKind.START
        keeps = change.old is None or change.old.serves <= new.serves
        if keeps and state.can_come(index):
            return kind, index
    return None


def _greedy(start: RolloutState) -> list[Action]:
    """One order, made by always taking the step after which most others can come."""
    state = start.copy()
    steps = _advance(state)
    while state.pending():
        choices = [
            (cost, -_arrivals_after(state, action), action)
            for action, cost in possible_actions(state)
        ]
        if not choices:
            return []
        action = min(choices, key=lambda one: one[:2])[2]
        state.do(*action)
        steps += [action, *_advance(state)]
    return steps


def _arrivals_after(state: RolloutState, action: Action) -> int:
    after = state.copy()
    after.do(*action)
    return sum(after.can_come(index) for index in after.pending())
