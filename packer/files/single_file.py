"""One file, written whole or not at all."""

import os
import secrets
from pathlib import Path

from packer.files.problems import in_the_way, writing


def write_file(path: Path, text: str) -> None:
    """Write a text file: beside its place first, then renamed over what was there.

    Whenever the process ends, the old file or the new one is there in full; a process that was
    killed may leave a hidden ``.NAME.gpu-packer-…`` beside it. Missing directories are made.

    Raises:
        InvalidInput: P0701 if something other than a plain file has the name, P0702 if it cannot
            be written.
    """
    with writing(path):
        refuse_what_is_no_file(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(beside_name(path))
        try:
            _write_new(beside, text)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)


def beside_name(path: Path) -> str:
    """A name beside ``path`` that nobody else uses, on the same file system."""
    return f".{path.name[:200]}.gpu-packer-{secrets.token_hex(6)}"


def refuse_what_is_no_file(path: Path) -> None:
    """Refuse links, directories and devices at the place of a file; links are never followed.

    Raises:
        InvalidInput: P0701.
    """
    if path.is_symlink():
        raise in_the_way(path, f"{path} is a symbolic link", "name the file it points to")
    if path.exists() and not path.is_file():
        raise in_the_way(path, f"{path} is not a file", "name a file for the output")


def _write_new(path: Path, text: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with os.fdopen(os.open(path, flags, 0o666), "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        # Some file systems rename before they write; an empty file is half a file.
        os.fsync(file.fileno())
