"""Graphs that llama.cpp makes no room for: it counts tensors of the file, and some need more."""

from bisect import bisect_left
from collections.abc import Hashable

from packer.domain.model import ModelFile
from packer.domain.server_options import ServerOptions
from packer.errors import InvalidInput, Problem
from packer.memory.compute_context import graph_context, single_batch
from packer.memory.compute_graphs.model_graph import ModelGraph
from packer.memory.compute_graphs.registry import build_graph, is_known
from packer.memory.hyperparameters import HyperParameters
from packer.memory.identity_cache import derived_once
from packer.memory.layer_split import Layout
from packer.memory.resolution import ResolvedContext

_FEWEST_NODES = 1024
_NODES_PER_TENSOR = 8
# Sizes of ggml's hash tables: the next primes after powers of two.
_TABLES = (1031, 2053, 4099, 8209, 16411, 32771, 65537)
# With more tensors than this in a block no graph comes near its limit; the closest of the
# catalogue's other architectures uses 95 % of it.
_FEW_TENSORS_PER_BLOCK = 8


def check_graph_size(
    model: ModelFile,
    sizes: HyperParameters,
    context: ResolvedContext,
    layout: Layout,
    options: ServerOptions,
    *,
    has_flash_attention: bool,
) -> None:
    """Refuse a context whose graph overflows the scheduler's table: the server would abort.

    Only architectures with few, fused matrices can: Phi with a quantized K and V cache in several
    streams.

    Raises:
        InvalidInput: llama.cpp would abort while it starts.

    Source:
        llama.cpp b11434, src/llama-context.cpp, graph_max_nodes(); ggml/src/ggml.c,
        ggml_hash_size(); ggml/src/ggml-impl.h, ggml_hash_find_or_insert().
    """
    if len(model.tensors) >= _FEW_TENSORS_PER_BLOCK * sizes.block_count:
        return
    if not is_known(sizes.architecture, is_nextn=context.is_nextn):
        return
    limit = max(_FEWEST_NODES, _NODES_PER_TENSOR * len(model.tensors))
    room = table_size(limit)
    key = (
        context.streams > 1,
        context.type_k.is_quantized,
        context.type_v.is_quantized,
        has_flash_attention,
    )
    known = _tensor_counts(model)
    if key not in known:
        made = graph_context(
            model, context, layout, options, has_flash_attention=has_flash_attention
        )
        graph = ModelGraph(model, sizes, made, single_batch(context))
        build_graph(graph)
        known[key] = len(graph.graph.nodes) + len(graph.graph.leaves)
    if known[key] > room:
        raise InvalidInput(
            Problem(
                code="P0515",
                title=f"llama.cpp aborts: the graph has {known[key]} tensors, room is for {room}",
                why="a quantized cache in several streams needs more operations than it reserves",
                help="use --kv-unified, or --cache-type-v f16",
            )
        )


def table_size(fewest: int) -> int:
    """Places in the scheduler's table that is asked for so many."""
    return _TABLES[bisect_left(_TABLES, fewest)]


@derived_once
def _tensor_counts(model: ModelFile) -> dict[Hashable, int]:
    """Tensors of one model's graphs, by what changes their number."""
    return {}
