"""The record of an apply: kept before it begins, and again however it ends."""

from dataclasses import replace
from pathlib import Path

import pytest

from packer.api.recording import KeptChange
from packer.errors import InvalidInput, Problem, Unreachable
from packer.plan.rollout.record import AppliedChange, Ending
from packer.spec.answer_file import read_saved_answer
from tests.report_answers import change_of
from tests.sample_plans import tiny_plan

BEGUN = replace(
    change_of(tiny_plan()), ending=Ending.SHOWN, written=(), problem="", taken_seconds=None
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "change.json"


def kept(file: Path) -> AppliedChange:
    found = read_saved_answer(file.read_text(), file.name)
    assert isinstance(found, AppliedChange)
    return found


def test_what_was_shown_is_kept_before_anything_is_done(file: Path) -> None:
    KeptChange(BEGUN, file)
    assert kept(file) == BEGUN


@pytest.mark.parametrize(("is_dry_run", "ending"), [(False, Ending.DONE), (True, Ending.CHECKED)])
def test_what_was_done_is_kept_with_its_objects(
    file: Path, is_dry_run: bool, ending: Ending
) -> None:
    with KeptChange(BEGUN, file) as change:
        change.done((("Service", "chat"), ("Deployment", "chat-0")), is_dry_run=is_dry_run)
    found = kept(file)
    assert found.ending is ending
    assert found.written == ("Service chat", "Deployment chat-0")
    assert found.taken_seconds is not None


@pytest.mark.parametrize(
    ("error", "ending", "problem"),
    [
        (KeyboardInterrupt(), Ending.INTERRUPTED, ""),
        (Unreachable("nobody\n answers"), Ending.FAILED, "nobody answers"),
        (
            InvalidInput([Problem("P1030", "slow", why="pending"), Problem("P1029", "no")]),
            Ending.FAILED,
            "slow: pending; no",
        ),
    ],
)
def test_why_it_ended_early_is_kept_and_goes_on(
    file: Path, error: BaseException, ending: Ending, problem: str
) -> None:
    with pytest.raises(type(error)), KeptChange(BEGUN, file):
        raise error
    assert (kept(file).ending, kept(file).problem) == (ending, problem)


def test_without_a_file_nothing_is_kept(tmp_path: Path) -> None:
    with KeptChange(BEGUN) as change:
        change.done((), is_dry_run=False)
    assert list(tmp_path.iterdir()) == []
