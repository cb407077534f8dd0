"""Facts of a compute graph, one line per tensor: ours, and those of the real llama.cpp.

A line tells what computes the tensor, its type, shape and strides, how many lines before it stands
what it reads, whose memory it shows and from which byte on, and whether it goes in or comes out.
"""

import difflib
import json
import lzma
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from packer.domain.model import ModelFile
from packer.domain.quantization import ELEMENT_TYPES_BY_NAME
from packer.domain.server_options import ServerOptions
from packer.llamacpp.arguments import parse_arguments
from packer.memory.compute_context import graph_context, prompt_batch, single_batch
from packer.memory.compute_graphs.context import Batch
from packer.memory.compute_graphs.model_graph import ModelGraph
from packer.memory.compute_graphs.registry import build_graph
from packer.memory.compute_tensor import PRECISE, GraphTensor, Shape
from packer.memory.draft_model import second_context
from packer.memory.hyperparameters import read_hyperparameters
from packer.memory.layer_split import model_layout
from packer.memory.resolution import ResolvedContext, resolve_context
from tests.memory_truth import DATA

RECORD = DATA / "graphs.json.xz"
"""Graphs of the real llama.cpp, see ``tests/llamacpp/record_graphs.py``."""

_BUILD = "b11434"
_TYPE_NAMES = {kind.ggml_id: name for name, kind in ELEMENT_TYPES_BY_NAME.items()}
_SCALES = (".scale", ".input_scale")
_OUR_NAMES = {"flash_attn_ext": "flash_attn"}


@cache
def record() -> list[dict[str, Any]]:
    """Graphs of the record, in the order of their models."""
    graphs: list[dict[str, Any]] = json.loads(lzma.decompress(RECORD.read_bytes()))["graphs"]
    return graphs


@dataclass(frozen=True)
class Asked:
    """A context of one command line: of the model, or of its nextn blocks."""

    model: ModelFile
    command: str
    is_nextn: bool = False

    def batches(self) -> tuple[Batch, Batch]:
        """The largest batch, and that of one token per slot."""
        context, _ = self._resolved()
        return prompt_batch(context, _BUILD), single_batch(context)

    def lines(self, batch: Batch) -> list[str]:
        """Lines of the graph we build, every block of it."""
        resolved, options = self._resolved()
        sizes = read_hyperparameters(self.model)
        context = graph_context(
            self.model,
            resolved,
            model_layout(sizes.block_count, options, ()),
            options,
            # As the command lines of these tests say it; they leave nothing to llama.cpp.
            has_flash_attention=options.flash_attention.value == "on",
        )
        graph = ModelGraph(self.model, sizes, context, batch)
        build_graph(graph)
        return list(_lines_of(graph.graph.nodes))

    def _resolved(self) -> tuple[ResolvedContext, ServerOptions]:
        options = parse_arguments(shlex.split(self.command))
        context = resolve_context(read_hyperparameters(self.model), options)
        if not self.is_nextn:
            return context, options
        second = second_context(self.model, options, context, None)
        assert second is not None
        return second.context, second.options


def _lines_of(nodes: Iterable[GraphTensor]) -> Iterator[str]:
    numbers: dict[int, int] = {}
    for node in nodes:
        shown = () if node.root is None else (node.root,)
        for tensor in (*node.sources, *shown, node):
            if id(tensor) not in numbers:
                numbers[id(tensor)] = len(numbers)
                yield _line(
                    _operation(tensor),
                    tensor.type.name,
                    tensor.shape,
                    tensor.layout,
                    [numbers[id(tensor)] - numbers[id(source)] for source in tensor.sources],
                    0 if tensor.root is None else numbers[id(tensor)] - numbers[id(tensor.root)],
                    tensor.view_offset,
                    tensor.is_input,
                    tensor.is_output,
                    tensor.name if tensor.is_weight else "",
                )


def _operation(tensor: GraphTensor) -> str:
    """What computes a tensor; precision is no operation of its own."""
    if tensor.operation == "none":
        return ""
    return tensor.operation if tensor.variant in ("", PRECISE) else tensor.variant


def without_scales(model: ModelFile) -> ModelFile:
    """The same file without scales of whole matrices, of which newer builds apply fewer."""
    kept = tuple(tensor for tensor in model.tensors if not tensor.name.endswith(_SCALES))
    return replace(model, tensors=kept)


def their_lines(model: ModelFile, rows: Iterable[Sequence[Any]]) -> list[str]:
    """The same of a graph that llama.cpp built."""
    weights = {tensor.name for tensor in model.tensors}
    lines = []
    for operation, kind, shape, strides, sources, root, offset, is_input, is_output, name in rows:
        # Which factors are read depends on the context; both are of one size.
        known = name.replace("factors_long", "factors_short") if name in weights else ""
        lines.append(
            _line(
                _OUR_NAMES.get(operation, operation),
                _TYPE_NAMES[kind],
                shape,
                strides,
                sources,
                root,
                offset,
                is_input,
                is_output,
                "" if operation else known,
            )
        )
    return lines


def differences(ours: Sequence[str], theirs: Sequence[str]) -> list[str]:
    """Lines that only one has, ours with a minus before them, and where they stand."""
    if ours == theirs:
        return []
    return list(difflib.unified_diff(ours, theirs, lineterm="", n=0))[2:]


def _line(
    operation: str,
    kind: str,
    shape: Sequence[int],
    strides: Sequence[int],
    sources: Sequence[int],
    root: int,
    offset: int,
    is_input: bool,
    is_output: bool,
    name: str,
) -> str:
    words = [operation or name or "leaf", kind, _joined(shape), _joined(strides)]
    words += [f"reads {_joined(sources)}"] if sources else []
    words += [f"shows {root} from {offset}"] if root else []
    words += ["in"] if is_input else []
    words += ["out"] if is_output else []
    return " ".join(words)


def _joined(numbers: Sequence[int] | Shape) -> str:
    return ",".join(map(str, numbers))
