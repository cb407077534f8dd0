"""A directory of files, written whole or not at all."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from packer.errors import InvalidInput, Problem
from packer.files.exchange import exchange
from packer.files.marker import MARKER_NAME, Marker, format_marker, read_marker
from packer.files.problems import in_the_way, writing
from packer.files.single_file import beside_name


def write_tree(directory: Path, files: Mapping[str, str], marker: str) -> None:
    """Write a directory: beside its place first, then swapped with what was there.

    Whenever the process ends, the old directory or the new one is there in full; a process that
    was killed may leave a hidden ``.NAME.gpu-packer-…`` beside it. Files of our last output that
    are not part of this one are gone afterwards; files of others in the directory stay.

    Args:
        directory: Where to write; made if missing, and its parents too.
        files: Relative path with slashes → text.
        marker: What the directory holds, such as ``manifests``; a directory that holds something
            else, or that we did not write, is refused unless it is empty.

    Raises:
        InvalidInput: P0701 if the directory is not ours to replace, P0702 if it cannot be written,
            P0703 if a relative path leaves it.
    """
    _check_paths(files)
    with writing(directory):
        previous = _previous(directory, marker)
        kept = _foreign_files(directory, previous)
        _refuse_overlap(directory, files, kept)
        directory.parent.mkdir(parents=True, exist_ok=True)
        beside = directory.with_name(beside_name(directory))
        try:
            _build(beside, directory, files, kept, marker)
            if directory.exists():
                shutil.copymode(directory, beside)
                exchange(directory, beside)
            else:
                beside.rename(directory)
        finally:
            shutil.rmtree(beside, ignore_errors=True)


def _check_paths(files: Mapping[str, str]) -> None:
    for path in files:
        plain = PurePosixPath(path)
        is_plain = str(plain) == path != "." and path.isprintable() and "\\" not in path
        if not is_plain or plain.is_absolute() or ".." in plain.parts or MARKER_NAME in plain.parts:
            title = f"{path!r} is not a path inside an output directory"
            raise InvalidInput(Problem("P0703", title, help="use plain names in the fleet"))


def _previous(directory: Path, holds: str) -> Marker | None:
    """Marker of what is there; None if nothing is."""
    if directory.is_symlink():
        raise in_the_way(
            directory, f"{directory} is a symbolic link", "name the directory it points to"
        )
    if not directory.exists():
        return None
    if not directory.is_dir():
        raise in_the_way(directory, f"{directory} is not a directory", "name another with --out")
    marker = read_marker(directory)
    if Path.cwd().is_relative_to(directory.resolve()):
        raise in_the_way(
            directory,
            f"{directory} is the directory you are in, or above it",
            "name a directory inside it with --out",
        )
    if marker is None and next(directory.iterdir(), None) is not None:
        raise in_the_way(
            directory,
            f"{directory} is not empty and gpu-packer did not write it",
            "name a new or an empty directory with --out",
        )
    if marker is not None and marker.holds != holds:
        raise in_the_way(
            directory,
            f"{directory} holds {marker.holds}, not {holds}",
            "name another directory with --out",
        )
    return marker


def _foreign_files(directory: Path, previous: Marker | None) -> list[str]:
    """Relative paths of what others put into the directory."""
    if previous is None:
        return []
    found = []
    for parent, folders, names in os.walk(directory):
        # A linked folder is one thing of somebody else's, whatever lies behind it.
        links = [name for name in folders if (Path(parent) / name).is_symlink()]
        found += [(Path(parent) / name).relative_to(directory).as_posix() for name in names + links]
    return sorted(set(found) - previous.files - {MARKER_NAME})


def _refuse_overlap(directory: Path, files: Mapping[str, str], kept: list[str]) -> None:
    """Refuse to write over a file of somebody else's, or a folder in its place."""
    ours = {
        str(part) for path in files for part in (PurePosixPath(path), *PurePosixPath(path).parents)
    }
    for path in kept:
        above = {str(parent) for parent in PurePosixPath(path).parents}
        if path in ours or above & set(files):
            raise in_the_way(
                directory / path,
                f"{directory / path} was not written by gpu-packer",
                "move it, or name another directory with --out",
            )


def _build(
    beside: Path, directory: Path, files: Mapping[str, str], kept: list[str], marker: str
) -> None:
    beside.mkdir()
    for path, text in files.items():
        _write_new(beside / path, text)
    _write_new(beside / MARKER_NAME, format_marker(marker, files))
    for path in kept:
        target = beside / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(directory / path, target, follow_symlinks=False)


def _write_new(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8", newline="\n") as file:
        file.write(text)
