"""Which graph an architecture has."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from packer.memory.compute_graphs import (
    convolution_models,
    delta_net_models,
    dense_models,
    encoder_models,
    kda_models,
    latent_models,
    minimax_models,
    per_layer_models,
    skip_models,
    state_space_models,
    windowed_models,
)
from packer.memory.compute_graphs.kimi_k3_model import kimi_k3
from packer.memory.compute_graphs.minimax_m3_model import minimax_m3
from packer.memory.compute_graphs.model_graph import ModelGraph
from packer.memory.compute_graphs.nextn_models import (
    NEXTN_BLOCKS,
    UNMEASURED_NEXTN,
    draft_with_nextn,
)
from packer.memory.compute_graphs.plain_models import PLAIN_BUILDERS
from packer.memory.compute_graphs.pooling import add_pooling

_BUILDERS: dict[str, Callable[[ModelGraph], None]] = {
    **PLAIN_BUILDERS,
    "arctic": skip_models.arctic,
    "bailingmoe3": kda_models.bailingmoe3,
    "bert": encoder_models.bert,
    "deci": dense_models.deci,
    "deepseek2": latent_models.deepseek2,
    "deepseek32": latent_models.deepseek32,
    "falcon-h1": state_space_models.falcon_h1,
    "gemma2": windowed_models.gemma2,
    "gemma3": windowed_models.gemma3,
    "gemma3n": per_layer_models.gemma3n,
    "gemma4": per_layer_models.gemma4,
    "glm-dsa": latent_models.deepseek32,
    "glm4moe": latent_models.glm4_moe,
    "gpt-oss": windowed_models.gpt_oss,
    "granitehybrid": state_space_models.granite_hybrid,
    "jamba": state_space_models.jamba,
    "kimi-k3": kimi_k3,
    "kimi-linear": kda_models.kimi_linear,
    "lfm2": convolution_models.lfm2,
    "lfm2moe": convolution_models.lfm2,
    "llama4": windowed_models.llama4,
    "mamba": state_space_models.mamba,
    "mamba2": state_space_models.mamba,
    "minimax-01": minimax_models.minimax_01,
    "minimax-m3": minimax_m3,
    "minicpm3": latent_models.minicpm3,
    "mistral3": dense_models.mistral3,
    "mistral4": latent_models.deepseek2,
    "nemotron_h": state_space_models.nemotron_h,
    "nemotron_h_moe": state_space_models.nemotron_h,
    "nomic-bert": encoder_models.bert,
    "nomic-bert-moe": encoder_models.bert,
    "plamo2": state_space_models.plamo2,
    "qwen35": delta_net_models.qwen35,
    "qwen35moe": delta_net_models.qwen35,
    "qwen3next": delta_net_models.qwen35,
    "smallthinker": skip_models.smallthinker,
    "talkie": skip_models.talkie,
}

BUILDERS: Mapping[str, Callable[[ModelGraph], None]] = MappingProxyType(_BUILDERS)
"""Builder of the trunk's graph by architecture."""


def is_known(architecture: str, *, is_nextn: bool) -> bool:
    """Whether an architecture's graph was compared with llama.cpp's node by node."""
    if is_nextn:
        return architecture in NEXTN_BLOCKS and architecture not in UNMEASURED_NEXTN
    return architecture in BUILDERS


def build_graph(graph: ModelGraph) -> None:
    """Fill a graph for its model and kind of context, pooling included.

    Raises:
        KeyError: The file lacks a tensor that the graph reads, or the architecture's nextn blocks
            are not modelled.
    """
    architecture = graph.model.architecture
    if graph.context.is_nextn:
        draft_with_nextn(graph, NEXTN_BLOCKS[architecture])
        return
    BUILDERS[architecture](graph)
    add_pooling(graph)
