"""When to stop: limits of one solve and the clock that watches them."""

import time
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Limits:
    """What a solve may spend.

    Attributes:
        time_seconds: Wall time [s]; results depend on it only where it is truly reached.
        gap: Stop once (objective - bound) / objective is this small.
        seed: Seed of every random choice.
        workers: CP-SAT threads; more than one keeps results equal by interleaving.
        effort: Deterministic work per phase, 1.0 is meant for 60 s on two cores.
        max_moves: Most replicas of the current state that may move; None for no limit.
        move_weight: Weigh moves against the objective instead of after it; None for after.
    """

    time_seconds: float = 60.0
    gap: float = 0.0
    seed: int = 0
    workers: int = 2
    effort: float = 1.0
    max_moves: int | None = None
    move_weight: int | None = None

    @property
    def trades_moves(self) -> bool:
        """Whether moves are limited or weighed, not only kept few at equal cost."""
        return self.max_moves is not None or self.move_weight is not None


@dataclass
class Clock:
    """Wall time of one solve.

    Attributes:
        reserved: Time kept for what comes after the phases that ask this clock [s].
    """

    limits: Limits
    reserved: float = 0.0
    started: float = field(default_factory=time.perf_counter)

    @property
    def seconds(self) -> float:
        """Time since the start [s]."""
        return time.perf_counter() - self.started

    @property
    def left(self) -> float:
        """Time left [s], never negative."""
        return max(0.0, self.limits.time_seconds - self.reserved - self.seconds)

    def has_time(self) -> bool:
        """Whether the wall limit is not reached."""
        return self.left > 0
