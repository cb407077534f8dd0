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

_PROOF = 5.0
"""Deterministic time of a search for the conflict itself."""
_GLANCE = 0.5
"""That of one that would only make it smaller."""
_SINGLES = 10.0
"""That of all searches together that drop one requirement at a time, a glance each at least."""


@dataclass(frozen=True)
class Conflict:
    """Requirements that cannot all be met.

    Attributes:
        ids: The clashing requirements.
        minimal: Whether every one was shown to be needed, within the time there was.
    """

    ids: tuple[str, ...]
    minimal: bool


def find_conflict(instance: Instance, clock: Clock) -> Conflict | None:
    """A minimal conflict of an instance, or None where it could not be shown to have one."""
    tester = _Tester(instance, clock)
    for start in _starting_sets(instance):
        if tester.is_impossible(start, _PROOF):
            return tester.shrink(start)
    return None


class _Tester:
    """Answers of placement problems, remembered: what fits, fits with fewer requirements too."""

    def __init__(self, instance: Instance, clock: Clock) -> None:
        self._instance, self._clock = instance, clock
        self._fitting: list[frozenset[str]] = []
        self._in_vain: dict[frozenset[str], float] = {}

    def answer(self, kept: Sequence[str], effort: float) -> Answer:
        """Whether the instance with only these requirements can be placed."""
        key = frozenset(kept)
        if any(key <= one for one in self._fitting):
            return Answer.POSSIBLE
        if self._in_vain.get(key, 0.0) >= effort:
            return Answer.UNKNOWN
        found = can_be_placed(with_only(self._instance, key), self._clock, effort)
        if found is Answer.POSSIBLE:
            self._fitting.append(key)
        elif found is Answer.UNKNOWN:
            self._in_vain[key] = effort
        return found

    def is_impossible(self, kept: Sequence[str], effort: float) -> bool:
        """Whether that was proven impossible."""
        return self.answer(kept, effort) is Answer.IMPOSSIBLE

    def shrink(self, kept: Sequence[str]) -> Conflict:
        """Drop halves, then quarters, at last single ones, while the rest stays impossible."""
        core = list(kept)
        size = max(1, len(core) // 2)
        while size > 1:
            core = self._without_chunks(core, size, _GLANCE)
            size //= 2
        effort = max(_GLANCE, _SINGLES / len(core))
        core = self._without_chunks(core, 1, effort)
        part = with_only(self._instance, core)
        certain = can_be_placed(part, self._clock, _PROOF, certain=True)
        minimal = certain is Answer.IMPOSSIBLE and all(
            self.answer([other for other in core if other != one], effort) is Answer.POSSIBLE
            for one in core
        )
        return Conflict(tuple(sorted(core)), minimal)

    def _without_chunks(self, core: list[str], size: int, effort: float) -> list[str]:
        """Without those runs of requirements whose absence still leaves a clash."""
        start = 0
        while start < len(core):
            rest = core[:start] + core[start + size :]
            if self.is_impossible(rest, effort):
                core = rest
            else:
                start += size
        return core


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
