"""Which tests reach which lines, and how long each takes: measured once, on unchanged code."""

import ast
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path

import coverage

from benchmarks.mutation.child import Ending, in_child
from benchmarks.mutation.mutant import Mutant

_FEWEST_TESTS = 3
"""Tried in any case, however long they take."""


@dataclass
class Reach:
    """Lines that importing runs, lines that each test runs, and its seconds."""

    imported: dict[str, set[int]] = field(default_factory=dict)
    tests: dict[str, dict[int, set[str]]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    most_seconds: float = 1.0
    """Tests of one mutant end here, counted in seconds of unchanged code."""

    def runs_at_import(self, mutant: Mutant, checkout: Path) -> bool:
        """Whether the changed statement has run before any test begins."""
        lines = statement_lines(checkout / mutant.module, mutant.line)
        return bool(lines & self.imported.get(mutant.module, set()))

    def tests_of(self, mutant: Mutant, checkout: Path) -> list[str]:
        """Tests that reach the changed statement, the quickest first.

        Sets of parameters of one function are much alike, so every function has its turn. What
        runs at import may change any test of the module.
        """
        reached = self.tests.get(mutant.module, {})
        lines: Iterable[int] = statement_lines(checkout / mutant.module, mutant.line)
        if self.runs_at_import(mutant, checkout):
            lines = reached.keys()
        found = set().union(*(reached.get(line, ()) for line in lines))
        if not found and self.runs_at_import(mutant, checkout):
            found = set(self.seconds)
        chosen: list[str] = []
        spent = 0.0
        for test in self._in_turn(found):
            spent += self.seconds[test]
            if len(chosen) >= _FEWEST_TESTS and spent > self.most_seconds:
                break
            chosen.append(test)
        return chosen

    def _in_turn(self, tests: Iterable[str]) -> list[str]:
        """Quick tests first, every further one of the same function as if it took so much more."""
        met: Counter[str] = Counter()
        order: list[tuple[float, str]] = []
        for test in sorted(tests, key=lambda one: (self.seconds[one], one)):
            function = test.partition("[")[0]
            met[function] += 1
            order.append((met[function] * self.seconds[test], test))
        return [test for _, test in sorted(order)]


def lines_run(measured: coverage.Coverage, checkout: Path) -> dict[str, set[int]]:
    """Lines by module that a stopped measurement saw."""
    data = measured.get_data()
    return {
        str(Path(file).relative_to(checkout)): set(data.lines(file) or ())
        for file in data.measured_files()
    }


def started(checkout: Path, modules: Sequence[str]) -> coverage.Coverage:
    """A running measurement of some modules."""
    include = [str(checkout / module) for module in modules]
    measured = coverage.Coverage(data_file=None, include=include, config_file=False)
    measured.set_option("run:disable_warnings", ["no-data-collected"])
    measured.start()
    return measured


def measure(
    tests: Sequence[str],
    run: Callable[[str], bool],
    checkout: Path,
    modules: Sequence[str],
    most_seconds: float,
) -> Reach:
    """Every test alone in a child, so that none profits from what another has cached."""
    reach = Reach(most_seconds=most_seconds)
    # Started once, for starting takes longer than most tests; every child inherits it running.
    measured = started(checkout, modules)

    def alone(test: str) -> tuple[float, dict[str, set[int]]] | None:
        begun = time.process_time()
        passed = run(test)
        seconds = time.process_time() - begun
        measured.stop()
        return (seconds, lines_run(measured, checkout)) if passed else None

    for test in tests:
        ending, answer = in_child(partial(alone, test), 600)
        if ending is not Ending.RETURNED or answer is None:
            continue
        reach.seconds[test], lines = answer
        for module, numbers in lines.items():
            for number in numbers:
                reach.tests.setdefault(module, {}).setdefault(number, set()).add(test)
    measured.stop()
    return reach


@cache
def _statements(path: Path) -> list[tuple[int, int]]:
    """First and last line of every statement, of a compound one without its body."""
    spans = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.stmt | ast.ExceptHandler | ast.match_case):
            first = node.pattern.lineno if isinstance(node, ast.match_case) else node.lineno
            last = getattr(node, "end_lineno", first)
            body = getattr(node, "body", None)
            if body:
                last = max(first, min(last, body[0].lineno - 1))
            decorators = [one.lineno for one in getattr(node, "decorator_list", ())]
            spans.append((min([first, *decorators]), last))
    return spans


def statement_lines(path: Path, line: int) -> set[int]:
    """Lines of the smallest statement around a line."""
    around = [
        (last - first, first, last) for first, last in _statements(path) if first <= line <= last
    ]
    if not around:
        return {line}
    _, first, last = min(around)
    return set(range(first, last + 1))
