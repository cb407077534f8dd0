"""The servers in the middle of a change: who holds what, and which step is possible."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum

from packer.plan.rollout.change import Change, Occupancy, Place, RunningServers
from packer.plan.rollout.step import StepKind


class Phase(Enum):
    """How far one change is."""

    OLD = "old"
    STOPPED = "stopped"
    DONE = "done"


class RolloutState:
    """Occupancies of all servers at one moment; ``do`` carries a step out."""

    def __init__(self, servers: RunningServers, changes: Sequence[Change]) -> None:
        self.changes = changes
        self.capacity_bytes = servers.capacity_bytes
        self.phases = [Phase.STOPPED if one.old is None else Phase.OLD for one in changes]
        self.used_bytes: Counter[Place] = Counter()
        self.available: Counter[str] = Counter()
        self._seats: dict[str, Counter[str]] = {}
        for occupancy, answers in servers.unchanged:
            self._hold(occupancy, answers)
        for change in changes:
            if change.old is not None:
                self._hold(change.old, change.is_available)
        # A fault may have left less than the rule asks for: then it must not get worse.
        self.min_available: Mapping[str, int] = {
            workload: min(least, self.available[workload])
            for workload, least in servers.min_available.items()
        }

    def copy(self) -> "RolloutState":
        """A state that goes on by itself."""
        twin = object.__new__(RolloutState)
        twin.changes, twin.capacity_bytes = self.changes, self.capacity_bytes
        twin.min_available = self.min_available
        twin.phases = list(self.phases)
        twin.used_bytes = self.used_bytes.copy()
        twin.available = self.available.copy()
        twin._seats = {seat: holders.copy() for seat, holders in self._seats.items()}
        return twin

    def restricted(self, members: Sequence[int]) -> "RolloutState":
        """The same moment, seen by a few changes only: their places, seats and workloads."""
        twin = object.__new__(RolloutState)
        twin.changes = [self.changes[index] for index in members]
        both = [one for change in twin.changes for one in (change.old, change.new) if one]
        seats = {seat for one in both for seat in one.seats}
        twin.capacity_bytes, twin.min_available = self.capacity_bytes, self.min_available
        twin.phases = [self.phases[index] for index in members]
        twin.used_bytes = Counter({p: self.used_bytes[p] for one in both for p in one.bytes})
        twin.available = Counter({w: self.available[w] for one in both for w in one.serves})
        twin._seats = {seat: self._seats[seat].copy() for seat in seats if seat in self._seats}
        return twin

    def can_come(self, index: int) -> bool:
        """Whether the new server fits beside everything that runs now."""
        new = self.changes[index].new
        return (
            new is not None
            and self.phases[index] is not Phase.DONE
            and all(
                self.used_bytes[place] + size <= self.capacity_bytes.get(place, 0)
                for place, size in new.bytes.items()
            )
            and not any(self._is_taken(seat, who) for seat, who in new.seats.items())
        )

    def lost_by(self, kind: StepKind, index: int) -> int:
        """Workloads that a step would put below what must be available."""
        return sum(
            self.available[workload] - 1 < self.min_available.get(workload, 0)
            for workload in self.dropped(kind, index)
        )

    def dropped(self, kind: StepKind, index: int) -> frozenset[str]:
        """Workloads that one server fewer answers for, at the worst moment of a step."""
        change = self.changes[index]
        if kind is StepKind.START or change.old is None or not change.is_available:
            return frozenset()
        if kind is StepKind.REPLACE and change.new is not None:
            return change.old.serves - change.new.serves
        return change.old.serves

    def do(self, kind: StepKind, index: int) -> None:
        """Carry out one step; the caller has checked that it is possible."""
        change = self.changes[index]
        if kind is not StepKind.STOP and change.new is not None:
            self._hold(change.new, answers=True)
        if kind is not StepKind.START and change.old is not None:
            self._release(change.old, change.is_available)
        self.phases[index] = _phase_after(kind, change)

    def begin(self, kind: StepKind, index: int) -> None:
        """Count a step at its worst moment.

        What comes holds its places already and does not answer yet; what goes holds them still
        and answers no more.
        """
        change = self.changes[index]
        if kind is not StepKind.STOP and change.new is not None:
            self._hold(change.new, answers=False)
        self.available.subtract(self.dropped(kind, index))
        self.phases[index] = _phase_after(kind, change)

    def pending(self) -> list[int]:
        """Changes that are not done."""
        return [i for i, phase in enumerate(self.phases) if phase is not Phase.DONE]

    def roomy_places(self, among: Iterable[int]) -> set[Place]:
        """Places that hold all that runs now and all that is to come, so nobody waits there."""
        coming = self.used_bytes.copy()
        touched: set[Place] = set()
        for index in among:
            new = self.changes[index].new
            if new is not None and self.phases[index] is not Phase.DONE:
                coming.update(new.bytes)
                touched.update(new.bytes)
        return {place for place in touched if coming[place] <= self.capacity_bytes.get(place, 0)}

    def _is_taken(self, seat: str, holder: str) -> bool:
        holders = self._seats.get(seat, Counter())
        return any(count and other != holder for other, count in holders.items())

    def _hold(self, occupancy: Occupancy, answers: bool) -> None:
        self.used_bytes.update(occupancy.bytes)
        for seat, holder in occupancy.seats.items():
            self._seats.setdefault(seat, Counter())[holder] += 1
        if answers:
            self.available.update(occupancy.serves)

    def _release(self, occupancy: Occupancy, answered: bool) -> None:
        self.used_bytes.subtract(occupancy.bytes)
        for seat, holder in occupancy.seats.items():
            self._seats[seat][holder] -= 1
        if answered:
            self.available.subtract(occupancy.serves)


def _phase_after(kind: StepKind, change: Change) -> Phase:
    return Phase.STOPPED if kind is StepKind.STOP and change.new is not None else Phase.DONE
