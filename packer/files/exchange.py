"""Two directories swapped in one step."""

import ctypes
import ctypes.util
import errno
import os
import sys
from pathlib import Path

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_UNSUPPORTED = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)


def exchange(first: Path, second: Path) -> None:
    """Swap two paths of one file system, so that each name always has one of the two.

    Where the system cannot (no Linux, some network file systems) three renames do, and for a
    moment in between ``first`` is absent.
    """
    if _exchange_in_one_step(first, second):
        return
    aside = first.with_name(f"{second.name}.old")
    first.rename(aside)
    try:
        second.rename(first)
    except OSError:
        aside.rename(first)
        raise
    aside.rename(second)


def _exchange_in_one_step(first: Path, second: Path) -> bool:
    """Whether the kernel swapped them. Source: Linux, renameat2(2), since 3.15."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:  # a C library older than the system call
        return False
    names = os.fsencode(first), os.fsencode(second)
    if renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _UNSUPPORTED:
        return False
    raise OSError(number, os.strerror(number), str(first))
