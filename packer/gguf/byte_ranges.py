"""Where header bytes come from: anything that has a name, a size and ranges that can be read."""

import stat
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from packer.errors import InvalidModelFile, Location, Problem

CANNOT_OPEN = "P0301"


class ByteSource(Protocol):
    """One file, read in ranges.

    Attributes:
        name: Path or URL as the user knows it; errors name it.
        size: Bytes of the whole file.
    """

    name: str
    size: int

    def read(self, offset: int, length: int) -> bytes:
        """Bytes from ``offset``: at least ``length`` unless the file ends; more is welcome."""
        ...


def cannot_open(name: str, why: str) -> InvalidModelFile:
    """The error for a model file that cannot be read at all."""
    return InvalidModelFile(
        Problem(
            CANNOT_OPEN,
            "model file cannot be opened",
            Location(name),
            why,
            help="check the path; relative ones start where the command runs",
        )
    )


class LocalFile:
    """A file on this machine; a context manager."""

    # A header takes few reads of this size, and it is small beside the 40 MB a reader may use.
    _READ_AHEAD = 2**20

    def __init__(self, path: Path) -> None:
        """Open the file and take its size.

        Raises:
            InvalidModelFile: There is no readable regular file of this name.
        """
        self.name = str(path)
        try:
            # Asked first: opening a pipe would wait for its writer.
            if not stat.S_ISREG(path.stat().st_mode):
                raise cannot_open(self.name, "it is not a regular file")
            self._file = path.open("rb", buffering=0)
        except (OSError, ValueError) as error:
            raise cannot_open(self.name, getattr(error, "strerror", None) or str(error)) from error
        self.size = self._file.seek(0, 2)

    def read(self, offset: int, length: int) -> bytes:
        """Bytes from ``offset``: at least ``length``, usually a mebibyte, unless the file ends."""
        self._file.seek(offset)
        return self._file.read(max(length, self._READ_AHEAD))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()
