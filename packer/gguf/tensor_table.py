"""The tensor table of a GGUF header, checked as strictly as llama.cpp does."""

import struct
from dataclasses import dataclass

from packer.domain.model import Tensor
from packer.domain.quantization import ELEMENT_TYPES, ElementType
from packer.gguf.header_cursor import HeaderCursor

MOST_TENSORS = 2**16
_MOST_DIMENSIONS = 4
_LONGEST_NAME = 63
_LARGEST = 2**63 - 1

_COUNT = struct.Struct("<I")
_SHAPES = {n: struct.Struct(f"<{n}q") for n in range(1, _MOST_DIMENSIONS + 1)}
_TYPE_AND_OFFSET = struct.Struct("<IQ")


@dataclass(frozen=True)
class TensorTable:
    """Tensors in file order, with the offset of each in the data section [bytes].

    Attributes:
        data_bytes: Length of the data section up to the end of the last tensor [bytes].
        end: Offset of the first byte behind the table.
    """

    tensors: tuple[Tensor, ...]
    offsets: tuple[int, ...]
    data_bytes: int
    end: int


def padded(count: int, alignment: int) -> int:
    """``count`` rounded up to a multiple of ``alignment``."""
    return -(-count // alignment) * alignment


def read_tensor_table(cursor: HeaderCursor, count: int, alignment: int) -> TensorTable:
    """All ``count`` tensors, which must lie one behind the other.

    Source: llama.cpp b11434, ggml/src/gguf.cpp, gguf_init_from_reader().
    """
    tensors: list[Tensor] = []
    offsets: list[int] = []
    names: set[str] = set()
    expected = data_bytes = 0
    for _ in range(count):
        tensor = _read_tensor(cursor)
        if tensor.name in names:
            raise cursor.error("P0307", f"tensor {tensor.name!r} is there twice")
        names.add(tensor.name)
        offset = cursor.whole(_OFFSET, f"the offset of tensor {tensor.name!r}")
        if offset != expected:
            raise cursor.error("P0307", _misplaced(tensor.name, offset, expected, alignment))
        tensors.append(tensor)
        offsets.append(offset)
        data_bytes = offset + tensor.data_bytes
        expected = padded(data_bytes, alignment)
        if expected > _LARGEST:
            raise cursor.error("P0307", f"data of tensor {tensor.name!r} ends behind 2^63 bytes")
    return TensorTable(tuple(tensors), tuple(offsets), data_bytes, cursor.position)


_OFFSET = struct.Struct("<Q")


def _read_tensor(cursor: HeaderCursor) -> Tensor:
    name = _read_name(cursor)
    shape = _read_shape(cursor, name)
    return Tensor(name, shape, _read_type(cursor, name, shape[0]))


def _read_name(cursor: HeaderCursor) -> str:
    offset = cursor.position
    length = cursor.text_length("the length of a tensor name")
    if not 0 < length <= _LONGEST_NAME:
        raise cursor.error(
            "P0307", f"a tensor name has {length} bytes; 1 to {_LONGEST_NAME} make sense", offset
        )
    try:
        return cursor.take(length, "a tensor name").decode()
    except UnicodeDecodeError:
        raise cursor.error("P0307", "a tensor name is not UTF-8 text", offset) from None


def _read_shape(cursor: HeaderCursor, name: str) -> tuple[int, ...]:
    offset = cursor.position
    dimensions = cursor.whole(_COUNT, f"the dimensions of tensor {name!r}")
    if not 1 <= dimensions <= _MOST_DIMENSIONS:
        raise cursor.error("P0307", f"tensor {name!r} has {dimensions} dimensions", offset)
    elements = 1
    shape: list[int] = []
    for extent in map(int, cursor.unpack(_SHAPES[dimensions], f"the shape of tensor {name!r}")):
        elements *= extent
        shape.append(extent)
        if extent < 1 or elements > _LARGEST:
            raise cursor.error("P0307", f"tensor {name!r} has an impossible shape", offset)
    return tuple(shape)


def _read_type(cursor: HeaderCursor, name: str, row_elements: int) -> ElementType:
    offset = cursor.position
    number = cursor.whole(_COUNT, f"the type of tensor {name!r}")
    element_type = ELEMENT_TYPES.get(number)
    if element_type is None:
        raise cursor.error("P0308", f"tensor {name!r} has unknown type {number}", offset)
    if row_elements % element_type.block_elements:
        raise cursor.error(
            "P0307",
            f"rows of tensor {name!r} have {row_elements} elements, not whole blocks of "
            f"{element_type.block_elements} ({element_type.name})",
            offset,
        )
    return element_type


def _misplaced(name: str, offset: int, expected: int, alignment: int) -> str:
    if offset % alignment:
        return f"tensor {name!r} starts at {offset}, which is not a multiple of {alignment}"
    relation = "overlaps the one before" if offset < expected else "leaves a hole"
    return f"tensor {name!r} {relation}: it starts at {offset}, not at {expected}"
