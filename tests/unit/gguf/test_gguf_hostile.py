import os
import re
import struct
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from packer.errors import InvalidModelFile
from packer.gguf.file_header import read_file_header
from packer.gguf.header import read_model_file
from tests import gguf_bytes as made
from tests.gguf_bytes import Key, Tensor

HUGE = 2**63


def refusal(folder: Path, content: bytes) -> InvalidModelFile:
    """The one error of a file; it names file and offset and costs little time and memory."""
    path = folder / "hostile.gguf"
    path.write_bytes(content)
    tracemalloc.start()
    start = time.process_time()
    try:
        with pytest.raises(InvalidModelFile) as caught:
            read_model_file(path)
        assert time.process_time() - start < 2
        assert tracemalloc.get_traced_memory()[1] < 40 * 2**20
    finally:
        tracemalloc.stop()
    assert len(caught.value.problems) == 1
    problem = caught.value.problems[0]
    assert problem.where is not None
    assert problem.where.file == str(path)
    assert re.search(r"\((at|before) byte \d+\)", problem.title)
    assert problem.help
    return caught.value


def with_key(*keys: Key) -> made.Gguf:
    """The small llama with these keys in place of those of the same name."""
    content = made.llama()
    names = {key.name for key in keys}
    content.keys = [key for key in content.keys if key.name not in names] + list(keys)
    return content


def without_key(name: str) -> made.Gguf:
    content = made.llama()
    content.keys = [key for key in content.keys if key.name != name]
    return content


def with_tensor(index: int, tensor: Tensor) -> made.Gguf:
    content = made.llama()
    content.tensors[index] = tensor
    return content


def patched(layout: str, offset: int, number: int) -> bytes:
    content = bytearray(made.llama().file())
    struct.pack_into(layout, content, offset, number)
    return bytes(content)


def key_offset(content: bytes | bytearray, name: str) -> int:
    """Where the type of a key's value lies."""
    return content.index(made.text(name)) + 8 + len(name)


def with_array(kind: int, count: int) -> bytes:
    """The tokens array announces another type and count."""
    content = bytearray(made.llama().file())
    start = key_offset(content, "tokenizer.ggml.tokens")
    struct.pack_into("<IQ", content, start + 4, kind, count)
    return bytes(content)


FIRST_KEY = 4 + 4 + 8 + 8


@pytest.mark.parametrize(
    ("code", "content"),
    [
        ("P0302", b""),
        ("P0302", b"GG"),
        ("P0302", b"PK\x03\x04" + bytes(100)),
        ("P0302", b"GGML" + bytes(100)),
        ("P0303", patched("<I", 4, 0)),
        ("P0303", patched("<I", 4, 1)),
        ("P0303", patched("<I", 4, 4)),
        ("P0303", patched(">I", 4, 3)),
        ("P0304", made.llama().file()[:20]),
        ("P0305", patched("<Q", 8, HUGE)),
        ("P0305", patched("<Q", 16, HUGE)),
        ("P0305", patched("<Q", 8, 2**16 + 1)),
        ("P0304", patched("<Q", 16, 2**16)),
        ("P0304", patched("<Q", FIRST_KEY, HUGE)),
        ("P0304", patched("<Q", FIRST_KEY, 2**40)),
        ("P0306", patched("<Q", FIRST_KEY, 0)),
        ("P0306", patched("<B", FIRST_KEY + 8, 0xFF)),
        ("P0304", with_array(made.STRING, HUGE)),
        ("P0304", with_array(made.STRING, 2**64 - 1)),
        ("P0304", with_array(made.UINT8, HUGE)),
        ("P0304", with_array(made.UINT64, 2**61)),
        ("P0306", with_array(made.ARRAY, 1)),
        ("P0306", with_array(99, 1)),
    ],
)
def test_bytes_that_are_no_header(tmp_path: Path, code: str, content: bytes) -> None:
    assert refusal(tmp_path, content).problems[0].code == code


@pytest.mark.parametrize("name", ["llama.block_count", "general.architecture"])
def test_a_repeated_key(tmp_path: Path, name: str) -> None:
    content = made.llama()
    content.keys.append(next(key for key in content.keys if key.name == name))
    error = refusal(tmp_path, content.file())
    assert error.problems[0].code == "P0306"
    assert "twice" in str(error)


def test_an_unknown_value_type(tmp_path: Path) -> None:
    content = bytearray(made.llama().file())
    struct.pack_into("<I", content, key_offset(content, "llama.block_count"), 13)
    assert refusal(tmp_path, bytes(content)).problems[0].code == "P0306"


