"""Steps that may run at the same time, and what is held and missing meanwhile."""

from collections import Counter
from collections.abc import Mapping, Sequence

from packer.plan.rollout.change import Change, Place
from packer.plan.rollout.fewest_stops import Action
from packer.plan.rollout.state import RolloutState
from packer.plan.rollout.step import StepKind


def in_waves(state: RolloutState, actions: Sequence[Action]) -> list[list[Action]]:
    """Consecutive steps in waves; within one, any order and any overlap respects every limit.

    A wave is safe when all that comes in it fits beside all that runs when it begins, and all
    that goes in it may be missing at once.
    """
    waves: list[list[Action]] = []
    ahead = state.copy()
    for action in actions:
        if waves and _joins(ahead, state, action):
            waves[-1].append(action)
        else:
            # The last wave is over: what it released is free from here on.
            for finished in waves[-1] if waves else ():
                state.do(*finished)
            ahead = state.copy()
            waves.append([action])
        ahead.begin(*action)
    return waves


def _joins(ahead: RolloutState, begun: RolloutState, action: Action) -> bool:
    """Whether a step may run beside those of the wave; ``ahead`` holds the worst moment of it."""
    kind, index = action
    if ahead.phases[index] is not begun.phases[index]:
        return False
    if kind is not StepKind.STOP and not ahead.can_come(index):
        return False
    return ahead.lost_by(kind, index) == 0


def peak_bytes(state: RolloutState, waves: Sequence[Sequence[Action]]) -> Mapping[Place, int]:
    """Most that is held at each place that changes, whatever the order within a wave [bytes]."""
    places = {
        place
        for change in state.changes
        for one in (change.old, change.new)
        if one is not None
        for place in one.bytes
    }
    peaks = {place: state.used_bytes[place] for place in sorted(places)}
    for wave in waves:
        coming: Counter[Place] = Counter()
        for kind, index in wave:
            new = state.changes[index].new
            if kind is not StepKind.STOP and new is not None:
                coming.update(new.bytes)
        for place, size in coming.items():
            peaks[place] = max(peaks[place], state.used_bytes[place] + size)
        for action in wave:
            state.do(*action)
    return peaks


def wave_seconds(changes: Sequence[Change], wave: Sequence[Action]) -> float:
    """Time until everything that starts in a wave answers [s]; an estimate."""
    return max(
        (changes[index].start_seconds for kind, index in wave if kind is not StepKind.STOP),
        default=0.0,
    )


def downtime_seconds(state: RolloutState, waves: Sequence[Sequence[Action]]) -> Mapping[str, float]:
    """Workload → time in which no server answers for it [s], where there is any; an estimate."""
    answered = {workload for workload, servers in state.available.items() if servers > 0}
    down: dict[str, float] = {}
    for wave in waves:
        gone: Counter[str] = Counter()
        for kind, index in wave:
            old = state.changes[index].old
            if kind is StepKind.STOP and old is not None and state.changes[index].is_available:
                gone.update(old.serves)
        seconds = wave_seconds(state.changes, wave)
        for workload in answered:
            if state.available[workload] - gone[workload] <= 0:
                down[workload] = down.get(workload, 0.0) + seconds
        for action in wave:
            state.do(*action)
    stays = {workload for workload in down if state.available[workload] > 0}
    return {workload: down[workload] for workload in sorted(stays) if down[workload] > 0}
