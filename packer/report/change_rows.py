"""A kept change in words and rows: its steps, the peak of every place, its gaps, its ending."""

from collections.abc import Iterator

from packer.plan.rollout.record import AppliedChange, Ending, RecordedPeak, RecordedStep
from packer.plan.rollout.step import StepKind
from packer.report.rollout_table import STEP_WORDS
from packer.report.wording import counted
from packer.units import format_bytes

ENDINGS: dict[Ending, str] = {
    Ending.SHOWN: "shown, not carried out",
    Ending.CHECKED: "checked by the API server, not carried out",
    Ending.DONE: "carried out",
    Ending.FAILED: "failed on the way; run the same command again",
    Ending.INTERRUPTED: "interrupted; run the same command again",
}
_KINDS = {kind.value: words for kind, words in STEP_WORDS.items()}
_STOP = StepKind.STOP.value


def change_words(change: AppliedChange) -> str:
    """One sentence: what, where, when, how long it was to take and took, how it ended."""
    taken = "" if change.taken_seconds is None else f", took {change.taken_seconds:.0f} s"
    proof = "proven fewest" if change.stops_are_fewest else "fewest not proven"
    return (
        f"{change.started}, namespace {change.namespace} of {change.cluster}: "
        f"{ENDINGS[change.ending]}. {counted(len(change.steps), 'step')}, "
        f"{counted(len(change.forced_stops), 'forced stop')} ({proof}), "
        f"expected {change.seconds:.0f} s{taken}; "
        f"{counted(len(change.written), 'object')} written or deleted."
    )


def step_rows(change: AppliedChange) -> Iterator[tuple[str, str, str]]:
    """Wave, server and step; a stop says what it waits for."""
    circles = {one.server: one.with_others for one in change.forced_stops}
    for one in change.steps:
        yield str(one.wave), one.server, _step_words(one, circles.get(one.server))


def _step_words(one: RecordedStep, circle: tuple[str, ...] | None) -> str:
    words = _KINDS.get(one.step, one.step)
    if one.step != _STOP or circle is None:
        return words
    return f"{words} first" + (f", for {', '.join(circle)}" if circle else "")


def peak_rows(change: AppliedChange) -> Iterator[tuple[str, str, str, str]]:
    """Place, peak, room, and the share of it; upper bands."""
    for one in change.peaks:
        room = one.allocatable_bytes
        share = f"{100 * one.peak_bytes / room:.1f} %" if room else ""
        yield _place(one), format_bytes(one.peak_bytes), format_bytes(room), share


def gap_rows(change: AppliedChange) -> Iterator[tuple[str, str]]:
    """Workload and what its clients notice."""
    for gap in change.gaps:
        yield gap.workload, f"nothing answers for about {gap.seconds:.0f} s"
    for one in change.shortfalls:
        stopped = ", ".join(one.stops)
        least = f"{one.least_available} of at least {one.min_available} answer"
        yield one.workload, f"{least} while {stopped} stopped"


def _place(one: RecordedPeak) -> str:
    return f"{one.node} memory" if one.gpu is None else f"{one.node} gpu{one.gpu}"
