"""Changes of GGUF headers that keep their lengths and counts right, so that values are fuzzed."""

import struct
from collections.abc import Iterator
from random import Random

from packer.memory.architectures import ARCHITECTURES
from tests.gguf_bytes import ARRAY, STRING, Gguf, Key, Scalar, Tensor, Value

_LETTERS = "BbHhIifb  Qqd"
_NUMBERS = (0, 1, 2, 3, 4, 8, 64, 511, 512, 513, 4096, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**63)
_MOST = 4096
_NAMES = (
    "activation.situ_linear_beta", "attention.causal", "attention.clamp_kqv",
    "attention.head_count", "attention.head_count_kv", "attention.indexer.key_length",
    "attention.indexer.types", "attention.key_length", "attention.key_length_mla",
    "attention.key_length_swa", "attention.kv_lora_rank", "attention.recurrent_layers",
    "attention.shared_kv_layers", "attention.sliding_window", "attention.value_length",
    "attention.value_length_mla", "attention.value_length_swa", "block_count", "context_length",
    "embedding_length", "embedding_length_out", "expert_count", "expert_feed_forward_length",
    "expert_shared_feed_forward_length", "expert_used_count", "feed_forward_length",
    "full_attention_interval", "kda.head_dim", "leading_dense_block_count",
    "nextn_predict_layers", "pooling_type", "shortconv.l_cache", "ssm.conv_kernel",
    "ssm.group_count", "ssm.inner_size", "ssm.state_size", "ssm.time_step_rank",
    "token_shift_count", "wkv.head_size",
)  # fmt: skip
"""Keys below the architecture's name that decide memory."""


NEXT_FILE = b"<next file>"
"""Between the two parts of a split model."""


class _Cursor:
    """Reads what is there and fails with an exception where nothing is."""

    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, 0

    def unpack(self, letter: str) -> Scalar:
        layout = struct.Struct(f"<{letter}")
        (value,) = layout.unpack_from(self._content, self._at)
        self._at += layout.size
        found: Scalar = value
        return found

    def count(self, letter: str = "Q") -> int:
        number = int(self.unpack(letter))
        if number > _MOST:
            raise ValueError(number)
        return number

    def text(self) -> str:
        length = self.count()
        self._at += length
        return self._content[self._at - length : self._at].decode()

    def scalar(self, kind: int) -> Scalar:
        return self.text() if kind == STRING else self.unpack(_LETTERS[kind])

    def key(self) -> Key:
        name, kind = self.text(), self.count("I")
        if kind != ARRAY:
            return Key(name, kind, self.scalar(kind))
        kind = self.count("I")
        return Key(name, kind, [self.scalar(kind) for _ in range(self.count())])

    def tensor(self) -> Tensor:
        name = self.text()
        shape = [int(self.unpack("q")) for _ in range(self.count("I"))]
        return Tensor(name, shape, int(self.unpack("I")), int(self.unpack("Q")))


def read(content: bytes) -> Gguf | None:
    """The header in some bytes; None if its lengths and counts are not right."""
    try:
        cursor = _Cursor(content[4:])
        version, tensors, keys = int(cursor.unpack("I")), cursor.count(), cursor.count()
        return Gguf(
            [cursor.key() for _ in range(keys)],
            [cursor.tensor() for _ in range(tensors)],
            content[:4],
            version,
        )
    except (struct.error, ValueError, IndexError):
        return None


def changed(content: bytes, draw: Random) -> bytes:
    """The header, or one of two, after one to four changes; empty if there is none in the bytes."""
    files = content.split(NEXT_FILE)
    chosen = draw.randrange(len(files))
    files[chosen] = _changed(files[chosen], draw)
    return NEXT_FILE.join(files) if files[chosen] else b""


def _changed(content: bytes, draw: Random) -> bytes:
    header = read(content)
    if header is None or not header.keys:
        return b""
    for _ in range(draw.choice((1, 1, 2, 4))):
        if header.keys:
            draw.choice(_CHANGES)(header, draw)
    try:
        return header.header()
    except (struct.error, ValueError, IndexError, AttributeError, TypeError):
        return b""


def _architecture(header: Gguf, draw: Random) -> None:
    """Another architecture, with all keys of the old one."""
    known = [key for key in header.keys if key.name == "general.architecture"]
    if not known or not isinstance(known[0].value, str):
        return
    old, new = known[0].value, draw.choice(sorted(ARCHITECTURES))
    known[0].value = new
    for key in header.keys:
        if key.name.startswith(f"{old}."):
            key.name = f"{new}.{key.name.removeprefix(f'{old}.')}"


def _add_key(header: Gguf, draw: Random) -> None:
    """A key that models have, below the architecture's name."""
    said = [key.value for key in header.keys if key.name == "general.architecture"]
    name = f"{said[0] if said else 'llama'}.{draw.choice(_NAMES)}"
    header.keys = [key for key in header.keys if key.name != name or draw.random() < 0.1]
    header.keys.append(Key(name, draw.choice((4, 5, 6, 7, 10)), _value(draw)))


def _value(draw: Random) -> Value:
    if draw.random() < 0.2:
        return [draw.choice(_NUMBERS[:8]) for _ in range(draw.choice((0, 1, 2, 3, 64, 513)))]
    return draw.choice(_NUMBERS[:12])


def _change_key(header: Gguf, draw: Random) -> None:
    key = draw.choice(header.keys)
    if key.type == STRING:
        key.value = draw.choice(("", "ü", "a" * 200, *_texts(header)))
    else:
        key.type = draw.choice((key.type, key.type, 4, 5, 6, 7, 10, 11, 12))
        key.value = _value(draw)


def _texts(header: Gguf) -> Iterator[str]:
    for key in header.keys:
        if isinstance(key.value, str):
            yield key.value


def _remove(header: Gguf, draw: Random) -> None:
    entries = header.keys if draw.random() < 0.5 else header.tensors
    if entries:
        del entries[draw.randrange(len(entries))]


def _change_tensor(header: Gguf, draw: Random) -> None:
    if not header.tensors:
        return
    tensor, other = draw.choice(header.tensors), draw.choice(header.tensors)
    what = draw.randrange(4)
    if what == 0:
        tensor.name = draw.choice((other.name, "", "blk.600.attn_q.weight", f"{other.name}x"))
    elif what == 1:
        tensor.shape = [draw.choice((*_NUMBERS[:12], -1)) for _ in range(draw.randrange(6))]
    elif what == 2:
        tensor.type = draw.choice((*range(42), 2**31))
    else:
        tensor.offset = draw.choice((None, *_NUMBERS, (other.offset or 0) + 32))


_CHANGES = (_architecture, _add_key, _add_key, _change_key, _change_key, _remove, _change_tensor)