def test_more_text_than_any_model_has(tmp_path: Path) -> None:
    keys = [Key(f"general.x{i}", made.STRING, "y" * 2**20) for i in range(17)]
    assert refusal(tmp_path, with_key(*keys).file()).problems[0].code == "P0305"


def test_a_header_longer_than_any_in_use(tmp_path: Path) -> None:
    path = tmp_path / "long.gguf"
    content = made.Gguf([Key("x.long", made.UINT8, [0])], key_count=2)
    head = bytearray(content.header())
    struct.pack_into("<Q", head, head.index(b"x.long") + 6 + 8, 2**28)
    with path.open("wb") as file:
        file.write(head)
        file.truncate(2**29)
    start = time.process_time()
    with pytest.raises(InvalidModelFile, match="P0305"):
        read_model_file(path)
    assert time.process_time() - start < 1


@pytest.mark.parametrize(
    ("code", "tensor"),
    [
        ("P0307", Tensor("token_embd.weight", (256, 64), 12)),
        ("P0307", Tensor("", (256, 64), 12)),
        ("P0307", Tensor("x" * 64, (256, 64), 12)),
        ("P0307", Tensor("x", (), 0)),
        ("P0307", Tensor("x", (1, 1, 1, 1, 1), 0)),
        ("P0307", Tensor("x", (0, 64), 0)),
        ("P0307", Tensor("x", (-256, 64), 0)),
        ("P0307", Tensor("x", (2**62, 64), 0)),
        ("P0307", Tensor("x", (2**32, 2**31), 0)),
        ("P0307", Tensor("x", (2**62, 1), 28)),
        ("P0307", Tensor("x", (255, 64), 12)),
        ("P0307", Tensor("x", (16, 64), 8)),
        ("P0308", Tensor("x", (256, 64), 43)),
        ("P0308", Tensor("x", (256, 64), 4)),
        ("P0308", Tensor("x", (256, 64), 2**32 - 1)),
        ("P0307", Tensor("x", (256, 64), 12, offset=0)),
        ("P0307", Tensor("x", (256, 64), 12, offset=1)),
        ("P0307", Tensor("x", (256, 64), 12, offset=9216 + 32)),
        ("P0307", Tensor("x", (256, 64), 12, offset=HUGE)),
    ],
)
def test_an_impossible_tensor(tmp_path: Path, code: str, tensor: Tensor) -> None:
    content = made.llama()
    content.tensors.insert(1, tensor)
    error = refusal(tmp_path, content.file()[: 2**20])
    assert error.problems[0].code == code


@pytest.mark.parametrize(
    ("shift", "why"),
    [(32, "leaves a hole"), (-32, "overlaps the one before"), (8, "not a multiple of 32")],
)
def test_a_last_tensor_in_another_place(tmp_path: Path, shift: int, why: str) -> None:
    content = made.llama()
    right = content.data_bytes() - 256 * 4
    content.tensors[-1].offset = right + shift
    error = refusal(tmp_path, content.file() + bytes(64))
    assert error.problems[0].code == "P0307"
    assert why in str(error)


def test_data_longer_than_the_file(tmp_path: Path) -> None:
    content = made.llama()
    content.tensors.append(Tensor("x", (2**50,), 0))
    assert refusal(tmp_path, content.file()).problems[0].code == "P0309"


def test_a_tensor_name_that_is_not_text(tmp_path: Path) -> None:
    content = made.llama().file().replace(b"output_norm.weight", b"output_n\xff\xfe\xfd.weight")
    assert refusal(tmp_path, content).problems[0].code == "P0307"


@pytest.mark.parametrize("number", [0, 3, 48, 2**31 + 1])
def test_an_alignment_that_is_no_power_of_two(tmp_path: Path, number: int) -> None:
    content = with_key(Key("general.alignment", made.UINT32, number))
    assert refusal(tmp_path, content.file()).problems[0].code == "P0306"


def test_an_alignment_of_another_type(tmp_path: Path) -> None:
    content = with_key(Key("general.alignment", made.UINT64, 32))
    assert refusal(tmp_path, content.file()).problems[0].code == "P0306"


