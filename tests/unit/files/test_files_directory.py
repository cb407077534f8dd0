from collections.abc import ItemsView, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packer.errors import InvalidInput
from packer.files.directory import write_tree
from packer.files.marker import MARKER_NAME

FILES = {"kustomization.yaml": "a\n", "workloads/chat/service.yaml": "b\n"}


def _files(directory: Path) -> dict[str, str]:
    return {
        path.relative_to(directory).as_posix(): path.read_text()
        for path in directory.rglob("*")
        if path.is_file() and path.name != MARKER_NAME
    }


def _code(caught: pytest.ExceptionInfo[InvalidInput]) -> str:
    return caught.value.problems[0].code


def test_writes_every_file_and_the_marker(tmp_path: Path) -> None:
    out = tmp_path / "build" / "manifests"
    write_tree(out, FILES, "manifests")
    assert _files(out) == FILES
    assert (out / MARKER_NAME).is_file()
    assert list(out.parent.iterdir()) == [out]


def test_an_empty_directory_may_be_filled_and_keeps_its_mode(tmp_path: Path) -> None:
    out = tmp_path / "manifests"
    out.mkdir(mode=0o700)
    write_tree(out, FILES, "manifests")
    assert _files(out) == FILES
    assert out.stat().st_mode & 0o777 == 0o700


def test_files_of_the_last_output_disappear(tmp_path: Path) -> None:
    write_tree(tmp_path / "out", FILES, "manifests")
    write_tree(tmp_path / "out", {"kustomization.yaml": "new\n"}, "manifests")
    assert _files(tmp_path / "out") == {"kustomization.yaml": "new\n"}
    assert not (tmp_path / "out" / "workloads").exists()


def test_files_of_others_stay(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_tree(out, FILES, "manifests")
    (out / "patches").mkdir()
    (out / "patches" / "mine.yaml").write_text("mine")
    (out / "elsewhere").symlink_to(tmp_path)
    write_tree(out, {"kustomization.yaml": "new\n"}, "manifests")
    assert (out / "patches" / "mine.yaml").read_text() == "mine"
    assert (out / "elsewhere").readlink() == tmp_path
    write_tree(out, FILES, "manifests")
    assert (out / "patches" / "mine.yaml").read_text() == "mine"


@pytest.mark.parametrize("theirs", ["workloads", "workloads/chat/service.yaml"])
def test_a_file_of_others_is_not_written_over(tmp_path: Path, theirs: str) -> None:
    out = tmp_path / "out"
    write_tree(out, {"kustomization.yaml": "a\n"}, "manifests")
    (out / theirs).parent.mkdir(parents=True, exist_ok=True)
    (out / theirs).write_text("mine")
    with pytest.raises(InvalidInput, match="was not written by gpu-packer") as caught:
        write_tree(out, FILES, "manifests")
    assert _code(caught) == "P0701"
    assert (out / theirs).read_text() == "mine"


def test_a_directory_of_others_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(InvalidInput, match="did not write it") as caught:
        write_tree(tmp_path, FILES, "manifests")
    assert _code(caught) == "P0701"
    assert _files(tmp_path) == {"thesis.tex": "mine"}


@pytest.mark.parametrize(
    "marker",
    ["", "{", "[]", "{}", '{"holds": 1, "files": []}', '{"holds": "m", "files": 1}', "[" * 99999],
)
def test_a_marker_we_cannot_have_written_does_not_count(tmp_path: Path, marker: str) -> None:
    (tmp_path / MARKER_NAME).write_text(marker)
    with pytest.raises(InvalidInput, match="did not write it"):
        write_tree(tmp_path, FILES, "manifests")


def test_what_another_command_wrote_is_refused(tmp_path: Path) -> None:
    write_tree(tmp_path / "out", {"index.html": ""}, "report")
    with pytest.raises(InvalidInput, match="holds report, not manifests"):
        write_tree(tmp_path / "out", FILES, "manifests")
    assert _files(tmp_path / "out") == {"index.html": ""}


def test_symbolic_links_are_not_followed(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "out").symlink_to(real)
    with pytest.raises(InvalidInput, match="symbolic link"):
        write_tree(tmp_path / "out", FILES, "manifests")
    assert not list(real.iterdir())


def test_a_link_put_in_the_place_of_our_file_is_replaced_not_followed(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_tree(out, FILES, "manifests")
    (tmp_path / "precious").write_text("mine")
    (out / "kustomization.yaml").unlink()
    (out / "kustomization.yaml").symlink_to(tmp_path / "precious")
    write_tree(out, FILES, "manifests")
    assert (tmp_path / "precious").read_text() == "mine"
    assert _files(out) == FILES


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(InvalidInput, match="is not a directory"):
        write_tree(tmp_path / "out", FILES, "manifests")


def test_the_working_directory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidInput, match="the directory you are in"):
        write_tree(Path(), FILES, "manifests")


@pytest.mark.parametrize(
    "path",
    [
        *("", ".", "..", "../a", "a/../b", "/etc/passwd", "a//b", "a/", "./a"),
        *("a\nb", "a\\b", "a\0b", MARKER_NAME, f"{MARKER_NAME}/a"),
    ],
)
def test_paths_that_leave_the_directory_are_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(InvalidInput, match="not a path inside") as caught:
        write_tree(tmp_path / "out", {path: "x"}, "manifests")
    assert _code(caught) == "P0703"
    assert not list(tmp_path.iterdir())


class _InterruptedFiles(Mapping[str, str]):
    """Files of which the second is interrupted while it is made."""

    def __getitem__(self, path: str) -> str:
        if path == "b":
            raise KeyboardInterrupt
        return "new"

    def __iter__(self) -> Iterator[str]:
        return iter(("a", "b"))

    def __len__(self) -> int:
        return 2

    def items(self) -> ItemsView[str, str]:
        return ItemsView(self)


@pytest.mark.parametrize("previous", [None, {"a": "old", "b": "old"}])
def test_an_interrupt_leaves_the_old_whole(tmp_path: Path, previous: dict[str, str] | None) -> None:
    out = tmp_path / "out"
    if previous is not None:
        write_tree(out, previous, "manifests")
    with pytest.raises(KeyboardInterrupt):
        write_tree(out, _InterruptedFiles(), "manifests")
    assert list(tmp_path.iterdir()) == ([] if previous is None else [out])
    assert previous is None or _files(out) == previous


NAMES = st.text("abc", min_size=1, max_size=2)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.dictionaries(st.builds("{}/{}".format, NAMES, NAMES), st.text("xy\n"), max_size=5),
        min_size=1,
        max_size=4,
    )
)
def test_the_last_output_is_all_there_is(
    tmp_path_factory: pytest.TempPathFactory, outputs: list[dict[str, str]]
) -> None:
    out = tmp_path_factory.mktemp("tree") / "out"
    for files in outputs:
        write_tree(out, files, "manifests")
    assert _files(out) == outputs[-1]
