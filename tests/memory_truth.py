"""What llama.cpp's allocator really reserved: rows, and the headers of the models they name.

A row holds a literal command line, the pretended cards (``total[:free]`` MiB each) and, per buffer
type, ``[weights, context, compute]`` bytes. ``out:*`` is the host's output buffer.
"""

import json
import shlex
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from packer.catalogue.models import load_model_file
from packer.domain.model import ModelFile
from packer.gguf.byte_ranges import ByteSource
from packer.gguf.header import read_model
from packer.llamacpp.arguments import parse_arguments
from packer.memory.estimate import estimate_memory
from packer.memory.result import Card, MemoryEstimate
from packer.units import MIB

DATA = Path(__file__).parent / "data" / "memory"

Row = dict[str, Any]


class HeaderBytes:
    """A header in memory, read as if it were a file."""

    def __init__(self, name: str, content: bytes) -> None:
        self.name, self._content = name, content
        self.size = len(content)

    def read(self, offset: int, length: int) -> bytes:
        return self._content[offset : offset + length]

    def next_read(self, length: int) -> int:
        return length


@cache
def rows(name: str) -> tuple[Row, ...]:
    """Rows of one file: ``truth``, ``truth_catalogue`` or ``truth_architectures``."""
    text = (DATA / f"{name}.jsonl").read_text()
    return tuple(json.loads(line) for line in text.splitlines())


@cache
def _archive(name: str) -> dict[str, bytes]:
    """Files of one archive by their names."""
    with tarfile.open(DATA / name) as archive:
        opened = {Path(m.name).name: archive.extractfile(m) for m in archive if m.isfile()}
        return {name: file.read() for name, file in opened.items() if file is not None}


def _packed_model(archive: str, name: str) -> ModelFile:
    content = _archive(archive)[name]

    @contextmanager
    def source(_: str) -> Iterator[ByteSource]:
        yield HeaderBytes(name, content)

    return read_model(name, source, header_only=True)


@cache
def measured_model(name: str) -> ModelFile:
    """Model file that rows of ``truth`` name."""
    return _packed_model("headers.tar.gz", name)


@cache
def tiny_model(name: str) -> ModelFile:
    """Model file that rows of ``truth_architectures`` name."""
    return _packed_model("architectures.tar.xz", name)


def catalogue_model(name: str) -> ModelFile:
    """Model file that rows of ``truth_catalogue`` name: ``<id>-<quantization>.gguf``."""
    model_id, _, quantization = name.removesuffix(".gguf").rpartition("-")
    return load_model_file(model_id, quantization)


def cards(gpus_mib: str) -> tuple[Card, ...]:
    """Cards of a row."""
    sizes = [gpu.partition(":") for gpu in gpus_mib.split(",") if gpu]
    return tuple(
        Card(f"CUDA{index}", int(total) * MIB, free_bytes=int(free or total) * MIB)
        for index, (total, _, free) in enumerate(sizes)
    )


def estimate(row: Row, open_model: Any) -> MemoryEstimate:
    """Our estimate of a row's literal command line."""
    options = parse_arguments(shlex.split(row["cmd"]))
    draft = options.draft.model if options.draft else ""
    return estimate_memory(
        open_model(options.model),
        options,
        cards(row["gpus_mib"]),
        draft=open_model(draft) if draft else None,
    )


def differences(row: Row, found: MemoryEstimate) -> list[str]:
    """Everything exact that differs: weights, contexts, cells, output buffer, per device."""
    wrong = []

    def compare(what: str, ours: int, theirs: int) -> None:
        if ours != theirs:
            wrong.append(f"{what}: ours {ours}, llama.cpp {theirs}")

    compare("n_ctx", found.context_cells, row["n_ctx"])
    compare("n_ctx_seq", found.context_cells_per_slot, row["n_ctx_seq"])
    compare("n_seq_max", found.slots, row["n_seq_max"])
    for prefix, key in (("", "target"), ("draft_", "draft")):
        buffers = row.get(key, {})
        for index, device in enumerate(found.devices):
            weights, context, _ = buffers.get(f"CUDA{index}", (0, 0, 0))
            compare(f"{prefix}weights {index}", getattr(device, f"{prefix}weights_bytes"), weights)
            compare(f"{prefix}context {index}", getattr(device, f"{prefix}context_bytes"), context)
        weights, context = host_bytes(buffers)
        compare(f"{prefix}weights host", getattr(found.host, f"{prefix}weights_bytes"), weights)
        compare(f"{prefix}context host", getattr(found.host, f"{prefix}context_bytes"), context)
    outputs = [*row["target"].items(), *row.get("draft", {}).items()]
    compare(
        "output",
        found.host.output_bytes,
        sum(sizes[2] for name, sizes in outputs if name.startswith("out:")),
    )
    return wrong


def host_bytes(buffers: dict[str, list[int]]) -> tuple[int, int]:
    """Weights and context of all host buffer types."""
    host = [
        sizes
        for name, sizes in buffers.items()
        if name == "CUDA_Host" or not name.startswith("CUDA")
    ]
    return sum(sizes[0] for sizes in host), sum(sizes[1] for sizes in host)
