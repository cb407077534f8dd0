"""Why no placement exists: a minimal set of clashing requirements, verified by solving.

A deletion filter over whole placement problems: a requirement stays only if without it the rest
was really placed. Nothing is taken from a solver's own account of its conflict.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from packer.solver.feasibility import Answer, can_be_placed
from packer.solver.instance import Instance
from packer.solver.relaxation import Relaxation
from packer.solver.requirements import requirements, with_only
from packer.solver.stopping import Clock


@dataclass(frozen=True)
class Conflict:
    """Requirements that cannot all be met.

    Attributes:
        ids: The clashing requirements.
        minimal: Whether every one was shown to be needed, within the time there was.
    """

    ids: tuple[str, ...]
    minimal: bool


def find_conflict(instance: Instance, clock: Clock, effort: float = 5.0) -> Conflict | None:
    """A minimal conflict of an instance, or None where it could not be shown to have one."""
    tester = _Tester(instance, clock, effort)
    for start in _starting_sets(instance):
        if tester.impossible(start):
            return tester.shrink(start)
    return None


class _Tester:
    """Answers of placement problems, remembered."""

    def __init__(self, instance: Instance, clock: Clock, effort: float) -> None:
        self._instance, self._clock, self._effort = instance, clock, effort
        self._known: dict[frozenset[str], Answer] = {}

    def answer(self, kept: Sequence[str]) -> Answer:
        """Whether the instance with only these requirements can be placed."""
        key = frozenset(kept)
        if key not in self._known:
            part = with_only(self._instance, key)
            self._known[key] = can_be_placed(part, self._clock, self._effort)
        return self._known[key]

    def impossible(self, kept: Sequence[str]) -> bool:
        """Whether that was proven impossible."""
        return self.answer(kept) is Answer.IMPOSSIBLE

    def shrink(self, kept: Sequence[str]) -> Conflict:
        """Drop halves, then quarters, at last single ones, while the rest stays impossible."""
        core = list(kept)
        size = max(1, len(core) // 2)
        while True:
            start = 0
            while start < len(core):
                rest = core[:start] + core[start + size :]
                if self.impossible(rest):
                    core = rest
                else:
                    start += size
            if size == 1:
                break
            size = max(1, size // 2)
        part = with_only(self._instance, core)
        certain = can_be_placed(part, self._clock, self._effort, certain=True)
        minimal = certain is Answer.IMPOSSIBLE and all(
            self.answer([other for other in core if other != one]) is Answer.POSSIBLE
            for one in core
        )
        return Conflict(tuple(sorted(core)), minimal)


def _starting_sets(instance: Instance) -> list[tuple[str, ...]]:
    """Small sets that may already clash, then everything.

    What the relaxation leaves unserved, and what pays more than the dearest card for its place,
    are where a shortage shows.
    """
    every = requirements(instance)
    result = Relaxation(instance).solve()
    sets: list[tuple[str, ...]] = []
    if result is not None:
        short = {
            item.name
            for item, left in zip(instance.items, result.unserved, strict=True)
            if left > 1e-6
        }
        sets.append(_concerning(instance, every, short))
    ruled = {name for one in instance.constraints for name in one.items}
    sets.append(_concerning(instance, every, ruled))
    return [one for one in dict.fromkeys(sets) if one] + [every]


def _concerning(instance: Instance, every: Sequence[str], names: set[str]) -> tuple[str, ...]:
    """Requirements about these items only."""
    chosen = []
    for one in every:
        kind, _, rest = one.partition(":")
        if kind == "constraint":
            about = set(instance.constraints[int(rest)].items)
        elif kind == "antiaff":
            about = {rest.rpartition(":")[0]}
        else:
            about = {rest}
        if about <= names:
            chosen.append(one)
    return tuple(chosen) if any(one.startswith("count:") for one in chosen) else ()
