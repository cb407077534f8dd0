"""Text of a file the user named."""

import sys
from pathlib import Path

from packer.errors import InvalidInput, Location, Problem

# A fleet of thousands of workloads is a few MB; a plan of thousands of replicas a few tens.
_MOST_BYTES = 512 * 2**20


def shown_name(path: str | Path) -> str:
    """What errors call a file; ``-`` is standard input."""
    return "<stdin>" if str(path) == "-" else str(path)


def read_text(path: str | Path) -> str:
    """Text of a file, or of standard input for ``-``.

    Raises:
        InvalidInput: The file cannot be read, is not UTF-8, or is absurdly large.
    """
    name = shown_name(path)
    try:
        data = _read(path)
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise InvalidInput(
            Problem(
                "P0101",
                "the file cannot be read",
                Location(name),
                why=getattr(error, "strerror", None) or str(error),
                help="check the path; - reads standard input",
            )
        ) from error
    if len(data) > _MOST_BYTES:
        raise InvalidInput(
            Problem("P0101", "the file is too large to be one of ours", Location(name))
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(
            Problem("P0102", "the file is not UTF-8 text", Location(name), why=str(error))
        ) from error


def _read(path: str | Path) -> bytes:
    if str(path) == "-":
        return sys.stdin.buffer.read(_MOST_BYTES + 1)
    with Path(path).open("rb") as file:
        return file.read(_MOST_BYTES + 1)
