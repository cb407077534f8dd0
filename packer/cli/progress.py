"""One line on stderr that is kept up to date; silent without a terminal."""

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

from packer.cli.interruption import CTRL_C

if TYPE_CHECKING:
    from packer.api.sweeping import SweepProgress
    from packer.solver.outcome import Progress


class _StatusLine:
    """A line that each call overwrites and that is gone at the end."""

    def __init__(self) -> None:
        self._shown = False
        self._is_first = True
        self._animated = sys.stderr.isatty()

    def _show(self, text: str) -> None:
        if self._is_first:
            # Heavy libraries were loaded just now. Later presses are answered where they come.
            self._is_first = False
            CTRL_C.pass_on()
        if not self._animated:
            return
        sys.stderr.write(f"\r\x1b[2K{text}")
        sys.stderr.flush()
        self._shown = True

    def __enter__(self) -> Self:
        """Start with a clean line."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave no half line behind."""
        if self._shown:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()


class SolverProgress(_StatusLine):
    """Incumbent, bound and gap of one plan."""

    def __call__(self, progress: "Progress") -> None:
        """Show one step."""
        self._show(_words(progress))


class ScenarioProgress(_StatusLine):
    """The same of one scenario of several."""

    def __call__(self, scenario: str, progress: "Progress") -> None:
        """Show one step."""
        self._show(f"{scenario}: {_words(progress)}")


class SweepLine(_StatusLine):
    """Scenarios answered, and the time left at the pace so far."""

    def __call__(self, progress: "SweepProgress") -> None:
        """Show one step."""
        self._show(
            f"{progress.answered} of {progress.scenarios} scenarios, "
            f"{duration(progress.seconds_left)} left"
        )


def _words(progress: "Progress") -> str:
    best, bound = progress.objective, progress.bound
    gap = f"{(best - bound) / best:.1%}" if best and bound is not None else "–"
    return (
        f"{progress.phase}: incumbent {_shown(best, progress.scale)}, "
        f"bound {_shown(bound, progress.scale)}, "
        f"gap {gap}, {progress.seconds:.1f} s"
    )


def duration(seconds: float) -> str:
    """A time as ``1:02:03`` or ``2:03``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _shown(value: int | None, scale: int) -> str:
    """A number of cards, or money with two decimals where integers stand for parts of it."""
    if value is None:
        return "–"
    return str(value) if scale == 1 else f"{value / scale:.2f}"
