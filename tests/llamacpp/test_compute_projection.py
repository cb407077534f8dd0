"""Compute buffers on the host are llama.cpp's own to the byte: a tiny file of every architecture.

The wheel is newer than the build whose buffers ours equal. Where its graphs are others, ours are
within the band an estimate gives of such builds.
"""

from pathlib import Path

import pytest

from tests.llamacpp.agreement import assert_equal
from tests.llamacpp.oracle import Oracle
from tests.llamacpp.tiny_header import write_tiny
from tests.memory_truth import rows, tiny_content, tiny_or_catalogue_model

COMMANDS = (
    "-c 4096 -np 1",
    "-c 8192 -np 4 --kv-unified",
    "-c 8192 -np 4 -ub 100 -ctk q8_0",
    "-c 4096 -np 2 -fa off",
    "-c 1024 -np 1 -b 256 -ub 64",
)


# llama.cpp loads experts in a Refact file, but its graph has no place for them.
NAMES = {row["cmd"].split()[2] for row in rows("truth_architectures")} - {"refact-moe.gguf"}


@pytest.mark.parametrize("name", sorted(NAMES))
def test_buffers_equal_the_real_projection(oracle: Oracle, tmp_path: Path, name: str) -> None:
    model, content, path = tiny_or_catalogue_model(name), tiny_content(name), tmp_path / name
    assert content is not None
    write_tiny(path, content, model, model)
    for flags in COMMANDS:
        argv = ["llama-server", "-m", str(path), *flags.split(), "--fit", "off", "--no-repack"]
        assert_equal(model, argv, oracle.project(argv))
