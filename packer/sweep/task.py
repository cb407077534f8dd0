"""What every engine takes and gives: a function, what all tasks share, tasks, their results.

Engines know nothing of fleets. A task that raises, or whose process dies, gives a failure in
words; it never ends the others.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Work = Callable[[Any, Any], Any]
"""A function of a module, so that other machines find it: (what all share, task) → result."""


@dataclass(frozen=True)
class Finished:
    """One task that came back; ``failure`` is empty where there is a result."""

    index: int
    result: Any = None
    failure: str = ""


class Engine(Protocol):
    """Runs tasks in any order and yields each as it comes back."""

    name: str

    @property
    def processes(self) -> int:
        """How many tasks run at once."""
        ...

    def run(self, work: Work, shared: Any, tasks: Sequence[Any]) -> Iterator[Finished]:
        """Every task once; closing the iterator ends what still runs."""
        ...


def failure_of(error: BaseException) -> str:
    """An exception in one line: its kind and what it says."""
    words = " ".join(str(error).split())
    return f"{type(error).__name__}: {words}"[:400] if words else type(error).__name__
