"""Trials of mutants in forked children of a process that has everything imported already.

A changed function that has not run yet is exchanged where the tests are collected; whatever runs
at import is imported anew, in a child of a process that has heavy libraries but none of ours.
"""

import gc
import importlib.abc
import importlib.util
import os
import sys
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import pytest

from benchmarks.mutation.child import Ending, in_child, limit_seconds
from benchmarks.mutation.part import Part

_HEAVY = (
    "hypothesis",
    "numpy",
    "networkx",
    "pydantic",
    "yaml",
    "gguf",
    "ortools.sat.python.cp_model",
    "ortools.linear_solver.pywraplp",
)
_LOWEST_PRIORITY = 19
_PYTEST = (
    "-q",
    "-p",
    "no:cacheprovider",
    # Hypothesis is imported before pytest could rewrite its assertions, on purpose.
    "-W",
    "ignore::pytest.PytestAssertRewriteWarning",
)


def import_heavy_libraries() -> None:
    """What every child would import otherwise; none of our own modules."""
    for name in _HEAVY:
        importlib.import_module(name)
    from hypothesis import HealthCheck, Phase, settings

    settings.register_profile(
        "mutants",
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    settings.load_profile("mutants")
    # Entry points of other tools cost more than most tests.
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    gc.freeze()


class WarmTests:
    """A pytest session that, once it has collected, lets ``work`` run tests in children."""

    def __init__(self, work: "Callable[[WarmTests], None]", most_parameters: int) -> None:
        self._work, self._most_parameters = work, most_parameters
        self._items: dict[str, pytest.Item] = {}
        self._functions: dict[str, list[FunctionType]] = {}
        self._has_failed = False
        self._has_skipped = False

    @property
    def names(self) -> list[str]:
        """Tests worth running, in the order of their files."""
        return list(self._items)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Instead of running the tests."""
        by_function = defaultdict(list)
        for item in session.items:
            by_function[item.nodeid.partition("[")[0]].append(item)
        for items in by_function.values():
            step = max(1.0, len(items) / self._most_parameters)
            chosen = {int(number * step) for number in range(self._most_parameters)}
            for position, item in enumerate(items):
                if position in chosen:
                    self._items[item.nodeid] = item
        self._find_functions()
        self._work(self)
        return True

    def _find_functions(self) -> None:
        """Every function there is by its file; from then on none is looked at in a child."""
        gc.collect()
        for one in gc.get_objects():
            if isinstance(one, FunctionType):
                self._functions.setdefault(one.__code__.co_filename, []).append(one)
        gc.freeze()

    def functions(self, path: Path) -> list[FunctionType]:
        """Functions of one module."""
        return self._functions.get(str(path), [])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember the first failure."""
        self._has_failed |= report.failed
        self._has_skipped |= report.skipped

    def pass_all(self, tests: Sequence[str], usual: Mapping[str, float]) -> bool:
        """Whether these tests run and pass, one after the other until one does not. In a child.

        A test that takes ten times its usual seconds and one more ends the child.
        """
        self._has_failed = self._has_skipped = False
        items = [self._items[test] for test in tests]
        for item, following in zip(items, [*items[1:], None], strict=True):
            limit_seconds(10 * usual.get(item.nodeid, 60.0) + 1)
            item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
            if self._has_failed:
                return False
        return not (self._has_skipped and len(items) == 1)


def collect(part: Part, work: Callable[[WarmTests], None], log: Path) -> None:
    """Collect a part's tests, then let ``work`` run them; pytest's own words go to a log."""
    with _silence(log):
        pytest.main([*_PYTEST, *part.tests], plugins=[WarmTests(work, part.most_parameters)])


def survives_exchanged(
    warm: WarmTests, path: Path, changed: str, tests: Sequence[str], usual: Mapping[str, float]
) -> bool | None:
    """Whether no test fails when the module's functions are exchanged; None where they cannot be.

    Functions that have run before, and may have left something behind, are the caller's to avoid.
    """
    codes, functions = _codes(_compiled(changed, path)), warm.functions(path)

    def trial() -> bool | None:
        os.nice(_LOWEST_PRIORITY)
        return warm.pass_all(tests, usual) if _exchange(functions, codes) else None

    ending, answer = in_child(trial, 10 + 5 * sum(usual[test] for test in tests))
    return answer if ending is Ending.RETURNED else False


def survives_imported(
    path: Path, name: str, changed: str, tests: Sequence[str], seconds: float, log: Path
) -> bool:
    """Whether no test fails when the changed module is imported in a fresh child."""
    loader = _Changed(path, name, _compiled(changed, path))

    def trial() -> bool:
        os.nice(_LOWEST_PRIORITY)
        with _silence(log):
            sys.meta_path.insert(0, loader)
            status = pytest.main(["-x", *_PYTEST, *tests])
        return status in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)

    ending, answer = in_child(trial, seconds)
    return ending is Ending.RETURNED and bool(answer)


def _compiled(text: str, path: Path) -> CodeType:
    """A module's code; words of the compiler about odd comparisons are no test."""
    with warnings.catch_warnings(action="ignore"):
        return compile(text, str(path), "exec")


@contextmanager
def _silence(log: Path) -> Iterator[None]:
    """Standard output and errors go to a log meanwhile."""
    sys.stdout.flush()
    kept = os.dup(1), os.dup(2)
    with log.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept[0], 1)
        os.dup2(kept[1], 2)


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


def _exchange(functions: Sequence[FunctionType], codes: dict[_Key, CodeType | None]) -> bool:
    """Give every function of a module its changed code; whether all could take it."""
    for one in functions:
        code = codes.get((one.__code__.co_qualname, one.__code__.co_firstlineno))
        if code is None or len(code.co_freevars) != len(one.__code__.co_freevars):
            return False
        one.__code__ = code
    return True


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
