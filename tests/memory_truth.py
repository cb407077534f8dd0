"""What llama.cpp's allocator really reserved: rows, and the headers of the models they name.

A row holds a literal command line, the pretended cards (``total[:free]`` MiB each) and, per buffer
type, ``[weights, context, compute]`` bytes. ``out:*`` is the host's output buffer.
"""

import json
import shlex
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from packer.catalogue.models import load_model_file
from packer.domain.model import ModelFile
from packer.gguf.byte_ranges import ByteSource
from packer.gguf.header import read_model
from packer.llamacpp.arguments import parse_arguments
from packer.memory.draft_model import second_context, with_inferred_speculation
from packer.memory.estimate import estimate_memory
from packer.memory.hyperparameters import read_hyperparameters
from packer.memory.layer_split import HOST
from packer.memory.llama_context import PlacedContext, place_context
from packer.memory.output_buffer import output_bytes
from packer.memory.resolution import ResolvedContext, resolve_context
from packer.memory.result import Card, MemoryEstimate
from packer.units import MIB

DATA = Path(__file__).parent / "data" / "memory"

Row = dict[str, Any]
OpenModel = Callable[[str], ModelFile]


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


def tiny_content(name: str) -> bytes | None:
    """The header itself of a file that ``tiny_model`` reads; None if there is no such file."""
    return _archive("architectures.tar.xz").get(name)


def tiny_or_catalogue_model(name: str) -> ModelFile:
    """Model file that rows of ``truth_architectures`` name, or else those of the catalogue."""
    return catalogue_model(name) if tiny_content(name) is None else tiny_model(name)


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


def estimate(row: Row, open_model: OpenModel) -> MemoryEstimate:
    """Our estimate of a row's literal command line."""
    options = parse_arguments(shlex.split(row["cmd"]))
    draft = options.draft.model if options.draft else ""
    return estimate_memory(
        open_model(options.model),
        options,
        cards(row["gpus_mib"]),
        draft=open_model(draft) if draft else None,
    )


@dataclass(frozen=True)
class Exact:
    """The parts of an estimate that must be equal to the byte."""

    context: ResolvedContext
    target: PlacedContext
    draft: PlacedContext | None
    output: int


def exact(row: Row, open_model: OpenModel) -> Exact:
    """Weights, contexts and outputs of a row's literal command line; no compute buffers."""
    options = parse_arguments(shlex.split(row["cmd"]))
    model = open_model(options.model)
    name = options.draft.model if options.draft else ""
    draft = open_model(name) if name else None
    options = with_inferred_speculation(options, draft)
    sizes = read_hyperparameters(model)
    context = resolve_context(sizes, options)
    visible = cards(row["gpus_mib"])
    target = place_context(model, sizes, context, options, visible)
    output = output_bytes(sizes, context)
    second = second_context(model, options, context, draft)
    if second is None:
        return Exact(context, target, None, output)
    placed = place_context(
        second.model,
        second.sizes,
        second.context,
        second.options,
        visible,
        is_own_model=second.is_own_model,
    )
    return Exact(context, target, placed, output + output_bytes(second.sizes, second.context))


def differences(row: Row, found: Exact) -> list[str]:
    """Everything that differs: weights, contexts, cells, output buffer, per device."""
    wrong = []

    def compare(what: str, ours: int, theirs: int) -> None:
        if ours != theirs:
            wrong.append(f"{what}: ours {ours}, llama.cpp {theirs}")

    compare("n_ctx", found.context.context_cells, row["n_ctx"])
    compare("n_ctx_seq", found.context.cells_per_slot, row["n_ctx_seq"])
    compare("n_seq_max", found.context.slots, row["n_seq_max"])
    compare("n_ubatch", found.context.ubatch_size, row["n_ubatch"])
    compare("flash attention", found.target.has_flash_attention, row["fa"])
    compare("n_outputs_max", found.context.outputs_max, row["n_outputs_max"])
    for key, placed in (("target", found.target), ("draft", found.draft)):
        buffers = row.get(key, {})
        for device in range(HOST, len(cards(row["gpus_mib"]))):
            weights, context = _device_bytes(buffers, device)
            if placed is None:
                compare(f"{key} on {device}", 0, weights + context)
                continue
            compare(f"{key} weights on {device}", placed.weights.get(device, 0), weights)
            compare(f"{key} context on {device}", placed.cache.get(device, 0), context)
    outputs = [*row["target"].items(), *row.get("draft", {}).items()]
    compare("output", found.output, sum(b[2] for name, b in outputs if name.startswith("out:")))
    return wrong


def _device_bytes(buffers: dict[str, list[int]], device: int) -> tuple[int, int]:
    """Weights and context of one card, or of all host buffer types together."""
    if device != HOST:
        weights, context, _ = buffers.get(f"CUDA{device}", (0, 0, 0))
        return weights, context
    host = [
        sizes
        for name, sizes in buffers.items()
        if name == "CUDA_Host" or not name.startswith("CUDA")
    ]
    return sum(sizes[0] for sizes in host), sum(sizes[1] for sizes in host)
