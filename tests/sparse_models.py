"""Full-size model files that take no room: a real header over a hole where the data would be."""

import struct
from pathlib import Path

from packer.domain.model import MetadataValue, ModelFile

_ALIGNMENT = 32
_U32, _I32, _F32, _BOOL, _STRING, _ARRAY, _U64 = 4, 5, 6, 7, 8, 9, 10


def write_sparse_model(path: Path, model: ModelFile) -> Path:
    """Write the header of ``model`` as GGUF version 3; returns ``path``."""
    head = [struct.pack("<4sIQQ", b"GGUF", 3, len(model.tensors), len(model.metadata))]
    for key, value in model.metadata.items():
        head += [_string(key), _value(value)]
    offset = 0
    for tensor in model.tensors:
        shape = tensor.shape
        head.append(_string(tensor.name) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape))
        head.append(struct.pack("<IQ", tensor.type.ggml_id, offset))
        offset += _padded(tensor.data_bytes)
    header = b"".join(head)
    header += bytes(_padded(len(header)) - len(header))
    with path.open("wb") as file:
        file.write(header)
        file.truncate(len(header) + offset)
    return path


def _padded(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _value(value: MetadataValue) -> bytes:
    """One value behind its type."""
    if isinstance(value, tuple):
        kind = _kind(max(value, key=lambda one: isinstance(one, float)))
        data = b"".join(_plain(one, kind) for one in value)
        return struct.pack("<IIQ", _ARRAY, kind, len(value)) + data
    kind = _kind(value)
    return struct.pack("<I", kind) + _plain(value, kind)


def _kind(value: int | float | bool | str) -> int:
    if isinstance(value, bool):
        return _BOOL
    if isinstance(value, str):
        return _STRING
    if isinstance(value, float):
        return _F32
    return _I32 if value < 0 else _U32 if value < 2**32 else _U64


def _plain(value: int | float | bool | str, kind: int) -> bytes:
    if isinstance(value, str):
        return _string(value)
    letter = {_U32: "I", _I32: "i", _F32: "f", _BOOL: "?", _U64: "Q"}[kind]
    return struct.pack(f"<{letter}", value)
