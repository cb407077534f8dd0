"""A cursor over header bytes: typed reads that name file and offset when they fail."""

import struct

from packer.errors import InvalidModelFile, Location, Problem
from packer.gguf.byte_ranges import ByteSource

LONGEST_HEADER = 128 * 2**20
"""Bytes a header may take; the largest vocabularies in use need a quarter of it."""
LONGEST_KEY = 2**16 - 1
MOST_KEPT_BYTES = 16 * 2**20
"""Bytes of names and texts kept from one header; models in use stay under one mebibyte."""

_LENGTH = struct.Struct("<Q")


def invalid(code: str, title: str, file: str, offset: int, help: str = "") -> InvalidModelFile:
    """The one error of a file that cannot be believed, with its offset."""
    return InvalidModelFile(
        Problem(code, f"{title} (at byte {offset})", Location(file), help=help or _HELP[code])
    )


_DOWNLOAD_AGAIN = "download the file again and compare its size with the publisher's"
_HELP = {
    "P0302": "give a .gguf file",
    "P0303": "convert the model again with a current llama.cpp; it reads GGUF 2 and 3",
    "P0304": _DOWNLOAD_AGAIN,
    "P0305": _DOWNLOAD_AGAIN,
    "P0306": _DOWNLOAD_AGAIN,
    "P0307": _DOWNLOAD_AGAIN,
    "P0308": "use a file whose types llama.cpp b11434 knows, or a newer gpu-packer",
    "P0309": _DOWNLOAD_AGAIN,
}


class HeaderCursor:
    """Position in a source, with a window of bytes already read; memory stays bounded."""

    def __init__(self, source: ByteSource) -> None:
        """Start at the first byte."""
        self.source = source
        self._window = b""
        self._window_start = 0
        self._index = 0
        self._kept_bytes = 0

    @property
    def position(self) -> int:
        """Offset of the next byte in the file."""
        return self._window_start + self._index

    def unpack(self, layout: struct.Struct, what: str) -> tuple[int | float, ...]:
        """Values of a packed structure; the cursor moves behind it."""
        self._need(layout.size, what)
        values = layout.unpack_from(self._window, self._index)
        self._index += layout.size
        return values

    def whole(self, layout: struct.Struct, what: str) -> int:
        """One whole number; ``layout`` holds a single integer field."""
        (value,) = self.unpack(layout, what)
        return int(value)

    def take(self, length: int, what: str) -> bytes:
        """The next ``length`` bytes, kept; counts against the bytes one header may keep."""
        self._kept_bytes += length
        if self._kept_bytes > MOST_KEPT_BYTES:
            raise self.error("P0305", f"{what} is more text than any model's header holds")
        self._need(length, what)
        taken = self._window[self._index : self._index + length]
        self._index += length
        return taken

    def skip(self, length: int) -> None:
        """Move over ``length`` bytes without reading them; the caller knows that they exist."""
        self._index += length

    def text_length(self, what: str) -> int:
        """Length prefix of a string, which must end inside the file."""
        length = self.whole(_LENGTH, what)
        if length > self.source.size - self.position:
            raise self._truncated(length, what)
        return length

    def skip_texts(self, count: int, what: str) -> None:
        """Move over ``count`` strings, touching only their length prefixes."""
        while count:
            self._need(_LENGTH.size, what)
            skipped, self._index = _skip_texts(self._window, self._index, count)
            count -= skipped
            if self.position > self.source.size:
                raise self.error("P0304", f"file ends inside {what}", self.source.size)

    def error(self, code: str, title: str, offset: int | None = None) -> InvalidModelFile:
        """An error here, or at ``offset``."""
        return invalid(code, title, self.source.name, self.position if offset is None else offset)

    def _need(self, length: int, what: str) -> None:
        """Have ``length`` bytes from the position on in the window."""
        if self._index + length <= len(self._window):
            return
        position = self.position
        if length > self.source.size - position:
            raise self._truncated(length, what)
        if position + length > LONGEST_HEADER:
            raise self.error("P0305", f"{what} lies behind the longest header this tool reads")
        self._window = self.source.read(position, length)
        self._window_start, self._index = position, 0
        if len(self._window) < length:
            raise self._truncated(length, what)

    def _truncated(self, length: int, what: str) -> InvalidModelFile:
        return self.error(
            "P0304", f"file of {self.source.size} bytes ends before {what} ({length} bytes)"
        )


def _skip_texts(window: bytes, index: int, most: int) -> tuple[int, int]:
    """Strings skipped, at most ``most``, and the index behind them.

    This loop is most of the time a header takes (400,000 turns for Llama 3), so the end of the
    window is noticed by the exception and not asked for on every turn.
    """
    unpack, skipped = _LENGTH.unpack_from, 0
    try:
        for skipped in range(most):  # noqa: B007
            index += 8 + unpack(window, index)[0]
    except (struct.error, OverflowError):
        return skipped, index
    return most, index
