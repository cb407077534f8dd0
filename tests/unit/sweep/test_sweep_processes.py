"""Processes of this machine: every task once, and no task can harm another."""

import os
import time

import pytest

from packer.errors import InvalidInput
from packer.sweep.missing import library
from packer.sweep.processes import Processes, usable_processors
from packer.sweep.task import failure_of
from tests.sweep_engine_work import doubled, doubled_or_not, own_process


@pytest.mark.parametrize("count", [1, 3])
def test_every_task_comes_back_once(count: int) -> None:
    found = {one.index: one for one in Processes(count).run(doubled, 100, range(10, 17))}
    assert {index: one.result for index, one in found.items()} == {
        index: 100 + 2 * (10 + index) for index in range(7)
    }
    assert all(one.failure == "" for one in found.values())


def test_nothing_to_do_starts_nothing() -> None:
    assert list(Processes(4).run(doubled, 1, [])) == []


def test_a_task_that_raises_or_dies_costs_only_itself() -> None:
    found = sorted(Processes(2).run(doubled_or_not, 0, range(9)), key=lambda one: one.index)
    failures = {one.index: one.failure for one in found if one.failure}
    assert failures == {
        3: "ValueError: three is refused",
        5: "its process was killed by SIGKILL; out of memory?",
        7: "its process ended with status 9",
    }
    assert [one.result for one in found if not one.failure] == [0, 2, 4, 8, 12, 16]


def test_tasks_run_in_as_many_processes_as_were_asked_for() -> None:
    pids = {one.result for one in Processes(2).run(own_process, 0.2, range(6))}
    assert len(pids) == 2
    assert os.getpid() not in pids
    assert usable_processors() >= 1


def test_closing_ends_what_still_runs() -> None:
    running = Processes(2).run(own_process, 0.0, range(4))
    first = next(running)
    slow = Processes(1).run(own_process, 60.0, [0])
    started = time.monotonic()
    running.close()
    slow.close()
    assert time.monotonic() - started < 20
    with pytest.raises(ProcessLookupError):
        os.kill(first.result, 0)


def test_a_library_that_is_missing_is_named_with_what_brings_it() -> None:
    with pytest.raises(InvalidInput, match="P0470") as caught:
        library("no_such_library", "ray")
    assert "gpu-packer[ray]" in caught.value.problems[0].help


def test_failures_are_one_line() -> None:
    assert failure_of(KeyError()) == "KeyError"
    assert failure_of(ValueError("a\n b")) == "ValueError: a b"
    assert len(failure_of(ValueError("x" * 9999))) == 400
