"""A pytest session that stays where its tests are collected, for children to run them."""

import gc
import importlib
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import _lru_cache_wrapper
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

from benchmarks.mutation.child import limit_seconds
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
_OURS = ("packer", "tests")
PYTEST_OPTIONS = (
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

    def __init__(self, work: "Callable[[WarmTests], None]", part: Part) -> None:
        self._work, self._part = work, part
        self._items: dict[str, pytest.Item] = {}
        self._functions: dict[str, list[FunctionType]] = {}
        self._caches: list[_lru_cache_wrapper[Any]] = []
        self.failed = ""
        """The test that failed last."""
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
            step = max(1.0, len(items) / self._part.most_parameters)
            chosen = {int(number * step) for number in range(self._part.most_parameters)}
            for position, item in enumerate(items):
                if position in chosen:
                    self._items[item.nodeid] = item
        self._find_functions()
        self._work(self)
        return True

    def fill_caches(self) -> None:
        """Run every test once, where the part keeps its caches."""
        items = list(self._items.values()) if self._part.keeps_caches else []
        for item, following in zip(items, [*items[1:], None], strict=False):
            item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
        gc.freeze()

    def _find_functions(self) -> None:
        """Every function there is by its file; from then on none is looked at in a child."""
        gc.collect()
        for one in gc.get_objects():
            if isinstance(one, FunctionType):
                self._functions.setdefault(one.__code__.co_filename, []).append(one)
            elif isinstance(one, _lru_cache_wrapper) and one.__module__.startswith(_OURS):
                self._caches.append(one)
        gc.freeze()

    def empty_caches(self) -> None:
        """Forget what functions of ours remember."""
        for one in () if self._part.keeps_caches else self._caches:
            one.cache_clear()

    def functions(self, path: Path) -> list[FunctionType]:
        """Functions of one module."""
        return self._functions.get(str(path), [])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember a failure."""
        self.failed = report.nodeid if report.failed else self.failed
        self._has_skipped |= report.skipped

    def pass_all(self, tests: Sequence[str], usual: Mapping[str, float]) -> bool:
        """Whether these tests run and pass, one after the other until one does not. In a child.

        A test that takes four times its usual seconds and a little more ends the child.
        """
        self.failed, self._has_skipped = "", False
        items = [self._items[test] for test in tests]
        for item, following in zip(items, [*items[1:], None], strict=True):
            limit_seconds(4 * usual.get(item.nodeid, 60.0) + 0.3)
            item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
            if self.failed:
                return False
        return not (self._has_skipped and len(items) == 1)


def collect(part: Part, work: Callable[[WarmTests], None], log: Path) -> None:
    """Collect a part's tests, then let ``work`` run them; pytest's own words go to a log."""
    with silence(log):
        pytest.main([*PYTEST_OPTIONS, *part.tests], plugins=[WarmTests(work, part)])


@contextmanager
def silence(log: Path) -> Iterator[None]:
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
