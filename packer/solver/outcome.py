"""What solving an instance gives."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from packer.solver.instance import Placed


class Status(StrEnum):
    """How much is known."""

    OPTIMAL = "optimal"
    FEASIBLE = "feasible"
    INFEASIBLE = "infeasible"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Change:
    """One change to an infeasible instance that makes it feasible, with its price."""

    change: str
    price: int


@dataclass(frozen=True)
class Moves:
    """Replicas of the current state: kept, moved or stopped, and what that costs."""

    kept: int
    moved: int
    cost: int


@dataclass(frozen=True)
class Solution:
    """Placements with their proven bound, or a conflict.

    Attributes:
        objective: Counted from the placements; None without any.
        bound: No placement costs less. None where even that is not known.
        conflict: Minimal clashing requirements, in the format's ids.
        relaxations: Verified changes that would help, cheapest first.
        certificate: What an independent check needs to verify the bound, as JSON values.
        moves: Where there is a current state.
        penalty: Summed penalties of the chosen alternatives.
        seconds: Wall time; the only field that differs between equal runs.
    """

    status: Status
    placed: tuple[Placed, ...] = ()
    objective: int | None = None
    bound: int | None = None
    conflict: tuple[str, ...] = ()
    relaxations: tuple[Change, ...] = ()
    certificate: Mapping[str, Any] = field(default_factory=dict)
    moves: Moves | None = None
    penalty: int = 0
    seed: int = 0
    seconds: float = 0.0

    @property
    def gap(self) -> float | None:
        """(objective - bound) / objective; zero for an objective of zero."""
        if self.objective is None or self.bound is None:
            return None
        return (self.objective - self.bound) / self.objective if self.objective else 0.0


@dataclass(frozen=True)
class Progress:
    """Where a solve is: the phase, the best objective and bound so far, and the time spent [s].

    Attributes:
        scale: Objective and bound are cards or money times this.
    """

    phase: str
    objective: int | None
    bound: int | None
    seconds: float
    scale: int = 1
