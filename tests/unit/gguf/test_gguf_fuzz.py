import struct
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from packer.domain.model import ModelFile
from packer.errors import InvalidModelFile
from packer.gguf.header import read_model_file
from tests import gguf_bytes as made

VALID = made.llama(blocks=1, tokens=8)
CONTENT = VALID.file()
HEADER_BYTES = len(VALID.header())

NUMBERS = st.one_of(
    st.sampled_from([0, 1, 7, 8, 9, 13, 31, 2**15, 2**31, 2**32 - 1, 2**62, 2**63, 2**64 - 1]),
    st.integers(0, 2**64 - 1),
)
OFFSETS = st.integers(0, HEADER_BYTES - 8)
MUTATIONS = st.one_of(
    st.tuples(st.just("number"), OFFSETS, st.tuples(st.sampled_from("BIQ"), NUMBERS)),
    st.tuples(st.just("bytes"), OFFSETS, st.binary(min_size=1, max_size=24)),
    st.tuples(st.just("insert"), OFFSETS, st.binary(min_size=1, max_size=24)),
    st.tuples(st.just("delete"), OFFSETS, st.integers(1, 64)),
    st.tuples(st.just("cut"), OFFSETS, st.none()),
)


def mutate(content: bytearray, kind: str, offset: int, argument: object) -> None:
    match kind, argument:
        case "number", (str(letter), int(number)):
            size = struct.calcsize(letter)
            content[offset : offset + size] = (number % 256**size).to_bytes(size, "little")
        case "bytes", bytes(new):
            content[offset : offset + len(new)] = new
        case "insert", bytes(new):
            content[offset:offset] = new
        case "delete", int(length):
            del content[offset : offset + length]
        case "cut", None:
            del content[offset:]
        case _:
            raise AssertionError(kind)


def outcome(content: bytes) -> ModelFile | InvalidModelFile:
    """The model, or the one kind of error there may be; anything else fails the test."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fuzzed.gguf"
        path.write_bytes(content)
        try:
            return read_model_file(path)
        except InvalidModelFile as error:
            return error


@settings(max_examples=600, deadline=2000)
@given(st.lists(MUTATIONS, min_size=1, max_size=4))
def test_a_mutated_header_is_read_or_refused(
    mutations: list[tuple[str, int, object]],
) -> None:
    content = bytearray(CONTENT)
    for kind, offset, argument in mutations:
        mutate(content, kind, offset, argument)
    model = outcome(bytes(content))
    if isinstance(model, InvalidModelFile):
        assert "fuzzed.gguf" in str(model)
    else:
        # Whatever was read must be possible: all data inside the file, one block, one embedding.
        end = model.data_offset + model.tensor_offsets[-1] + model.tensors[-1].data_bytes
        assert end <= model.file_bytes == len(content)
        assert model.number("block_count") == 1 or model.architecture != "llama"


@settings(max_examples=200, deadline=2000)
@given(st.binary(max_size=400))
def test_any_bytes_behind_the_magic_are_refused(tail: bytes) -> None:
    assert isinstance(outcome(b"GGUF\x03\0\0\0" + tail), InvalidModelFile)
