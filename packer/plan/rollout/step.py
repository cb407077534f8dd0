"""The way of a change, as it is shown beforehand and carried out."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from packer.plan.rollout.change import Place


class StepKind(Enum):
    """What is done to one server."""

    START = "start"
    STOP = "stop"
    REPLACE = "replace"
    """Start the new one, wait until it answers, stop the old one."""


@dataclass(frozen=True)
class Step:
    """One thing done to one server."""

    kind: StepKind
    server: str


@dataclass(frozen=True)
class ForcedStop:
    """A server that must stop before its successor can start.

    Attributes:
        with_others: Servers that wait for each other in a circle with it; empty if it is in its
            own way.
    """

    server: str
    with_others: tuple[str, ...]


@dataclass(frozen=True)
class Shortfall:
    """A workload that goes below what must be available, and the stops that cause it."""

    workload: str
    least_available: int
    min_available: int
    stops: tuple[str, ...]


@dataclass(frozen=True)
class Rollout:
    """Steps from the running servers to the planned ones.

    Attributes:
        waves: Steps that may run at the same time, in any order; one wave after the other.
        peak_bytes: Place → most that is held there at any moment, whatever the order within a
            wave [bytes]; upper bands.
        forced_stops: Servers with a gap in service.
        stops_are_fewest: Whether no other order has fewer forced stops; exact search.
        shortfalls: What must be allowed before this may be carried out.
        downtime_seconds: Workload → time in which nothing answers for it [s], an estimate.
        seconds: Of the whole change [s], an estimate.
    """

    waves: tuple[tuple[Step, ...], ...]
    peak_bytes: Mapping[Place, int]
    forced_stops: tuple[ForcedStop, ...]
    stops_are_fewest: bool
    shortfalls: tuple[Shortfall, ...]
    downtime_seconds: Mapping[str, float]
    seconds: float

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps, in order."""
        return tuple(step for wave in self.waves for step in wave)
