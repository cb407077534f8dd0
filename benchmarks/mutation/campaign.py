"""All trials of one part: who reaches what, then one mutant after the other."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.mutation.child import Ending, in_child
from benchmarks.mutation.mutant import Mutant, difference, mutants_of
from benchmarks.mutation.part import Part
from benchmarks.mutation.reach import Reach, lines_run, measure, started
from benchmarks.mutation.trial import WarmTests, collect, survives_exchanged, survives_imported

_CONTROLS = 10
"""Trials of unchanged code; each must survive, or the tests fail by themselves."""
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
        self._say(f"{sum(v is not None for v in verdicts)} of {len(verdicts)} tried where imported")
        self._control(reach)
        for number, trial in enumerate(self._trials):
            if number % 100 == 0:
                self._say(f"mutant {number} of {len(self._trials)}, imported anew where needed")
            if verdicts[number] is None:
                verdicts[number] = self._imported(trial.mutant, trial.changed, reach)
        return [
            (trial, f"{len(reach.tests_of(trial.mutant, self._checkout))} tests")
            for trial, survives in zip(self._trials, verdicts, strict=True)
            if survives
        ]

    def _warm(self, part: Part) -> tuple[Reach, list[bool | None]]:
        """Whether each mutant survives; None where it must be imported anew. In a child."""
        modules = part.files(self._checkout)
        importing = started(self._checkout, modules)
        found: list[tuple[Reach, list[bool | None]]] = []

        def work(warm: WarmTests) -> None:
            importing.stop()
            self._say(f"{len(warm.names)} tests")
            reach = measure(
                warm.names, lambda test: warm.pass_all([test], {}), self._checkout, modules
            )
            reach.imported = lines_run(importing, self._checkout)
            self._say(f"{len(reach.seconds)} pass, {sum(reach.seconds.values()):.0f} s")
            found.append((reach, list(self._exchanged(warm, reach))))

        collect(part, work, self._log)
        return found[0]

    def _exchanged(self, warm: WarmTests, reach: Reach) -> Iterator[bool | None]:
        """The trials whose functions may be exchanged, after as many controls."""
        warm_trials = [
            one for one in self._trials if not reach.runs_at_import(one.mutant, self._checkout)
        ]
        for trial in random.Random(0).sample(warm_trials, min(_CONTROLS, len(warm_trials))):
            tests, path = self._tests(trial.mutant, reach)
            if survives_exchanged(warm, path, trial.original, tests, reach.seconds) is False:
                raise UnsoundTests(f"a test fails on unchanged code: {tests}")
        for number, trial in enumerate(self._trials):
            if number % 100 == 0:
                self._say(f"mutant {number} of {len(self._trials)}")
            tests, path = self._tests(trial.mutant, reach)
            if not tests:
                yield True
            elif reach.runs_at_import(trial.mutant, self._checkout):
                yield None
            else:
                yield survives_exchanged(warm, path, trial.changed, tests, reach.seconds)

    def _control(self, reach: Reach) -> None:
        """Unchanged code, imported anew."""
        for trial in random.Random(0).sample(self._trials, min(3, len(self._trials))):
            if not self._imported(trial.mutant, trial.original, reach):
                raise UnsoundTests(f"unchanged {trial.mutant.module} fails, see {self._log}")

    def _imported(self, mutant: Mutant, text: str, reach: Reach) -> bool:
        tests, path = self._tests(mutant, reach)
        seconds = 30 + 5 * sum(reach.seconds[test] for test in tests)
        name = mutant.module.removesuffix(".py").replace("/", ".")
        return not tests or survives_imported(path, name, text, tests, seconds, self._log)

    def _tests(self, mutant: Mutant, reach: Reach) -> tuple[list[str], Path]:
        return reach.tests_of(mutant, self._checkout), self._checkout / mutant.module
