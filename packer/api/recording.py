"""What an apply was to do and how it ended, kept in a file that ``report`` shows."""

import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from packer.errors import InvalidInput

if TYPE_CHECKING:
    from packer.api.changing import LiveDifference
    from packer.plan.rollout.record import AppliedChange
    from packer.plan.rollout.step import Rollout


def change_record(found: "LiveDifference", rollout: "Rollout") -> "AppliedChange":
    """The record of a change that was shown and not begun."""
    from packer.cluster.rollout import capacity_of
    from packer.plan.rollout.record import (
        AppliedChange,
        RecordedGap,
        RecordedShortfall,
        RecordedStop,
        recorded_peaks,
        recorded_steps,
    )

    return AppliedChange(
        plan=found.plan.name,
        inputs=found.plan.inputs,
        cluster=found.cluster.name,
        namespace=found.live.namespace,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        difference=tuple(found.text.splitlines()),
        steps=recorded_steps(rollout),
        peaks=recorded_peaks(rollout, capacity_of(found.plan, found.difference)),
        forced_stops=tuple(
            RecordedStop(one.server, one.with_others) for one in rollout.forced_stops
        ),
        stops_are_fewest=rollout.stops_are_fewest,
        shortfalls=tuple(
            RecordedShortfall(one.workload, one.least_available, one.min_available, one.stops)
            for one in rollout.shortfalls
        ),
        gaps=tuple(RecordedGap(name, round(s, 1)) for name, s in rollout.downtime_seconds.items()),
        seconds=round(rollout.seconds, 1),
    )


class KeptChange:
    """Keeps the record of a change in a file: before it begins, and again however it ends."""

    def __init__(self, record: "AppliedChange", path: str | Path = "") -> None:
        """Keep what is shown; no path keeps nothing."""
        self._record, self._path = record, path
        self._began: float | None = None
        self._keep()

    def __enter__(self) -> Self:
        """Begin."""
        self._began = time.monotonic()
        return self

    def done(self, written: tuple[tuple[str, str], ...], *, is_dry_run: bool) -> None:
        """Note that all is written, or checked."""
        from packer.plan.rollout.record import Ending

        self._record = replace(
            self._record,
            ending=Ending.CHECKED if is_dry_run else Ending.DONE,
            written=tuple(f"{kind} {name}" for kind, name in written),
        )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Keep how it ended."""
        from packer.plan.rollout.record import Ending

        if isinstance(error, KeyboardInterrupt):
            self._record = replace(self._record, ending=Ending.INTERRUPTED)
        elif error is not None:
            self._record = replace(self._record, ending=Ending.FAILED, problem=_reason(error))
        taken = time.monotonic() - (self._began or time.monotonic())
        self._record = replace(self._record, taken_seconds=round(taken, 1))
        self._keep()

    def _keep(self) -> None:
        if not self._path:
            return
        from packer.files.single_file import write_file
        from packer.spec.contract_text import format_contract

        write_file(Path(self._path), format_contract(self._record))


def _reason(error: BaseException) -> str:
    """What failed, on one line."""
    if isinstance(error, InvalidInput):
        return "; ".join(f"{one.title}: {one.why}".rstrip(": ") for one in error.problems)
    return " ".join(str(error).split()) or type(error).__name__
