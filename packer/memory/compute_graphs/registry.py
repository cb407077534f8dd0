"""Which graph an architecture has."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from packer.memory.compute_graphs import (
    convolution_models,
    delta_net_models,
    dense_models,
    encoder_models,
    latent_models,
    per_layer_models,
    state_space_models,
    windowed_models,
)
from packer.memory.compute_graphs.guessed_model import guessed
from packer.memory.compute_graphs.model_graph import ModelGraph
from packer.memory.compute_graphs.nextn_models import NEXTN_BLOCKS, draft_with_nextn
from packer.memory.compute_graphs.pooling import add_pooling

_BUILDERS: dict[str, Callable[[ModelGraph], None]] = {
    "bert": encoder_models.bert,
    "command-r": dense_models.command_r,
    "deci": dense_models.deci,
    "deepseek2": latent_models.deepseek2,
    "deepseek32": latent_models.deepseek32,
    "gemma2": windowed_models.gemma2,
    "gemma3": windowed_models.gemma3,
    "gemma3n": per_layer_models.gemma3n,
    "gemma4": per_layer_models.gemma4,
    "glm4": dense_models.glm4,
    "glm4moe": latent_models.glm4_moe,
    "gpt-oss": windowed_models.gpt_oss,
    "granite": dense_models.granite,
    "granitehybrid": state_space_models.granite_hybrid,
    "lfm2": convolution_models.lfm2,
    "lfm2moe": convolution_models.lfm2,
    "llama": dense_models.llama,
    "llama4": windowed_models.llama4,
    "mamba": state_space_models.mamba,
    "mamba2": state_space_models.mamba,
    "minimax-m2": dense_models.minimax_m2,
    "mistral3": dense_models.mistral3,
    "nemotron_h": state_space_models.nemotron_h,
    "nemotron_h_moe": state_space_models.nemotron_h,
    "nomic-bert": encoder_models.bert,
    "olmo2": dense_models.olmo2,
    "phi3": dense_models.phi3,
    "qwen2": dense_models.llama,
    "qwen3": dense_models.llama,
    "qwen35": delta_net_models.qwen35,
    "qwen35moe": delta_net_models.qwen35,
    "qwen3moe": dense_models.llama,
    "qwen3next": delta_net_models.qwen35,
    "smollm3": dense_models.llama,
}

BUILDERS: Mapping[str, Callable[[ModelGraph], None]] = MappingProxyType(_BUILDERS)
"""Builder of the trunk's graph by architecture."""


def is_known(architecture: str, *, is_nextn: bool) -> bool:
    """Whether an architecture's graph is built by its own rules rather than guessed."""
    return architecture in (NEXTN_BLOCKS if is_nextn else BUILDERS)


def build_graph(graph: ModelGraph) -> None:
    """Fill a graph for its model and kind of context, pooling included.

    Raises:
        KeyError: The file lacks a tensor that the graph reads.
    """
    architecture = graph.model.architecture
    if graph.context.is_nextn:
        draft_with_nextn(graph, NEXTN_BLOCKS[architecture])
        return
    BUILDERS.get(architecture, guessed)(graph)
    add_pooling(graph)
