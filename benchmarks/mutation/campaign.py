"""All trials of one part: who reaches what, then one mutant after the other."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.mutation.child import Ending, in_child
from benchmarks.mutation.mutant import Mutant, difference, mutants_of
from benchmarks.mutation.part import Part
from benchmarks.mutation.reach import Reach, lines_run, measure, started
from benchmarks.mutation.trial import (
    Exchange,
    Verdict,
    survives_imported,
    tried_together,
)
from benchmarks.mutation.warm import WarmTests, collect

_CONTROLS = 10
"""Trials of unchanged code; each must survive, or the tests fail by themselves."""
_TOGETHER = 16
"""Mutants tried one after the other in one child."""
_MOST_SECONDS = 10**6


@dataclass(frozen=True)
class Trial:
    """A mutant and its text."""

    mutant: Mutant
    original: str
    changed: str

    @property
    def difference(self) -> str:
        """What was changed."""
        return difference(self.mutant, self.original, self.changed)


def chosen(modules: list[str], size: int, seed: int, checkout: Path) -> tuple[list[Trial], int]:
    """A sample of the mutants that are programs of their own, and how many there may be."""
    candidates = [mutant for module in modules for mutant in mutants_of(checkout, module)]
    random.Random(seed).shuffle(candidates)
    trials: list[Trial] = []
    for mutant in candidates:
        if size and len(trials) == size:
            break
        original = (checkout / mutant.module).read_text("utf-8")
        changed = mutant.source(original)
        if changed is not None:
            trials.append(Trial(mutant, original, changed))
    whole = len(trials) if not size or len(trials) < size else len(candidates)
    return sorted(trials, key=lambda one: (one.mutant.module, one.mutant.line)), whole


class UnsoundTests(Exception):
    """Tests fail on unchanged code when run as for a mutant."""


class Campaign:
    """The trials of one part in one checkout."""

    def __init__(
        self, checkout: Path, trials: list[Trial], log: Path, say: Callable[[str], None]
    ) -> None:
        self._checkout, self._trials, self._log, self._say = checkout, trials, log, say

    def survivors(self, part: Part) -> list[tuple[Trial, str]]:
        """Mutants that no test noticed, each with what was tried."""
        ending, answer = in_child(lambda: self._warm(part), _MOST_SECONDS)
        if ending is not Ending.RETURNED:
            raise UnsoundTests(f"the tests could not be collected, see {self._log}")
        reach, verdicts = answer
        self._say(f"{verdicts.count(Verdict.MUST_BE_IMPORTED)} must be imported anew")
        self._control(reach)
        survivors = []
        for trial, verdict in zip(self._trials, verdicts, strict=True):
            survives = verdict is Verdict.SURVIVES
            if verdict is Verdict.MUST_BE_IMPORTED:
                survives = self._imported(trial.mutant, trial.changed, reach)
            if survives:
                survivors.append((trial, f"{len(self._tests(trial.mutant, reach)[0])} tests"))
        return survivors

    def _warm(self, part: Part) -> tuple[Reach, list[Verdict]]:
        """What becomes of every mutant whose functions can be exchanged. In a child."""
        modules = part.files(self._checkout)
        importing = started(self._checkout, modules)
        found: list[tuple[Reach, list[Verdict]]] = []

        def work(warm: WarmTests) -> None:
            importing.stop()
            warm.fill_caches()
            self._say(f"{len(warm.names)} tests")
            reach = measure(
                warm.names,
                lambda test: warm.pass_all([test], {}),
                self._checkout,
                modules,
                part.most_seconds,
            )
            reach.imported = lines_run(importing, self._checkout)
            self._say(f"{len(reach.seconds)} pass, {sum(reach.seconds.values()):.0f} s")
            found.append((reach, self._exchanged(warm, reach)))

        collect(part, work, self._log)
        return found[0]

    def _exchanged(self, warm: WarmTests, reach: Reach) -> list[Verdict]:
        """What becomes of every mutant where its functions are exchanged, controls first."""

        def tried(numbers: list[int], *, is_control: bool = False) -> list[Verdict]:
            exchanges = []
            for trial in (self._trials[number] for number in numbers):
                tests, path = self._tests(trial.mutant, reach)
                text = trial.original if is_control else trial.changed
                exchanges.append(Exchange(warm, path, text, tests))
            return tried_together(warm, exchanges, reach.seconds)

        verdicts = [self._foreseen(trial.mutant, reach) for trial in self._trials]
        waiting = [number for number, one in enumerate(verdicts) if one is Verdict.UNTRIED]
        controls = random.Random(0).sample(waiting, min(_CONTROLS, len(waiting)))
        if set(tried(controls, is_control=True)) - {Verdict.SURVIVES}:
            raise UnsoundTests("a test fails on unchanged code")
        size = _TOGETHER
        while waiting:
            batch = waiting[:size]
            for number, verdict in zip(batch, tried(batch), strict=True):
                verdicts[number] = verdict
                if verdict is Verdict.SURVIVES:
                    self._say(f"survives:\n{self._trials[number].difference}")
            waiting = [number for number in waiting if verdicts[number] is Verdict.UNTRIED]
            # The one whose child was spoilt by those before it.
            size = 1 if waiting and waiting[0] in batch else _TOGETHER
            self._say(f"{len(waiting)} mutants are left")
        return verdicts

    def _foreseen(self, mutant: Mutant, reach: Reach) -> Verdict:
        """What needs no exchange: no test reaches it, or it runs before any test begins."""
        if not self._tests(mutant, reach)[0]:
            return Verdict.SURVIVES
        runs = reach.runs_at_import(mutant, self._checkout)
        return Verdict.MUST_BE_IMPORTED if runs else Verdict.UNTRIED

    def _control(self, reach: Reach) -> None:
        """Unchanged code, imported anew."""
        for trial in random.Random(0).sample(self._trials, min(1, len(self._trials))):
            if not self._imported(trial.mutant, trial.original, reach):
                raise UnsoundTests(f"unchanged {trial.mutant.module} fails, see {self._log}")

    def _imported(self, mutant: Mutant, text: str, reach: Reach) -> bool:
        tests, path = self._tests(mutant, reach)
        seconds = 30 + 5 * sum(reach.seconds[test] for test in tests)
        name = mutant.module.removesuffix(".py").replace("/", ".")
        return not tests or survives_imported(path, name, text, tests, seconds, self._log)

    def _tests(self, mutant: Mutant, reach: Reach) -> tuple[list[str], Path]:
        return reach.tests_of(mutant, self._checkout), self._checkout / mutant.module
