"""Progress of the solver on stderr: incumbent, bound, gap; silent without a terminal."""

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from packer.solver.outcome import Progress


class SolverProgress:
    """A callback that keeps one line of stderr up to date."""

    def __init__(self) -> None:
        self._shown = False
        self._animated = sys.stderr.isatty()

    def __call__(self, progress: "Progress") -> None:
        """Show one step."""
        if not self._animated:
            return
        best, bound = progress.objective, progress.bound
        gap = f"{(best - bound) / best:.1%}" if best and bound is not None else "–"
        sys.stderr.write(
            f"\r\x1b[2K{progress.phase}: incumbent {_shown(best)}, bound {_shown(bound)}, "
            f"gap {gap}, {progress.seconds:.1f} s"
        )
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


def _shown(value: int | None) -> str:
    return "–" if value is None else str(value)
