import os
from pathlib import Path

import pytest

from packer.errors import InvalidInput
from packer.files.single_file import write_file


def _code(caught: pytest.ExceptionInfo[InvalidInput]) -> str:
    return caught.value.problems[0].code


def test_writes_utf8_with_unix_line_ends_and_makes_directories(tmp_path: Path) -> None:
    path = tmp_path / "build" / "plan.json"
    write_file(path, "größer\nals\n")
    assert path.read_bytes() == "größer\nals\n".encode()
    assert sorted(tmp_path.rglob("*")) == [path.parent, path]


def test_replaces_a_file_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    write_file(path, "old")
    write_file(path, "new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_honours_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_file(tmp_path / "plan.json", "x")
    finally:
        os.umask(before)
    assert (tmp_path / "plan.json").stat().st_mode & 0o777 == 0o640


def test_refuses_a_symbolic_link_and_keeps_its_target(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("mine")
    (tmp_path / "plan.json").symlink_to(target)
    with pytest.raises(InvalidInput, match="symbolic link") as caught:
        write_file(tmp_path / "plan.json", "new")
    assert _code(caught) == "P0701"
    assert target.read_text() == "mine"
    assert (tmp_path / "plan.json").is_symlink()


def test_refuses_a_directory(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="is not a file") as caught:
        write_file(tmp_path, "new")
    assert _code(caught) == "P0701"


def test_a_file_in_place_of_a_directory_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "build").write_text("a file")
    with pytest.raises(InvalidInput, match="cannot write") as caught:
        write_file(tmp_path / "build" / "plan.json", "x")
    assert _code(caught) == "P0702"


def test_half_a_character_is_a_clear_error_and_keeps_the_old(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    write_file(path, "old")
    with pytest.raises(InvalidInput, match="half a Unicode character") as caught:
        write_file(path, "\ud800")
    assert _code(caught) == "P0702"
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupt_while_writing_keeps_the_old_and_cleans_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "plan.json"
    write_file(path, "old")

    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_file(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
