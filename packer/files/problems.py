"""What can go wrong while writing, as our errors."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from packer.errors import InvalidInput, Location, Problem

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_IN_USE = (errno.EBUSY, errno.EXDEV)
_NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)


def cannot_write(path: Path, why: str, help_text: str) -> InvalidInput:
    """The error of an output that could not be written; nothing was changed."""
    where = Location(str(path))
    return InvalidInput(Problem("P0702", f"cannot write {path}", where, why, help_text))


def in_the_way(path: Path, title: str, help_text: str) -> InvalidInput:
    """The error of an output path that holds something we must not replace."""
    why = "only files that gpu-packer wrote itself are replaced"
    return InvalidInput(Problem("P0701", title, Location(str(path)), why, help_text))


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn the system's errors while writing ``path`` into ours.

    Raises:
        InvalidInput: P0702, with the system's reason and what to do about it.
    """
    try:
        yield
    except UnicodeEncodeError as error:
        why = "the text holds half a Unicode character"
        raise cannot_write(path, why, "remove it from the names in the fleet") from error
    except OSError as error:
        why = error.strerror or str(error)
        raise cannot_write(path, why, _help(error.errno)) from error


def _help(number: int | None) -> str:
    if number in _NO_SPACE:
        return "make room on that disk, or write to another; what was there before is still there"
    if number in _NOT_ALLOWED:
        return f"write where user {os.geteuid()} may, such as --out build/; nothing was changed"
    if number in _IN_USE:
        return "that is a mount point or in use; name a directory inside it"
    return "check the path; nothing was changed"
