"""Changes of what a plan was made from: files, and the inventory of a cluster."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from packer.api.plan_sources import PlanSources
from packer.errors import GpuPackerError, InvalidInput, Problem

_SETTLING_LOOKS = 20
"""A file that changes at every look is taken as it is after so many."""
_LOOKS_PER_CLUSTER_LOOK = 5
_FASTEST_SECONDS = 0.05


class Watched(Protocol):
    """Something that may change; ``name`` is what people call it."""

    name: str

    def state(self) -> str:
        """What tells one state from another."""


class WatchedCluster:
    """The inventory of a cluster; read more rarely than files are looked at."""

    name = "the cluster"

    def __init__(self, sources: PlanSources, every_seconds: float) -> None:
        """Read nothing yet."""
        self._sources, self._every = sources, every_seconds
        self._read_at = float("-inf")
        self._state = ""

    def state(self) -> str:
        """Text of its inventory, not older than asked; of a cluster that fails, why."""
        if time.monotonic() - self._read_at >= self._every:
            self._state = self._now()
            self._read_at = time.monotonic()
        return self._state

    def _now(self) -> str:
        from packer.api.inputs import read_sources
        from packer.api.live_inventory import live_inventory
        from packer.spec.fleet_file import fleet_name

        one = self._sources
        try:
            (asked,) = read_sources([one.fleet])
            name = fleet_name(asked.text, asked.file)
            found = live_inventory(context=one.context, kubeconfig=one.kubeconfig, replaced=name)
        except GpuPackerError as error:
            return f"{type(error).__name__}: {error}"
        return found.text


def watched(sources: PlanSources, every_seconds: float = 2.0) -> tuple[Watched, ...]:
    """Everything whose change is a reason to plan anew.

    Args:
        sources: What the plan is made from.
        every_seconds: Time between two looks at the files [s]; a cluster is read at every fifth.

    Raises:
        InvalidInput: P0475, standard input cannot be watched.
    """
    from packer.files.watched_file import WatchedFile

    if "-" in sources.files:
        title = "standard input cannot be watched"
        raise InvalidInput(Problem("P0475", title, help="save it in a file, or leave --watch out"))
    found: list[Watched] = [WatchedFile(name) for name in sources.files]
    if sources.is_live:
        found.append(WatchedCluster(sources, _LOOKS_PER_CLUSTER_LOOK * every_seconds))
    return tuple(found)


class Changes:
    """Changes of some things, one after the other; without an end."""

    def __init__(
        self,
        things: Sequence[Watched],
        every_seconds: float = 2.0,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Look at everything once: whatever changes from now on is told.

        Args:
            things: What to look at.
            every_seconds: Time between two looks [s].
            sleep: Waits.
        """
        self._things, self._sleep = things, sleep
        self._pause = max(_FASTEST_SECONDS, every_seconds)
        self._known = self._look()

    def __iter__(self) -> Iterator[tuple[str, ...]]:
        """Names of what has changed, each time something has and has settled since.

        What changed while the caller was busy is told next. A change that is taken back before it
        has settled is none.
        """
        while True:
            self._sleep(self._pause)
            if self._look() != self._known:
                now = self._settled()
                changed = tuple(
                    one.name
                    for one, old, new in zip(self._things, self._known, now, strict=True)
                    if old != new
                )
                self._known = now
                if changed:
                    yield changed

    def _settled(self) -> list[str]:
        """States once two looks agree; or after so many that waiting is no use."""
        now = self._look()
        for _ in range(_SETTLING_LOOKS):
            self._sleep(self._pause)
            before, now = now, self._look()
            if now == before:
                break
        return now

    def _look(self) -> list[str]:
        return [one.state() for one in self._things]
