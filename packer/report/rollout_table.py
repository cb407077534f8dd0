"""The way of a change in words: steps, peaks, gaps in service, before anything is touched."""

from collections.abc import Iterator, Mapping

from packer.plan.rollout.change import Place
from packer.plan.rollout.step import Rollout, StepKind
from packer.report.text_columns import columns
from packer.units import format_bytes

STEP_WORDS: dict[StepKind, str] = {
    StepKind.START: "start",
    StepKind.STOP: "stop",
    StepKind.REPLACE: "start new, wait until it answers, stop old",
}


def rollout_text(rollout: Rollout, capacity_bytes: Mapping[Place, int], width: int) -> str:
    """Steps, peaks and gaps of a change, for a terminal; bytes are upper bands, times estimates."""
    if not rollout.waves:
        return "Nothing to change.\n"
    parts = [_heading(rollout), *_steps(rollout, width), "", *_peaks(rollout, capacity_bytes)]
    gaps = list(_gaps(rollout))
    return "\n".join([*parts, *([""] if gaps else []), *gaps]) + "\n"


def _heading(rollout: Rollout) -> str:
    steps, waves = len(rollout.steps), len(rollout.waves)
    stops = len(rollout.forced_stops)
    proof = "proven fewest" if rollout.stops_are_fewest else "fewest not proven"
    return (
        f"{steps} {_plural('step', steps)} in {waves} {_plural('wave', waves)}, "
        f"about {rollout.seconds:.0f} s; "
        f"{stops} forced {_plural('stop', stops)} ({proof})"
    )


def _plural(word: str, number: int) -> str:
    return word if number == 1 else f"{word}s"


def _steps(rollout: Rollout, width: int) -> list[str]:
    because = {stop.server: _reason(stop.with_others) for stop in rollout.forced_stops}
    rows = [
        (
            str(number) if first else "",
            step.server,
            STEP_WORDS[step.kind]
            + (because.get(step.server, "") if step.kind is StepKind.STOP else ""),
        )
        for number, wave in enumerate(rollout.waves, start=1)
        for first, step in ((index == 0, one) for index, one in enumerate(wave))
    ]
    return columns(("Wave", "Server", "Step"), rows, width, frozenset({0}))


def _reason(others: tuple[str, ...]) -> str:
    if not others:
        return " first: old and new do not fit side by side"
    return f" first: it and {', '.join(others)} stand where the others have to go"


def _peaks(rollout: Rollout, capacity_bytes: Mapping[Place, int]) -> list[str]:
    rows = [
        (str(place), format_bytes(peak), format_bytes(capacity_bytes.get(place, 0)))
        for place, peak in rollout.peak_bytes.items()
    ]
    return columns(("Place", "Peak", "Allocatable"), rows, 0, frozenset({1}))


def _gaps(rollout: Rollout) -> Iterator[str]:
    for workload, seconds in rollout.downtime_seconds.items():
        yield f"{workload}: nothing answers for about {seconds:.0f} s"
    for one in rollout.shortfalls:
        yield (
            f"{one.workload}: {one.least_available} of at least {one.min_available} answer while "
            f"{', '.join(one.stops)} {'is' if len(one.stops) == 1 else 'are'} stopped; "
            "no order of steps avoids it"
        )
