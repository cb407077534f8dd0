import struct
from pathlib import Path

import pytest

from tests import gguf_bytes as made
from tests.untraced import run_untraced

TOKENS, MERGES = 128_256, 280_147

# Processor time: what other programs do meanwhile does not count.
SECONDS = """
import time
from pathlib import Path
from packer.gguf.header import read_model_file
seconds = []
for _ in range({times}):
    start = time.process_time()
    model = read_model_file(Path({path!r}))
    seconds.append(time.process_time() - start)
print(min(seconds), model.vocabulary_size)
"""
# The high-water mark of a new process; getrusage() would start at its parent's.
PEAK = """
from pathlib import Path
{body}
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""


def seconds_to_read(path: Path, times: int) -> tuple[float, int]:
    """Least time of several readings [s], and the vocabulary that was found."""
    seconds, tokens = run_untraced(SECONDS.format(times=times, path=str(path))).split()
    return float(seconds), int(tokens)


@pytest.fixture(scope="module")
def large_vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A header of the size Llama 3's has: 128k tokens, 280k merges, 32 blocks."""
    content = made.llama(blocks=32, embedding=256, tokens=TOKENS)
    for key in content.keys:
        if key.name == "tokenizer.ggml.merges":
            key.value = [f"Ġab {i:x}" for i in range(MERGES)]
    path = tmp_path_factory.mktemp("large") / "large.gguf"
    with path.open("wb") as file:
        file.write(content.header())
        file.truncate(file.tell() + content.data_bytes())
    return path


def test_a_large_vocabulary_takes_little_time(large_vocabulary: Path) -> None:
    seconds, tokens = seconds_to_read(large_vocabulary, times=10)
    assert tokens == TOKENS
    assert seconds <= 0.060


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_a_large_vocabulary_takes_little_memory(large_vocabulary: Path) -> None:
    reading = (
        "from packer.gguf.header import read_model_file\n"
        f"read_model_file(Path({str(large_vocabulary)!r}))"
    )
    assert peak_bytes(reading) - peak_bytes("") <= 40 * 10**6


def peak_bytes(body: str) -> int:
    return int(run_untraced(PEAK.format(body=body))) * 1024


def test_arrays_of_strings_are_bounded_in_time(tmp_path: Path) -> None:
    """The longest header there may be, full of empty strings, must not take seconds."""
    count = 2**24 - 2**10
    content = made.llama()
    for key in content.keys:
        if key.name == "tokenizer.ggml.merges":
            key.value = ["x"]
    header = bytearray(content.header())
    start = header.index(b"tokenizer.ggml.merges") + len("tokenizer.ggml.merges") + 8
    struct.pack_into("<Q", header, start, count)
    path = tmp_path / "many.gguf"
    with path.open("wb") as file:
        file.write(header[: start + 8])
        file.truncate(start + 8 + 8 * count)
        file.seek(0, 2)
        file.write(header[start + 8 + 9 :])
        file.truncate(file.tell() + content.data_bytes() + content.alignment)
    seconds, tokens = seconds_to_read(path, times=1)
    assert seconds < 5
    assert tokens == 64
