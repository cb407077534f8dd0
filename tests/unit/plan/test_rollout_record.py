"""The record of a change: steps with their wave, peaks beside the room there is."""

from dataclasses import FrozenInstanceError, fields, is_dataclass

import pytest

from packer.plan.rollout.change import HOST, Change, Occupancy, Place, RunningServers
from packer.plan.rollout.order import rollout
from packer.plan.rollout.record import (
    RecordedGap,
    RecordedPeak,
    RecordedShortfall,
    RecordedStep,
    RecordedStop,
    recorded_peaks,
    recorded_steps,
)
from tests.report_answers import change_of
from tests.sample_plans import tiny_plan

FIRST, SECOND, MEMORY = Place("n0", 0), Place("n0", 1), Place("n0", HOST)


def test_steps_carry_their_wave_and_peaks_their_room() -> None:
    old = Occupancy({FIRST: 6, MEMORY: 2}, frozenset({"a"}))
    new = Occupancy({SECOND: 7, MEMORY: 3}, frozenset({"a"}))
    room = {FIRST: 10, SECOND: 9, MEMORY: 4}
    planned = rollout(RunningServers(room, (), {}), (Change("a", old, new),))
    assert recorded_steps(planned) == (RecordedStep(1, "stop", "a"), RecordedStep(2, "start", "a"))
    assert recorded_peaks(planned, room) == (
        RecordedPeak("n0", None, 3, 4),
        RecordedPeak("n0", 0, 6, 10),
        RecordedPeak("n0", 1, 7, 9),
    )
    assert {one.allocatable_bytes for one in recorded_peaks(planned, {})} == {0}


@pytest.mark.parametrize(
    "one",
    [
        RecordedStep(1, "stop", "a"),
        RecordedPeak("n0", None, 3, 4),
        RecordedStop("a", ()),
        RecordedShortfall("a", 0, 1, ("a",)),
        RecordedGap("a", 1.0),
        change_of(tiny_plan()),
    ],
    ids=lambda one: type(one).__name__,
)
def test_what_was_recorded_stays(one: object) -> None:
    assert is_dataclass(one)
    name = fields(one)[0].name
    with pytest.raises(FrozenInstanceError):
        setattr(one, name, getattr(one, name))
