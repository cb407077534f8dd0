"""Ctrl-C ends a run of CP-SAT at once, and works again afterwards."""

import os
import signal
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from ortools.sat.python import cp_model

from packer.solver import interruptible
from packer.solver.interruptible import run_solver

_SECONDS = 60.0


def hard_model() -> cp_model.CpModel:
    """A balanced partition that no machine proves in a minute."""
    model = cp_model.CpModel()
    most = model.new_int_var(0, 10**9, "most")
    weights = [10_007 + 7_919 * number % 89_989 for number in range(90)]
    items = [[model.new_bool_var("") for _ in range(17)] for _ in weights]
    for one in items:
        model.add_exactly_one(one)
    for place in range(17):
        load = [weight * one[place] for weight, one in zip(weights, items, strict=True)]
        model.add(sum(load) <= most)
    model.minimize(most)
    return model


@pytest.mark.parametrize("delay", [0.2, 1.0])
def test_ctrl_c_ends_the_run_and_is_not_swallowed(delay: float) -> None:
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = _SECONDS
    solver.parameters.num_workers = 1
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    press = threading.Timer(delay, os.kill, (os.getpid(), signal.SIGINT))
    started = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012 — the press and the run
            press.start()
            run_solver(solver, hard_model())
    finally:
        press.join()
        signal.signal(signal.SIGINT, handler)
    assert time.monotonic() - started < _SECONDS / 2


@pytest.mark.parametrize("delay", [0.0, 0.3])
def test_ctrl_c_while_the_run_is_handed_over_ends_it_too(
    monkeypatch: pytest.MonkeyPatch, delay: float
) -> None:
    class Pressed(ThreadPoolExecutor):
        def submit(self, *arguments: Any, **named: Any) -> Future[Any]:
            super().submit(*arguments, **named)
            time.sleep(delay)
            raise KeyboardInterrupt

    monkeypatch.setattr(interruptible, "ThreadPoolExecutor", Pressed)
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = _SECONDS
    solver.parameters.num_workers = 1
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_solver(solver, hard_model())
    assert time.monotonic() - started < _SECONDS / 2


def test_the_handler_of_ctrl_c_stays_python_s_own() -> None:
    """CP-SAT's own would leave the system's behind, which Python knows nothing of."""
    model = cp_model.CpModel()
    model.maximize(model.new_int_var(0, 5, "x"))
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert run_solver(cp_model.CpSolver(), model) == cp_model.OPTIMAL
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012 — the press and the run
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)
    finally:
        signal.signal(signal.SIGINT, handler)
