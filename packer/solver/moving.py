"""Moves against the current state: how many replicas stay, and what the others cost."""

from collections import Counter
from collections.abc import Iterable

from packer.solver.instance import Current, Instance, Placed, Vector
from packer.solver.outcome import Moves

Key = tuple[str, int, int, int, Vector]


def move_cost(current: Current, key: Key) -> int:
    """Cost of moving or stopping one replica."""
    return current.move_cost.get(key[0], 1)


def places_now(instance: Instance) -> Counter[Key]:
    """How many replicas run at each place now."""
    current = instance.current
    return Counter(one.key for one in (() if current is None else current.placed))


def kept_replicas(now: Counter[Key], placed: Iterable[Placed]) -> Counter[Key]:
    """Replicas that stay where and as they are."""
    return now & Counter(one.key for one in placed)


def kept_cost(current: Current, kept: Counter[Key]) -> int:
    """Move cost saved by the replicas that stay."""
    return sum(move_cost(current, key) * count for key, count in kept.items())


def count_moves(instance: Instance, placed: Iterable[Placed]) -> Moves | None:
    """Replicas of the current state that stay, go, and what going costs. Exact."""
    if instance.current is None:
        return None
    now = places_now(instance)
    kept = kept_replicas(now, placed)
    gone = now - kept
    return Moves(kept.total(), gone.total(), kept_cost(instance.current, gone))