@pytest.mark.parametrize(
    "content",
    [
        without_key("general.architecture"),
        without_key("llama.block_count"),
        without_key("llama.context_length"),
        without_key("llama.embedding_length"),
        without_key("llama.attention.head_count"),
        with_key(Key("general.architecture", made.STRING, "")),
        with_key(Key("general.architecture", made.UINT32, 7)),
        with_key(Key("llama.block_count", made.UINT32, 0)),
        with_key(Key("llama.block_count", made.UINT32, 1)),
        with_key(Key("llama.block_count", made.UINT32, 3)),
        with_key(Key("llama.block_count", made.UINT32, 513)),
        with_key(Key("llama.block_count", made.UINT64, 2)),
        with_key(Key("llama.block_count", made.STRING, "2")),
        with_key(Key("llama.block_count", made.UINT32, [2, 2])),
        with_key(Key("llama.context_length", made.FLOAT32, 4096.0)),
        with_key(Key("llama.context_length", made.UINT32, 0)),
        with_key(Key("llama.context_length", made.INT32, -1)),
        with_key(Key("llama.embedding_length", made.UINT32, 512)),
        with_key(Key("llama.attention.head_count", made.UINT32, 0)),
        with_key(Key("llama.attention.head_count", made.STRING, "four")),
        with_key(Key("llama.attention.head_count", made.UINT32, [4, 0])),
        with_key(Key("llama.attention.head_count", made.UINT32, [4])),
        with_key(Key("llama.attention.head_count", made.INT32, [4, -4])),
        with_key(Key("llama.attention.head_count", made.FLOAT32, [4.0, 4.0])),
        with_key(Key("llama.attention.head_count_kv", made.UINT32, 0)),
        with_key(Key("llama.attention.key_length", made.INT32, 128)),
        with_key(Key("llama.attention.sliding_window", made.BOOL, 1)),
        with_key(Key("llama.attention.recurrent_layers", made.BOOL, [1, 0, 1])),
        with_key(Key("llama.expert_feed_forward_length", made.UINT16, 8)),
        with_key(Key("tokenizer.ggml.tokens", made.STRING, ["a"] * 63)),
        without_key("tokenizer.ggml.tokens"),
        with_key(Key("tokenizer.ggml.tokens", made.STRING, "all of them")),
        with_key(Key("tokenizer.ggml.model", made.STRING, "no_vocab")),
        made.Gguf(made.llama().keys),
    ],
)
def test_keys_that_cannot_be_believed(tmp_path: Path, content: made.Gguf) -> None:
    assert refusal(tmp_path, content.file()).problems[0].code == "P0310"


def test_all_wrong_keys_are_named_at_once(tmp_path: Path) -> None:
    content = with_key(
        Key("llama.block_count", made.STRING, "2"), Key("llama.context_length", made.UINT32, 0)
    )
    path = tmp_path / "model.gguf"
    path.write_bytes(content.file())
    with pytest.raises(InvalidModelFile) as caught:
        read_model_file(path)
    assert len(caught.value.problems) == 2


def test_the_offset_points_at_the_key(tmp_path: Path) -> None:
    content = with_key(Key("llama.block_count", made.UINT64, 2)).file()
    error = refusal(tmp_path, content)
    assert f"(at byte {key_offset(content, 'llama.block_count')})" in str(error)


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    content = made.llama(blocks=1, tokens=8).file()
    path = tmp_path / "cut.gguf"
    path.write_bytes(content)
    data = read_model_file(path).data_offset
    # Every byte of the header, and of the data as far as the last tensor's last byte.
    for length in [*range(data + 2), len(content) // 2, len(content) - 1]:
        path.write_bytes(content[:length])
        with pytest.raises(InvalidModelFile) as caught:
            read_model_file(path)
        assert caught.value.problems[0].code in {"P0302", "P0304", "P0309"}
        assert str(path) in str(caught.value)


def fifo(path: Path) -> None:
    os.mkfifo(path)


def loop(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize("make", [Path.mkdir, fifo, loop, lambda path: None])
def test_what_is_no_file_is_refused_without_waiting(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    path = tmp_path / "model.gguf"
    make(path)
    with pytest.raises(InvalidModelFile, match="P0301"):
        read_model_file(path)


def test_a_name_no_system_takes_is_refused() -> None:
    with pytest.raises(InvalidModelFile, match="P0301"):
        read_model_file(Path("model\0.gguf"))


def test_a_file_that_shrinks_while_it_is_read_is_refused() -> None:
    class Shrinking:
        name, size = "shrinking.gguf", 10_000

        def read(self, offset: int, length: int) -> bytes:
            return made.llama().file()[: 50 if offset == 0 else 0]

    with pytest.raises(InvalidModelFile, match="P0304"):
        read_file_header(Shrinking())
