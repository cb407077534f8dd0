"""What a server holds while it runs, and how each server is to change."""

from collections.abc import Mapping
from dataclasses import dataclass, field

HOST = -1
"""Stands where a card's index would: the memory of the node itself."""


@dataclass(frozen=True, order=True)
class Place:
    """Memory that servers share: a card of a node, or the node's own memory (``HOST``)."""

    node: str
    gpu: int

    def __str__(self) -> str:
        return f"{self.node} memory" if self.gpu == HOST else f"{self.node} gpu{self.gpu}"


@dataclass(frozen=True)
class Occupancy:
    """What one running server holds.

    Attributes:
        bytes: Upper band at each place [bytes].
        serves: Names of the workloads that it answers for.
        seats: Seat → holder. Two servers that run at once may share a seat only with the same
            holder: a card that only one claim can own, a node where one replica of a workload
            may sit.
    """

    bytes: Mapping[Place, int]
    serves: frozenset[str]
    seats: Mapping[str, str] = field(default_factory=dict)

    def clashes_with(self, other: "Occupancy") -> bool:
        """Whether both cannot run at once, however much memory there is."""
        return any(other.seats.get(seat, holder) != holder for seat, holder in self.seats.items())


@dataclass(frozen=True)
class Change:
    """One server that comes, goes, or runs elsewhere or otherwise.

    Attributes:
        name: Of the server.
        old: What it holds now; None if it does not run, or where it ran is lost.
        new: What it will hold; None if it is to go.
        is_available: Whether it answers now; a pending or broken server protects nobody.
        start_seconds: From its start until it answers [s], an estimate.
    """

    name: str
    old: Occupancy | None
    new: Occupancy | None
    is_available: bool = True
    start_seconds: float = 0.0


@dataclass(frozen=True)
class RunningServers:
    """Servers that stay as they are and the room that all share.

    Attributes:
        capacity_bytes: What all servers together may hold at each place [bytes].
        unchanged: Servers that go on, with whether each answers.
        min_available: Workload → servers that must answer for it at every moment.
    """

    capacity_bytes: Mapping[Place, int]
    unchanged: tuple[tuple[Occupancy, bool], ...]
    min_available: Mapping[str, int]
