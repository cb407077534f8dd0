"""Changes of files: told once they have settled, each once, none missed."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from packer import api
from packer.api.watching import Changes, watched
from packer.errors import InvalidInput
from packer.files.watched_file import WatchedFile


class Script:
    """Stands where time passes: does something at each pause, and ends the watch after the last."""

    def __init__(self, *acts: Callable[[], object]) -> None:
        self._acts: Iterator[Callable[[], object]] = iter(acts)
        self.pauses = 0

    def sleep(self, seconds: float) -> None:
        self.pauses += 1
        act = next(self._acts, None)
        if act is None:
            raise KeyboardInterrupt
        act()


def nothing() -> None:
    """Let time pass."""


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    path = tmp_path / "fleet.yaml"
    path.write_text("a")
    return path


def run(script: Script, *files: Path) -> list[tuple[str, ...]]:
    """What a watch told until the script's end."""
    found: list[tuple[str, ...]] = []
    changes = Changes([WatchedFile(str(path)) for path in files], 1.0, sleep=script.sleep)
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012 — what came before the end is kept
        for one in changes:
            found.append(one)
    return found


def test_a_change_is_told_once_it_has_settled(fleet: Path) -> None:
    script = Script(nothing, lambda: fleet.write_text("b"), nothing, nothing, nothing)
    assert run(script, fleet) == [(str(fleet),)]


def test_a_file_that_is_still_being_written_is_waited_for(fleet: Path) -> None:
    writes = [lambda n=n: fleet.write_text("b" * n) for n in range(2, 6)]
    assert run(Script(*writes, nothing, nothing), fleet) == [(str(fleet),)]


def test_a_file_that_changes_at_every_look_is_taken_as_it_is(fleet: Path) -> None:
    writes = [lambda n=n: fleet.write_text("b" * n) for n in range(2, 52)]
    assert len(run(Script(*writes), fleet)) == 2


def test_a_change_that_is_taken_back_is_none(fleet: Path) -> None:
    script = Script(
        lambda: fleet.write_text("b"), lambda: fleet.write_text("a"), nothing, nothing, nothing
    )
    assert run(script, fleet) == []


def test_a_touched_file_with_the_same_content_is_unchanged(fleet: Path) -> None:
    script = Script(
        lambda: os.utime(fleet, (1, 1)), nothing, lambda: fleet.write_text("a"), nothing
    )
    assert run(script, fleet) == []


def test_a_file_that_is_replaced_by_rename_or_through_a_link_has_changed(tmp_path: Path) -> None:
    # As editors save, and as a kubelet renews a mounted ConfigMap.
    first, second = tmp_path / "..1", tmp_path / "..2"
    for folder, text in ((first, "a"), (second, "b")):
        folder.mkdir()
        (folder / "fleet.yaml").write_text(text)
    data, named = tmp_path / "..data", tmp_path / "fleet.yaml"
    data.symlink_to(first)
    named.symlink_to(data / "fleet.yaml")

    def renew() -> None:
        beside = tmp_path / "..tmp"
        beside.symlink_to(second)
        beside.replace(data)

    def rename() -> None:
        beside = tmp_path / "new"
        beside.write_text("c")
        beside.replace(named)

    script = Script(renew, nothing, nothing, rename, nothing, nothing)
    assert run(script, named) == [(str(named),), (str(named),)]


def test_a_file_that_goes_and_comes_back_is_told_both_times(fleet: Path) -> None:
    script = Script(fleet.unlink, nothing, nothing, lambda: fleet.write_text("b"), nothing, nothing)
    assert run(script, fleet) == [(str(fleet),), (str(fleet),)]


def test_what_changes_while_nobody_looks_is_told_next(fleet: Path, tmp_path: Path) -> None:
    prices = tmp_path / "prices.yaml"
    changes = Changes([WatchedFile(str(p)) for p in (fleet, prices)], 0.05)
    fleet.write_text("b")
    told_next = iter(changes)
    assert next(told_next) == (str(fleet),)
    prices.write_text("new")
    fleet.write_text("c")
    assert next(told_next) == (str(fleet), str(prices))


def test_every_input_is_watched_and_standard_input_cannot_be() -> None:
    sources = api.PlanSources("f.yaml", "live", "p.csv", "f.yaml")
    assert [one.name for one in watched(sources)] == ["f.yaml", "p.csv", "the cluster"]
    assert not api.PlanSources("f.yaml", "i.yaml").is_live
    with pytest.raises(InvalidInput) as caught:
        watched(api.PlanSources("-", "i.yaml"))
    assert caught.value.problems[0].code == "P0475"
