"""Which graph an architecture has."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from packer.memory.compute_graphs import dense_models, windowed_models
from packer.memory.compute_graphs.model_graph import ModelGraph

_BUILDERS: dict[str, Callable[[ModelGraph], None]] = {
    "command-r": dense_models.command_r,
    "deci": dense_models.deci,
    "gemma2": windowed_models.gemma2,
    "gemma3": windowed_models.gemma3,
    "glm4": dense_models.glm4,
    "gpt-oss": windowed_models.gpt_oss,
    "granite": dense_models.granite,
    "llama": dense_models.llama,
    "llama4": windowed_models.llama4,
    "minimax-m2": dense_models.minimax_m2,
    "mistral3": dense_models.mistral3,
    "olmo2": dense_models.olmo2,
    "phi3": dense_models.phi3,
    "qwen2": dense_models.llama,
    "qwen3": dense_models.llama,
    "qwen3moe": dense_models.llama,
    "smollm3": dense_models.llama,
}

BUILDERS: Mapping[str, Callable[[ModelGraph], None]] = MappingProxyType(_BUILDERS)
"""Builder of the trunk's graph by architecture."""
