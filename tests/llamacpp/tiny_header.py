"""Headers of tiny model files with other metadata and tensors, over a hole for the data.

Metadata that stay are copied as they are: llama.cpp is particular about their types, and a model
read from a file keeps neither these nor the vocabulary.
"""

import struct
from pathlib import Path

from packer.domain.model import MetadataValue, ModelFile

_ALIGNMENT = 32
_STRING, _ARRAY = 8, 9
_LETTERS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
_NEW_KINDS = {bool: 7, int: 5, float: 6}


def write_tiny(path: Path, content: bytes, original: ModelFile, model: ModelFile) -> None:
    """Write the header ``content`` of a file, changed as ``model`` differs from ``original``."""
    entries = _entries(content)
    for key in original.metadata.keys() - model.metadata.keys():
        del entries[key]
    for key, value in model.metadata.items():
        if original.metadata.get(key) != value:
            entries[key] = _encoded(value, entries.get(key))
    head = content[:8] + struct.pack("<QQ", len(model.tensors), len(entries))
    head += b"".join(_string(key) + value for key, value in entries.items())
    offset = 0
    for tensor in model.tensors:
        shape = tensor.shape
        head += _string(tensor.name) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
        head += struct.pack("<IQ", tensor.type.ggml_id, offset)
        offset += tensor.data_bytes + -tensor.data_bytes % _ALIGNMENT
    head += bytes(-len(head) % _ALIGNMENT)
    with path.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + offset)


def _entries(content: bytes) -> dict[str, bytes]:
    """Metadata by key, each as its type and its bytes."""
    (count,) = struct.unpack_from("<Q", content, 16)
    found, place = {}, 24
    for _ in range(count):
        end = _end(content, place, _STRING)
        key, place = content[place + 8 : end].decode(), end
        end = _end(content, place + 4, *struct.unpack_from("<I", content, place))
        found[key], place = content[place:end], end
    return found


def _end(content: bytes, place: int, kind: int) -> int:
    """Where a value ends."""
    if kind == _STRING:
        return place + 8 + int(struct.unpack_from("<Q", content, place)[0])
    if kind != _ARRAY:
        return place + struct.calcsize(_LETTERS[kind])
    inner, count = struct.unpack_from("<IQ", content, place)
    place += 12
    for _ in range(count):
        place = _end(content, place, inner)
    return place


def _encoded(value: MetadataValue, before: bytes | None) -> bytes:
    """A value as its type and its bytes: the type it had before, or else its own."""
    is_array = isinstance(value, tuple)
    items = value if isinstance(value, tuple) else (value,)
    kind = _kind(before) if before else _NEW_KINDS[type(items[0])]
    data = b"".join(struct.pack(f"<{_LETTERS[kind]}", item) for item in items)
    if is_array:
        return struct.pack("<IIQ", _ARRAY, kind, len(items)) + data
    return struct.pack("<I", kind) + data


def _kind(encoded: bytes) -> int:
    """Type of a value, or of the items of an array."""
    (outer,) = struct.unpack_from("<I", encoded)
    return int(struct.unpack_from("<I", encoded, 4)[0] if outer == _ARRAY else outer)


def _string(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()
