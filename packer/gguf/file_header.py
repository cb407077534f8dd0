"""Everything one GGUF file says before its tensor data begins."""

import struct
from dataclasses import dataclass

from packer.gguf.byte_ranges import ByteSource
from packer.gguf.header_cursor import HeaderCursor
from packer.gguf.key_values import MOST_KEYS, KeyValues, ValueType, read_key_values
from packer.gguf.tensor_table import MOST_TENSORS, TensorTable, padded, read_tensor_table

_MAGIC = b"GGUF"
_DEFAULT_ALIGNMENT = 32
_VERSIONS = (2, 3)
_VERSION = struct.Struct("<I")
_COUNTS = struct.Struct("<QQ")


@dataclass(frozen=True)
class FileHeader:
    """Header of one file; a split model has several.

    Attributes:
        file: Path or URL, for errors.
        file_bytes: Size of the file; where only the header is at hand, what it must have been.
        data_offset: Where tensor data begins.
    """

    file: str
    file_bytes: int
    key_values: KeyValues
    table: TensorTable
    data_offset: int


def read_file_header(source: ByteSource, *, header_only: bool = False) -> FileHeader:
    """Header of one file, in bounded time and memory.

    Args:
        source: The file.
        header_only: The tensor data was cut off on purpose; do not miss it.

    Raises:
        InvalidModelFile: Not GGUF 2 or 3 of this byte order, truncated, or contradicting itself.

    Source:
        llama.cpp b11434, ggml/src/gguf.cpp, gguf_init_from_reader().
    """
    cursor = HeaderCursor(source)
    tensor_count, key_count = _read_preamble(cursor)
    key_values = read_key_values(cursor, key_count)
    alignment = _alignment(cursor, key_values)
    table = read_tensor_table(cursor, tensor_count, alignment)
    data_offset = padded(table.end, alignment) if tensor_count else table.end
    end = data_offset + table.data_bytes
    if end > source.size and not header_only:
        raise cursor.error(
            "P0309",
            f"tensor data ends at {end}, but the file has only {source.size} bytes",
            data_offset,
        )
    # Writers pad the last tensor too.
    file_bytes = data_offset + padded(table.data_bytes, alignment) if header_only else source.size
    return FileHeader(source.name, file_bytes, key_values, table, data_offset)


def _read_preamble(cursor: HeaderCursor) -> tuple[int, int]:
    if cursor.source.size < len(_MAGIC) or cursor.take(len(_MAGIC), "the magic") != _MAGIC:
        raise cursor.error("P0302", "not a GGUF file", 0)
    _check_version(cursor)
    offset = cursor.position
    tensor_count, key_count = map(int, cursor.unpack(_COUNTS, "the counts"))
    for count, most, noun in (
        (tensor_count, MOST_TENSORS, "tensors"),
        (key_count, MOST_KEYS, "keys"),
    ):
        if count > most:
            raise cursor.error(
                "P0305", f"{count} {noun} are announced; at most {most} are read", offset
            )
    return tensor_count, key_count


def _check_version(cursor: HeaderCursor) -> None:
    offset = cursor.position
    version = cursor.whole(_VERSION, "the version")
    if version in _VERSIONS:
        return
    if version & 0xFFFF == 0:
        raise cursor.error("P0303", "the file is big-endian; llama.cpp here cannot read it", offset)
    raise cursor.error("P0303", f"GGUF version {version} is not supported", offset)


def _alignment(cursor: HeaderCursor, key_values: KeyValues) -> int:
    stored = key_values.stored.get("general.alignment")
    if stored is None:
        return _DEFAULT_ALIGNMENT
    alignment = key_values.values.get("general.alignment")
    if (
        stored.type is not ValueType.UINT32
        or not isinstance(alignment, int)
        or alignment < 1
        or alignment & (alignment - 1)
    ):
        raise cursor.error("P0306", "general.alignment is not a 32-bit power of two", stored.offset)
    return alignment
