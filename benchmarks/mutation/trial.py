"""Trials of mutants in forked children of a process that has everything imported already.

A changed function that has not run yet is exchanged where the tests are collected; whatever runs
at import is imported anew, in a child of a process that has heavy libraries but none of ours.
"""

import importlib.abc
import importlib.util
import mmap
import sys
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from enum import IntEnum
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import pytest

from benchmarks.mutation.child import Ending, in_child
from benchmarks.mutation.warm import PYTEST_OPTIONS, WarmTests, silence


class Exchange:
    """A changed module whose functions take the place of the ones that are there."""

    def __init__(self, warm: WarmTests, path: Path, changed: str, tests: Sequence[str]) -> None:
        self._codes, self.tests = _codes(_compiled(changed, path)), tests
        self._functions = warm.functions(path)
        self._originals = [one.__code__ for one in self._functions]

    def apply(self) -> bool:
        """Give every function its changed code; whether all could take it."""
        for one in self._functions:
            code = self._codes.get((one.__code__.co_qualname, one.__code__.co_firstlineno))
            if code is None or len(code.co_freevars) != len(one.__code__.co_freevars):
                return False
            one.__code__ = code
        return True

    def undo(self) -> None:
        """Give every function its own code."""
        for one, code in zip(self._functions, self._originals, strict=True):
            one.__code__ = code


class Verdict(IntEnum):
    """What became of one trial."""

    UNTRIED = 0
    BEGUN = 1
    SURVIVES = 2
    KILLED = 3
    MUST_BE_IMPORTED = 4


def tried_together(
    warm: WarmTests, exchanges: Sequence[Exchange], usual: Mapping[str, float]
) -> list[Verdict]:
    """One exchange after the other in one child, for forking takes longer than most tests.

    Caches are emptied between them, and a test that fails must pass again when the exchange is
    undone. Where it does not, the child ends, and the rest stays untried; of a single trial
    nothing came before that could have spoilt it, and the failure stands.

    Functions that have run before, and may have left something behind, are the caller's to avoid.
    """
    verdicts = mmap.mmap(-1, len(exchanges))

    def trials() -> None:
        for number, exchange in enumerate(exchanges):
            verdicts[number] = Verdict.BEGUN
            can_be = exchange.apply()
            passes = can_be and warm.pass_all(exchange.tests, usual)
            exchange.undo()
            warm.empty_caches()
            if (
                can_be
                and not passes
                and len(exchanges) > 1
                and not warm.pass_all([warm.failed], usual)
            ):
                verdicts[number] = Verdict.UNTRIED
                return
            killed = Verdict.SURVIVES if passes else Verdict.KILLED
            verdicts[number] = killed if can_be else Verdict.MUST_BE_IMPORTED

    seconds = 60 + 12 * sum(usual[test] for one in exchanges for test in one.tests)
    in_child(trials, seconds)
    # Whatever had begun when the child ended has ended it.
    return [Verdict.KILLED if one == Verdict.BEGUN else Verdict(one) for one in verdicts[:]]


def survives_imported(
    path: Path, name: str, changed: str, tests: Sequence[str], seconds: float, log: Path
) -> bool:
    """Whether no test fails when the changed module is imported in a fresh child."""
    loader = _Changed(path, name, _compiled(changed, path))

    def trial() -> bool:
        with silence(log):
            sys.meta_path.insert(0, loader)
            status = pytest.main(["-x", *PYTEST_OPTIONS, *tests])
        return status in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)

    ending, answer = in_child(trial, seconds)
    return ending is Ending.RETURNED and bool(answer)


def _compiled(text: str, path: Path) -> CodeType:
    """A module's code; words of the compiler about odd comparisons are no test."""
    with warnings.catch_warnings(action="ignore"):
        return compile(text, str(path), "exec")


_Key = tuple[str, int]


def _codes(module: CodeType) -> dict[_Key, CodeType | None]:
    """Code of every function by name and line; None where two share both."""
    found: list[CodeType] = []
    waiting = [module]
    while waiting:
        inner = [one for one in waiting.pop().co_consts if isinstance(one, CodeType)]
        found += inner
        waiting += inner
    counts = Counter((one.co_qualname, one.co_firstlineno) for one in found)
    return {
        (one.co_qualname, one.co_firstlineno): one
        if counts[one.co_qualname, one.co_firstlineno] == 1
        else None
        for one in found
    }


class _Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds one module and loads the changed text instead."""

    def __init__(self, path: Path, name: str, changed: CodeType) -> None:
        self._path, self._name, self._changed = path, name, changed

    def find_spec(self, fullname: str, path: Any, target: ModuleType | None = None) -> Any:
        """The changed module, where it is the one that is asked for."""
        if fullname != self._name:
            return None
        return importlib.util.spec_from_file_location(fullname, self._path, loader=self)

    def create_module(self, spec: ModuleSpec) -> None:
        """Python's own way."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the changed text."""
        exec(self._changed, module.__dict__)
