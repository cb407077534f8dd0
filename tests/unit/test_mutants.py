"""Making and judging mutants: what is left out by rule, which tests are run, what counts."""

from pathlib import Path

import pytest

from benchmarks.mutation.campaign import Trial, chosen
from benchmarks.mutation.child import Ending, in_child
from benchmarks.mutation.mutant import Mutant, mutants_of
from benchmarks.mutation.reach import Reach, statement_lines
from benchmarks.mutation.result import Result, write_survivors

MODULE = '''"""A module."""
from functools import lru_cache


@lru_cache(maxsize=7)
def double(number: int | None = 3, *, again: bool = True) -> int | None:
    """Twice."""
    if number is None:
        return None
    pairs = zip((number,), (2,), strict=True)
    return sum(
        one * two
        for one, two in pairs
    )
'''


def made(tmp_path: Path) -> list[tuple[int, str]]:
    """Changed lines of every mutant that is a program of its own, with their numbers."""
    (tmp_path / "module.py").write_text(MODULE)
    trials, whole = chosen(["module.py"], 0, 1, tmp_path)
    assert whole == len(trials)
    return [(one.mutant.line, one.difference.splitlines()[-1]) for one in trials]


def test_what_no_test_can_tell_is_left_out(tmp_path: Path) -> None:
    changes = made(tmp_path)
    assert {line for line, _ in changes} == {6, 8, 10, 12}
    assert {text for line, text in changes if line == 6} == {
        f"+def double(number: int | None = {changed}) -> int | None:"
        for changed in (
            "4, *, again: bool = True",
            "2, *, again: bool = True",
            "3, *, again: bool = False",
        )
    }
    assert "+    if number is not None:" in {text for line, text in changes if line == 8}
    assert not any("==" in text or "strict=False" in text for _, text in changes)


def test_a_sample_is_the_same_for_the_same_seed(tmp_path: Path) -> None:
    made(tmp_path)
    samples = [chosen(["module.py"], 5, seed, tmp_path)[0] for seed in (1, 1, 2)]
    assert samples[0] == samples[1] != samples[2]
    assert len(samples[0]) == 5
    assert len(list(mutants_of(tmp_path, "module.py"))) >= len(made(tmp_path))


def test_the_smallest_statement_decides_who_reaches_a_mutant(tmp_path: Path) -> None:
    made(tmp_path)
    path = tmp_path / "module.py"
    assert statement_lines(path, 8) == {8}
    assert statement_lines(path, 12) == {11, 12, 13, 14}
    reach = Reach(
        imported={"module.py": {1, 2, 5, 6}},
        tests={"module.py": {8: {"slow", "quick"}, 13: {"slow"}}},
        seconds={"slow": 2.0, "quick": 1.0, "other": 0.5},
    )

    def tests_at(line: int) -> list[str]:
        return reach.tests_of(Mutant("module.py", "", 0, line, 0), tmp_path)

    assert tests_at(8) == ["quick", "slow"]
    assert tests_at(12) == ["slow"]
    assert tests_at(9) == []
    assert tests_at(6) == ["quick", "slow"]
    assert reach.runs_at_import(Mutant("module.py", "", 0, 6, 0), tmp_path)
    assert not reach.runs_at_import(Mutant("module.py", "", 0, 8, 0), tmp_path)


def test_every_function_has_its_turn(tmp_path: Path) -> None:
    made(tmp_path)
    seconds = {"f[a]": 1.0, "f[b]": 1.5, "f[c]": 1.2, "g": 3.0, "h[a]": 2.0, "h[b]": 2.5}
    reach = Reach(tests={"module.py": {8: set(seconds)}}, seconds=seconds, most_seconds=8.0)
    tests = reach.tests_of(Mutant("module.py", "", 0, 8, 0), tmp_path)
    assert tests == ["f[a]", "h[a]", "f[c]", "g"]


def test_a_child_answers_dies_or_takes_too_long(capfd: pytest.CaptureFixture[str]) -> None:
    def forever() -> None:
        while True:
            pass

    def fails() -> None:
        raise RuntimeError("this one dies")

    assert in_child(lambda: [1, 2], 5) == (Ending.RETURNED, [1, 2])
    assert in_child(forever, 0.1) == (Ending.TOO_LONG, None)
    assert in_child(fails, 5) == (Ending.DIED, None)
    assert "this one dies" in capfd.readouterr().err


def result(killed: int, tried: int, number: int) -> Result:
    mutant = Mutant("packer/units.py", "core/NumberReplacer", 0, 1, 0)
    trials = [Trial(mutant, "a = 1\n", f"a = {position}\n") for position in range(2, tried + 2)]
    return Result("units", number, trials, [(one, "3 tests") for one in trials[killed:]])


def test_shares_have_their_interval() -> None:
    some = result(90, 100, 500)
    assert some.share == 0.9
    low, high = some.interval()
    assert (round(low, 3), round(high, 3)) == (0.826, 0.945)
    assert some.summary() == "units: 90 of 100 killed, 90.0% [82.6%, 94.5%] of about 500"
    assert result(9, 10, 10).summary() == "units: 9 of 10 killed, 90.0%, all there are"


def test_reasons_on_the_page_are_kept(tmp_path: Path) -> None:
    page = tmp_path / "mutants.md"
    write_survivors(page, [result(1, 3, 3)])
    first = page.read_text()
    assert "| units.py | `a = 1` → `a = 4` |  |" in first
    page.write_text(first.replace("`a = 4` |  |", "`a = 4` | nobody looks |"))
    write_survivors(page, [result(0, 3, 3)])
    second = page.read_text()
    assert "| units.py | `a = 1` → `a = 4` | nobody looks |" in second
    assert "`a = 2` |  |" in second
