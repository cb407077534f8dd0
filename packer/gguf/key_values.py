"""The key-value section of a GGUF header, without the vocabulary."""

import struct
from dataclasses import dataclass, field
from enum import IntEnum

from packer.domain.model import MetadataValue
from packer.gguf.header_cursor import LONGEST_KEY, HeaderCursor

MOST_KEYS = 2**16
LONGEST_KEPT_ARRAY = 1024
"""Elements; per-layer arrays have at most 512, llama.cpp's LLAMA_MAX_LAYERS."""
LONGEST_KEPT_TEXT = 2**20

_SCALAR = int | float | bool | str


class ValueType(IntEnum):
    """Type of a value. Source: llama.cpp b11434, ggml/include/gguf.h, enum gguf_type."""

    UINT8 = 0
    INT8 = 1
    UINT16 = 2
    INT16 = 3
    UINT32 = 4
    INT32 = 5
    FLOAT32 = 6
    BOOL = 7
    STRING = 8
    ARRAY = 9
    UINT64 = 10
    INT64 = 11
    FLOAT64 = 12


_LAYOUT = {
    ValueType.UINT8: "B",
    ValueType.INT8: "b",
    ValueType.UINT16: "H",
    ValueType.INT16: "h",
    ValueType.UINT32: "I",
    ValueType.INT32: "i",
    ValueType.FLOAT32: "f",
    ValueType.BOOL: "b",  # llama.cpp takes any byte but 0 for true
    ValueType.UINT64: "Q",
    ValueType.INT64: "q",
    ValueType.FLOAT64: "d",
}
_STRUCT = {kind: struct.Struct("<" + letter) for kind, letter in _LAYOUT.items()}
_TYPE = struct.Struct("<I")
_ARRAY_HEAD = struct.Struct("<IQ")


@dataclass(frozen=True)
class Stored:
    """How a value lies in the file.

    Attributes:
        type: Its type; of the elements where it is an array.
        array_length: Elements of an array, kept or not; None for a scalar.
        offset: Where its type field starts.
    """

    type: ValueType
    array_length: int | None
    offset: int


@dataclass(frozen=True)
class KeyValues:
    """Values that are kept, and how every value, kept or not, is stored."""

    values: dict[str, MetadataValue] = field(default_factory=dict)
    stored: dict[str, Stored] = field(default_factory=dict)

    def array_length(self, key: str) -> int | None:
        """Elements of an array, kept or not; None where there is no array of that name."""
        stored = self.stored.get(key)
        return stored.array_length if stored else None


def read_key_values(cursor: HeaderCursor, count: int) -> KeyValues:
    """All ``count`` keys; long arrays, the vocabulary and very long texts are only measured."""
    found = KeyValues()
    for _ in range(count):
        key = _read_key(cursor)
        if key in found.stored:
            raise cursor.error("P0306", f"key {key!r} is there twice")
        offset = cursor.position
        kind = _read_type(cursor, key)
        length: int | None = None
        if kind is ValueType.ARRAY:
            kind, length = _read_array_head(cursor, key)
        value = (
            _read_scalar(cursor, kind, key)
            if length is None
            else _read_array(cursor, kind, length, key)
        )
        found.stored[key] = Stored(kind, length, offset)
        if value is not None:
            found.values[key] = value
    return found


def _read_key(cursor: HeaderCursor) -> str:
    offset = cursor.position
    length = cursor.text_length("the length of a key")
    if not 0 < length <= LONGEST_KEY:
        raise cursor.error(
            "P0306", f"a key has {length} bytes; 1 to {LONGEST_KEY} make sense", offset
        )
    try:
        return cursor.take(length, "a key").decode()
    except UnicodeDecodeError:
        raise cursor.error("P0306", "a key is not UTF-8 text", offset) from None


def _read_type(cursor: HeaderCursor, key: str) -> ValueType:
    offset = cursor.position
    number = cursor.whole(_TYPE, f"the type of {key!r}")
    try:
        return ValueType(number)
    except ValueError:
        raise cursor.error(
            "P0306", f"key {key!r} has unknown value type {number}", offset
        ) from None


def _read_array_head(cursor: HeaderCursor, key: str) -> tuple[ValueType, int]:
    offset = cursor.position
    kind = _read_type(cursor, key)
    if kind is ValueType.ARRAY:
        raise cursor.error("P0306", f"key {key!r} is an array of arrays", offset)
    length = cursor.whole(_LENGTH, f"the length of {key!r}")
    smallest = 8 if kind is ValueType.STRING else _STRUCT[kind].size
    if length * smallest > cursor.source.size - cursor.position:
        raise cursor.error(
            "P0304", f"array {key!r} of {length} elements ends behind the end of the file", offset
        )
    return kind, length


_LENGTH = struct.Struct("<Q")


def _read_scalar(cursor: HeaderCursor, kind: ValueType, key: str) -> _SCALAR | None:
    if kind is ValueType.STRING:
        return _read_text(cursor, key)
    (value,) = cursor.unpack(_STRUCT[kind], f"the value of {key!r}")
    return value != 0 if kind is ValueType.BOOL else value


def _read_text(cursor: HeaderCursor, key: str) -> str | None:
    length = cursor.text_length(f"the value of {key!r}")
    if length > LONGEST_KEPT_TEXT:
        cursor.skip(length)
        return None
    # A name in an old code page decides no byte of memory, so it is no reason to refuse a model.
    return cursor.take(length, f"the value of {key!r}").decode(errors="replace")


def _read_array(
    cursor: HeaderCursor, kind: ValueType, length: int, key: str
) -> tuple[_SCALAR, ...] | None:
    what = f"the array {key!r}"
    is_kept = length <= LONGEST_KEPT_ARRAY and not key.startswith("tokenizer.")
    if kind is ValueType.STRING:
        if not is_kept:
            cursor.skip_texts(length, what)
            return None
        texts = [_read_text(cursor, key) for _ in range(length)]
        return tuple(text for text in texts if text is not None)
    if not is_kept:
        cursor.skip(length * _STRUCT[kind].size)
        return None
    values = cursor.unpack(struct.Struct(f"<{length}{_LAYOUT[kind]}"), what)
    return tuple(value != 0 for value in values) if kind is ValueType.BOOL else values
