"""GGUF files in memory, right or wrong on purpose, for tests."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from packer.domain.quantization import ELEMENT_TYPES

UINT8, INT8, UINT16, INT16, UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY = range(10)
UINT64, INT64, FLOAT64 = range(10, 13)
_LETTERS = "BbHhIifb  Qqd"

Scalar = int | float | str
Value = Scalar | Sequence[Scalar]


@dataclass
class Key:
    """One key; an array if ``value`` is a list."""

    name: str
    type: int
    value: Value


@dataclass
class Tensor:
    """One entry of the tensor table; the offset follows from those before unless it is given."""

    name: str
    shape: Sequence[int]
    type: int = 0
    offset: int | None = None


@dataclass
class Gguf:
    """A file; every field can be set to nonsense."""

    keys: list[Key] = field(default_factory=list)
    tensors: list[Tensor] = field(default_factory=list)
    magic: bytes = b"GGUF"
    version: int = 3
    alignment: int = 32
    key_count: int | None = None
    tensor_count: int | None = None

    def header(self) -> bytes:
        """Everything before the data, padded."""
        key_count = len(self.keys) if self.key_count is None else self.key_count
        tensor_count = len(self.tensors) if self.tensor_count is None else self.tensor_count
        parts = [self.magic, struct.pack("<IQQ", self.version, tensor_count, key_count)]
        parts += [text(key.name) + value(key) for key in self.keys]
        parts += self._table()
        header = b"".join(parts)
        return header + bytes(-len(header) % self.alignment)

    def file(self) -> bytes:
        """The header and data of zeros."""
        return self.header() + bytes(self.data_bytes())

    def data_bytes(self) -> int:
        """Length of the data section, each tensor padded."""
        return sum(map(self._padded, self.tensors))

    def _table(self) -> list[bytes]:
        parts, end = [], 0
        for tensor in self.tensors:
            offset = end if tensor.offset is None else tensor.offset
            parts.append(
                text(tensor.name)
                + struct.pack(f"<I{len(tensor.shape)}q", len(tensor.shape), *tensor.shape)
                + struct.pack("<IQ", tensor.type, offset)
            )
            end += self._padded(tensor)
        return parts

    def _padded(self, tensor: Tensor) -> int:
        kind = ELEMENT_TYPES.get(tensor.type)
        elements = 1
        for extent in tensor.shape:
            elements *= extent
        size = kind.row_bytes(elements) if kind and 0 < elements < 2**40 else 0
        return -(-size // self.alignment) * self.alignment


def text(content: str | bytes) -> bytes:
    """A string with its length in front."""
    raw = content.encode() if isinstance(content, str) else content
    return struct.pack("<Q", len(raw)) + raw


def value(key: Key) -> bytes:
    """The type and value of a key."""
    if isinstance(key.value, str) or not isinstance(key.value, Sequence):
        return struct.pack("<I", key.type) + _scalar(key.type, key.value)
    elements = b"".join(_scalar(key.type, element) for element in key.value)
    return struct.pack("<IIQ", ARRAY, key.type, len(key.value)) + elements


def _scalar(kind: int, element: Scalar) -> bytes:
    if isinstance(element, str):
        return text(element)
    return struct.pack(f"<{_LETTERS[kind]}", element)


def llama(blocks: int = 2, embedding: int = 256, tokens: int = 64, type_id: int = 12) -> Gguf:
    """A small llama whose every tensor is there; matrices are q4_K unless another is asked for."""
    keys = [
        Key("general.architecture", STRING, "llama"),
        Key("general.name", STRING, "tiny"),
        Key("llama.context_length", UINT32, 4096),
        Key("llama.embedding_length", UINT32, embedding),
        Key("llama.block_count", UINT32, blocks),
        Key("llama.feed_forward_length", UINT32, 512),
        Key("llama.attention.head_count", UINT32, 4),
        Key("llama.attention.head_count_kv", UINT32, 2),
        Key("llama.attention.layer_norm_rms_epsilon", FLOAT32, 1e-5),
        Key("tokenizer.ggml.model", STRING, "gpt2"),
        Key("tokenizer.ggml.tokens", STRING, [f"token{i}" for i in range(tokens)]),
        Key("tokenizer.ggml.token_type", INT32, [1] * tokens),
        Key("tokenizer.ggml.merges", STRING, [f"a b{i}" for i in range(tokens)]),
    ]
    tensors = [Tensor("token_embd.weight", (embedding, tokens), type_id)]
    for block in range(blocks):
        for name, shape in (
            ("attn_norm", (embedding,)),
            ("attn_q", (embedding, embedding)),
            ("attn_k", (embedding, embedding // 2)),
            ("attn_v", (embedding, embedding // 2)),
            ("attn_output", (embedding, embedding)),
            ("ffn_norm", (embedding,)),
            ("ffn_gate", (embedding, 512)),
            ("ffn_up", (embedding, 512)),
            ("ffn_down", (512, embedding)),
        ):
            kind = 0 if len(shape) == 1 else type_id
            tensors.append(Tensor(f"blk.{block}.{name}.weight", shape, kind))
    tensors.append(Tensor("output_norm.weight", (embedding,)))
    return Gguf(keys, tensors)
