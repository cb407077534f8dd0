"""Where the scheduler would run flash attention: beside a layer, `auto` turns it off."""

from packer.domain.model import ModelFile
from packer.domain.server_options import ServerOptions
from packer.memory.compute_blocks import choose_blocks
from packer.memory.compute_context import graph_context, single_batch
from packer.memory.compute_graphs.model_graph import ModelGraph
from packer.memory.compute_graphs.registry import build_graph
from packer.memory.compute_scheduler import Scheduler
from packer.memory.hyperparameters import read_hyperparameters
from packer.memory.layer_split import Layout
from packer.memory.resolution import ResolvedContext
from packer.memory.tensor_override import has_overrides

_REPETITIONS = 3


def runs_flash_attention_with_its_layers(
    model: ModelFile, context: ResolvedContext, layout: Layout, options: ServerOptions
) -> bool:
    """Whether every flash-attention operation lands on its layer's device. Exact.

    llama.cpp builds a graph of one token per slot and turns flash attention off for the whole
    context when a single one lands elsewhere: no kernel for the heads or the cache type, a cache on
    the host, or a block whose neighbours pull it over.

    Raises:
        KeyError: The file lacks a tensor that the architecture's graph reads.

    Source: llama.cpp b11434, src/llama-context.cpp, resolve_fused_ops().
    """
    devices = graph_context(model, context, layout, options, has_flash_attention=True)
    overrides = has_overrides(options)
    choice = choose_blocks(
        model,
        devices.layers,
        devices.host,
        devices.home_of,
        has_overrides=overrides,
        repetitions=None if context.is_nextn else _REPETITIONS,
    )
    probe = graph_context(
        model, context, layout, options, has_flash_attention=True, blocks=choice.blocks
    )
    graph = ModelGraph(model, read_hyperparameters(model), probe, single_batch(context))
    build_graph(graph)
    scheduler = Scheduler(probe.host, is_pipelined=False, offloads_operations=options.op_offload)
    scheduler.assign(graph.graph)
    return all(node.backend == probe.layers[layer] for layer, node in graph.fused_attention)
