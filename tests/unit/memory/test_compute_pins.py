"""Norms that llama.cpp holds on their layer's device, and those that it builds without a layer."""

from collections.abc import Iterator

import pytest

from packer.domain.server_options import FlashAttention, ServerOptions
from packer.memory.compute_context import graph_context
from packer.memory.compute_graphs.context import Batch
from packer.memory.compute_graphs.model_graph import ModelGraph
from packer.memory.compute_graphs.registry import build_graph
from packer.memory.hyperparameters import read_hyperparameters
from packer.memory.layer_split import HOST, Layout
from packer.memory.resolution import resolve_context
from tests.graph_variants import NOT_A_MODEL
from tests.memory_truth import rows, tiny_or_catalogue_model

OPTIONS = ServerOptions(context_size=1024, slots=1, flash_attention=FlashAttention.ON)
FREE = {
    "exaone4-dense.gguf": {"post_ffw_norm"},
    "gemma-3n-e2b-Q4_K_M.gguf": {"post_ffw_norm"},
    "gemma-4-26b-a4b-Q4_K_M.gguf": {"post_ffw_norm"},
    "gemma-4-e2b-Q4_K_M.gguf": {"post_ffw_norm"},
    "gemma-embedding-dense.gguf": {"post_ffw_norm"},
    "gemma2-dense.gguf": {"post_ffw_norm"},
    "gemma3-dense.gguf": {"post_ffw_norm"},
    "muse-glimmer-dense.gguf": {"post_attention_norm", "post_ffw_norm"},
    "olmo2-dense.gguf": {"post_ffw_norm"},
}
"""Norms that are held nowhere. Source: llama.cpp b11434, src/models/, build_norm() of no block."""

_TINY = {row["cmd"].split()[2] for row in rows("truth_architectures")} - {NOT_A_MODEL}
_OTHERS = {"glm-4.5-air-Q4_K_M.gguf"}


def norms(name: str) -> Iterator[tuple[str, int, int]]:
    """Norms with weights of a small batch: name, block, and the backend that is forced."""
    model = tiny_or_catalogue_model(name)
    sizes = read_hyperparameters(model)
    # All but the first block on the card.
    layout = Layout((0,), (HOST, *[0] * sizes.block_count), sizes.block_count)
    context = graph_context(
        model,
        resolve_context(sizes, OPTIONS),
        layout,
        OPTIONS,
        has_flash_attention=not sizes.rules.has_no_flash_attention,
    )
    graph = ModelGraph(model, sizes, context, Batch(4, 1, 4))
    build_graph(graph)
    for node in graph.graph.nodes:
        if node.operation == "mul" and node.sources[0].operation in ("norm", "rms_norm"):
            start, block, *end = node.sources[1].name.split(".")
            if start == "blk" and end[0].endswith(("norm", "norm_1", "norm_2")):
                yield end[0], int(block), node.sources[0].pin


@pytest.mark.parametrize("name", sorted(_TINY | _OTHERS | FREE.keys()))
def test_norms_are_held_with_their_layer(name: str) -> None:
    host = 1
    for stem, block, pin in norms(name):
        own = 0 if block else host
        assert pin == (-1 if stem in FREE.get(name, ()) else own), (stem, block)


def test_most_architectures_have_norms_that_are_held() -> None:
    held = [name for name in _TINY if any(pin >= 0 for _, _, pin in norms(name))]
    assert len(held) > 100
