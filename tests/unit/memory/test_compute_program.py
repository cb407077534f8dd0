"""When an allocator's decisions are learnt: steps are counted, for no byte depends on it."""

from collections.abc import Callable, Sequence

import pytest

from packer.memory import compute_program
from packer.memory.compute_allocator import GIVE, LOOK, TAKE, Replay, Step, replay
from packer.memory.compute_extent import Symbols
from packer.memory.compute_lifetimes import Lifetimes
from packer.memory.compute_program import Allocated, Program

_ALIGNMENT = 1 << 20
Run = Callable[[int], int]
"""Runs a program for a value of its symbol; how often the steps of its script were taken."""


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts how often steps are taken one by one."""
    taken = [0]

    def counting(script: Sequence[Step], sizes: Sequence[int]) -> Replay:
        taken[0] += 1
        return replay(script, sizes)

    monkeypatch.setattr(compute_program, "replay", counting)
    return taken


def runner(counted: list[int], steps: int) -> Run:
    """One block of as many bytes as the symbol says: one check of how much is rounded up."""
    symbols = Symbols((5,))
    script = ((TAKE, 0, 0, 0), *[(LOOK, 0, 0, 0)] * (steps - 1))
    program = Program(symbols, Lifetimes((script,), ((symbols.extent(0), _ALIGNMENT),), ()), ())

    def run(value: int) -> int:
        before = counted[0]
        assert program.run((value,)) == Allocated((_ALIGNMENT,), True)
        return counted[0] - before

    return run


@pytest.mark.parametrize("steps", [2, 3, 9])
def test_decisions_are_learnt_at_the_fiftieth_miss_and_then_met(
    counted: list[int], steps: int
) -> None:
    run = runner(counted, steps)
    assert [run(5) for _ in range(60)] == [1] * 49 + [2] + [0] * 10


def test_the_more_was_learnt_the_later_the_next_is(counted: list[int]) -> None:
    run = runner(counted, 2)
    for known in range(24):
        misses = 50 * (1 + known)
        assert sum(run(known + 1) for _ in range(misses - 1)) == misses - 1
        assert [run(known + 1) for _ in range(3)] == [2, 0, 0]
    assert sum(run(25) for _ in range(50 * 26)) == 50 * 26
    assert [run(known + 1) for known in range(24)] == [0] * 24


def test_decisions_that_cost_as_much_as_the_steps_are_not_learnt(counted: list[int]) -> None:
    run = runner(counted, 1)
    assert [run(5) for _ in range(52)] == [1] * 49 + [2, 1, 1]
    # Nor tried again before long.
    assert sum(run(5) for _ in range(50 * 24 + 47)) == 50 * 24 + 47
    assert [run(5) for _ in range(3)] == [2, 1, 1]


@pytest.mark.parametrize("freed", [False, True])
def test_a_script_that_ends_as_it_began_is_settled(freed: bool) -> None:
    symbols = Symbols((5,))
    script: list[Step] = [(TAKE, 0, 0, 0), (LOOK, -1, 0, 0), (TAKE, 1, 0, 0)]
    script += [(GIVE, 1, 0, 0)] if freed else []
    script.append((LOOK, -1, 0, 0))
    lifetimes = Lifetimes((tuple(script),), ((symbols.extent(0), 128),), (0, 0))
    found = Program(symbols, lifetimes, ((1, 0),)).run((5,))
    assert found == Allocated((256,), freed)


def test_copies_that_stay_are_not_settled() -> None:
    symbols = Symbols((5,))
    script = ((TAKE, 0, 0, 0), (LOOK, 0, 0, 0), (LOOK, 0, 0, 0), (LOOK, 0, 0, 0))
    for copies, is_settled in (((1, 1, 1), True), ((1, 2, 1), True), ((1, 2, 3), False)):
        lifetimes = Lifetimes((script,), ((symbols.extent(0), 128),), copies)
        found = Program(symbols, lifetimes, ((2, 1, 0),)).run((5,))
        assert found == Allocated((128,), is_settled)
