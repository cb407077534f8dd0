"""What an apply was to do and how it ended, to be kept. The dataclasses are the JSON contract."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from packer.plan.plan import API_VERSION, Inputs
from packer.plan.rollout.change import HOST, Place
from packer.plan.rollout.step import Rollout


class Ending(StrEnum):
    """How far an apply came."""

    SHOWN = "shown"
    CHECKED = "checked"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class RecordedStep:
    """One step; those of one wave may run in any order."""

    wave: int
    step: str
    server: str


@dataclass(frozen=True)
class RecordedPeak:
    """Most that is held at one place at any moment; ``gpu`` is None for the node's memory."""

    node: str
    gpu: int | None
    peak_bytes: int
    allocatable_bytes: int


@dataclass(frozen=True)
class RecordedStop:
    """A server with a gap in service, and those that wait for each other in a circle with it."""

    server: str
    with_others: tuple[str, ...]


@dataclass(frozen=True)
class RecordedShortfall:
    """A workload that goes below what must be available."""

    workload: str
    least_available: int
    min_available: int
    stops: tuple[str, ...]


@dataclass(frozen=True)
class RecordedGap:
    """Time in which nothing answers for a workload [s], an estimate."""

    workload: str
    seconds: float


@dataclass(frozen=True)
class AppliedChange:
    """One apply: the difference, the way, its peaks and gaps, and how it ended.

    Attributes:
        plan: Name of the plan. inputs: What that plan was made from.
        difference: Between cluster and plan, line by line.
        peaks: Upper bands [bytes].
        seconds: Of the whole change, an estimate. taken_seconds: What it took; None until it ended.
        written: Objects written or deleted, as ``Kind name``.
        problem: Why it failed.
    """

    plan: str
    inputs: Inputs
    cluster: str
    namespace: str
    started: str
    difference: tuple[str, ...]
    steps: tuple[RecordedStep, ...]
    peaks: tuple[RecordedPeak, ...]
    forced_stops: tuple[RecordedStop, ...]
    stops_are_fewest: bool
    shortfalls: tuple[RecordedShortfall, ...]
    gaps: tuple[RecordedGap, ...]
    seconds: float
    ending: Ending = Ending.SHOWN
    taken_seconds: float | None = None
    written: tuple[str, ...] = ()
    problem: str = ""
    apiVersion: str = field(default=API_VERSION)  # noqa: N815 — the name Kubernetes tools expect
    kind: str = field(default="AppliedChange")


def recorded_steps(rollout: Rollout) -> tuple[RecordedStep, ...]:
    """Steps of a rollout with the number of their wave, from 1."""
    return tuple(
        RecordedStep(number, step.kind.value, step.server)
        for number, wave in enumerate(rollout.waves, start=1)
        for step in wave
    )


def recorded_peaks(
    rollout: Rollout, capacity_bytes: Mapping[Place, int]
) -> tuple[RecordedPeak, ...]:
    """Peak of every place a rollout touches, beside what may be held there [bytes]."""
    return tuple(
        RecordedPeak(
            place.node, None if place.gpu == HOST else place.gpu, peak, capacity_bytes.get(place, 0)
        )
        for place, peak in rollout.peak_bytes.items()
    )
