"""Buffers a running llama-server says it allocated, read from its log.

llama.cpp prints them at verbosity 4 and above (``-lv 4``), rounded to 0.01 MiB. A fitting pass
loads the same model several times before the real one, so the last account of each file counts.

Source: llama.cpp b11434, src/llama-model.cpp, src/llama-context.cpp, src/llama-kv-cache.cpp,
src/llama-memory-recurrent.cpp and common/fit.cpp, common_memory_breakdown_print().
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from packer.units import MIB

LONGEST_LINE = 8_192
"""Characters looked at of one line; the longest that counts holds a path of 4,096."""

# No pattern begins inside a word or reaches over what cannot be there: prompts of strangers are
# logged too, and must not cost more than their length.
_FILE = re.compile(
    r"loaded meta data with [0-9]{1,9} key-value pairs and [0-9]{1,9} tensors from (.+?) \(version "
)
_BUFFER = re.compile(
    r"\b(?P<who>\w+):\s+(?P<device>[\w+]+)\s+(?P<kind>model|KV|RS|compute|output|LoRA) buffer size"
    r"\s*=\s*(?P<mib>[0-9]{1,12}(?:\.[0-9]{1,12})?) MiB"
)
_CONTEXT = re.compile(r"constructing llama_context|\bllama_(?:new|init)_\w*context\w*: n_seq_max")
_COUNT = re.compile(r"\bllama_\w*context\w*: (n_\w+)\s+= ([0-9]{1,18})$")
_RESERVING = re.compile(r"reserving \.\.\.$")
_ATTENTION = re.compile(
    r"Flash Attention (?:was auto, set to )?(enabled|disabled)|flash_attn\s+= (\w+)"
)
_OFFLOADED = re.compile(r"offloaded ([0-9]{1,9})/([0-9]{1,9}) layers to GPU")
_GPU = re.compile(
    r"Device (?P<index>[0-9]{1,9}): (?P<name>[^,]+), compute capability (?P<capability>[0-9.]+),"
    r".*?(?:VRAM: (?P<mib>[0-9]{1,12}) MiB)?$"
)
_BREAKDOWN = re.compile(
    r"\|\s+- (?P<device>\w+) \([^|]*\)\s*\|\s*(?P<total>[0-9]{1,12}) =\s*(?P<free>[0-9]{1,12}) "
    r"\+ \([^|]*\) \+\s*(?P<unaccounted>-?[0-9]{1,12}) \|"
)
_ENABLED = {"enabled": True, "1": True, "true": True, "disabled": False, "0": False, "false": False}


@dataclass
class LoadedContext:
    """One context as the log tells it; sizes are by buffer type, such as ``CUDA0`` [bytes].

    Attributes:
        counts: What it printed of itself: ``n_ctx``, ``n_ctx_seq``, ``n_seq_max``, ``n_ubatch`` …
        flash_attention: None if the log does not say.
        compute_bytes: As first reserved, if another context exists: later reservations do not say
            whose they are.
    """

    counts: dict[str, int] = field(default_factory=dict)
    flash_attention: bool | None = None
    cache_bytes: dict[str, int] = field(default_factory=dict)
    compute_bytes: dict[str, int] = field(default_factory=dict)
    output_bytes: dict[str, int] = field(default_factory=dict)


@dataclass
class LoadedModel:
    """One model file with its contexts; a second context is that of multi-token prediction."""

    path: str
    weights_bytes: dict[str, int] = field(default_factory=dict)
    gpu_layers: int | None = None
    contexts: list[LoadedContext] = field(default_factory=list)


@dataclass(frozen=True)
class GpuLine:
    """A card as the CUDA backend introduces it; ``total_bytes`` is None in older builds."""

    index: int
    name: str
    compute_capability: str
    total_bytes: int | None


@dataclass(frozen=True)
class ServerLog:
    """All a log says about memory.

    Attributes:
        models: Target first, then the draft model.
        projector_compute_bytes: Compute buffers of the multimodal projector by buffer type [bytes].
        unaccounted_bytes: Device → bytes in use outside llama.cpp's buffers, printed when a server
            with ``-lv 4`` stops: CUDA context, pools, and other processes on the card [bytes].
    """

    gpus: tuple[GpuLine, ...]
    models: tuple[LoadedModel, ...]
    projector_compute_bytes: dict[str, int]
    unaccounted_bytes: dict[str, int]


def read_server_log(lines: Iterable[str]) -> ServerLog:
    """Buffers of every model in a log, whatever precedes each line."""
    reader = _Reader()
    for line in lines:
        reader.read(line[:LONGEST_LINE].rstrip())
    return ServerLog(
        gpus=tuple(reader.gpus.values()),
        models=tuple(reader.models.values()),
        projector_compute_bytes=reader.projector,
        unaccounted_bytes=reader.unaccounted,
    )


class _Reader:
    """What has been read so far, and which model and context the next line belongs to."""

    def __init__(self) -> None:
        self.gpus: dict[int, GpuLine] = {}
        self.models: dict[str, LoadedModel] = {}
        self.projector: dict[str, int] = {}
        self.unaccounted: dict[str, int] = {}
        self._model = LoadedModel("")
        self._context = LoadedContext()
        self._is_reservation_ours = True

    def read(self, line: str) -> None:
        """Take in one line."""
        if match := _FILE.search(line):
            # Loading a file again replaces what an earlier pass said of it.
            self._model = self.models[match[1]] = LoadedModel(match[1])
            self._context = LoadedContext()
        elif match := _BUFFER.search(line):
            self._add_buffer(match)
        elif match := _GPU.search(line):
            self._add_gpu(match)
        elif match := _BREAKDOWN.search(line):
            self.unaccounted[match["device"]] = int(match["unaccounted"]) * MIB
        else:
            self._read_context(line)

    def _read_context(self, line: str) -> None:
        """Lines in which a context speaks of itself."""
        if _CONTEXT.search(line) and (self._context.counts or not self._model.contexts):
            self._context = LoadedContext()
            self._model.contexts.append(self._context)
            self._is_reservation_ours = True
        if match := _COUNT.search(line):
            self._context.counts[match[1]] = int(match[2])
        if (match := _ATTENTION.search(line)) and (match[1] or match[2]) in _ENABLED:
            self._context.flash_attention = _ENABLED[match[1] or match[2]]
        if _RESERVING.search(line):
            self._begin_reservation()
        if match := _OFFLOADED.search(line):
            self._model.gpu_layers = int(match[1])

    def _begin_reservation(self) -> None:
        """A context reserves at its start, and again when something is attached to it."""
        contexts = sum(len(model.contexts) for model in self.models.values())
        self._is_reservation_ours = contexts < 2 or not self._context.compute_bytes
        if self._is_reservation_ours:
            self._context.compute_bytes.clear()

    def _add_buffer(self, match: re.Match[str]) -> None:
        size = round(float(match["mib"]) * MIB)
        if match["who"] in ("reserve_compute_meta", "alloc_compute_meta"):
            self.projector[match["device"]] = size
            return
        if match["kind"] == "compute" and not self._is_reservation_ours:
            return
        sizes = {
            "model": self._model.weights_bytes,
            "LoRA": self._model.weights_bytes,
            "KV": self._context.cache_bytes,
            "RS": self._context.cache_bytes,
            "compute": self._context.compute_bytes,
            "output": self._context.output_bytes,
        }[match["kind"]]
        is_one_of_several = match["kind"] in ("model", "LoRA", "KV", "RS")
        sizes[match["device"]] = size + (sizes.get(match["device"], 0) if is_one_of_several else 0)

    def _add_gpu(self, match: re.Match[str]) -> None:
        total = int(match["mib"]) * MIB if match["mib"] else None
        index = int(match["index"])
        self.gpus[index] = GpuLine(index, match["name"], match["capability"], total)
