"""Where graphs of architectures differ although their files look alike.

Source: llama.cpp b11434, the file of each architecture in src/models/.
"""

from collections.abc import Mapping
from types import MappingProxyType

from packer.domain.model import ModelFile
from packer.memory.hyperparameters import HyperParameters
from packer.memory.identity_cache import derived_once

_NONE = -1
_HEADS = ("attn_q", "attn_k", "attn_v")
_ALWAYS_FOUR_AXES = frozenset(
    {"paddleocr", "qwen2vl", "qwen35", "qwen35moe", "qwen3vl", "qwen3vlmoe"}
)
_MAYBE_FOUR_AXES = frozenset({"bailingmoe3", "glm4", "glm4moe", "hunyuan_vl"})
_STACKED_BY_COUNT = frozenset({"qwen3vl", "qwen3vlmoe"})
_STACKED_BY_MAPPING = frozenset({"granite", "granite_swa"})
# Architectures whose networks, and whose experts, may be quantized with a scale per matrix.
_SCALED_NETWORKS = frozenset(
    {
        "bitnet", "cohere2", "cohere2moe", "deepseek32", "gemma4", "glm-dsa", "hy_v3", "llama",
        "mistral3", "nemotron_h", "nemotron_h_moe", "qwen3", "qwen35",
    }
)  # fmt: skip
_SCALED_EXPERTS = frozenset(
    {
        "cohere2moe", "deepseek32", "gemma4", "glm-dsa", "hy_v3", "llama", "mellum", "mistral3",
        "nemotron_h", "nemotron_h_moe", "qwen35moe", "qwen3moe", "qwen3next",
    }
)  # fmt: skip
_BARE_HEADS = frozenset({"bailingmoe3", "cogvlm", "kimi-k3", "kimi-linear", "mimo2", "openelm"})
# Biases a file may hold that the graph does not read, by the beginning of their names.
_IGNORED_BIASES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        **dict.fromkeys(_BARE_HEADS, _HEADS),
        **dict.fromkeys(("ernie4_5", "ernie4_5-moe", "llada", "refact"), ("attn_output", "ffn_")),
        "falcon-h1": ("attn_output",),
    }
)
LIMITED_AT_ONCE = frozenset({"maple"})
"""Architectures whose gated activation has limits, in one operation."""
LIMITED = LIMITED_AT_ONCE | {"bailingmoe3"}
"""Architectures whose gated activation has limits."""
SCALED_SHARES = frozenset(
    {
        "afmoe", "bailingmoe", "bailingmoe2", "bailingmoe3", "cohere2moe", "deepseek", "deepseek2",
        "deepseek32", "dots1", "exaone-moe", "glm-dsa", "glm4moe", "hy_v3", "kimi-k3",
        "kimi-linear", "laguna", "minimax-m3", "mistral4", "nemotron_h_moe",
    }
)  # fmt: skip
"""Architectures that read the factor on their experts' shares, if the file has one."""
UNBIASED_LOGITS = frozenset({"dream", "qwen2vl"})
"""Architectures that leave out the bias of the output matrix."""
WITHOUT_ROPE_FACTORS = frozenset({"cogvlm", "falcon-h1", "llada", "pangu-embedded"})
"""Architectures that leave out the frequencies their files may hold."""
WITHOUT_MIXED_INPUT = frozenset({"cogvlm"})
"""Architectures whose batches are tokens or embeddings, never both."""


def reads_bias(architecture: str, stem: str) -> bool:
    """Whether a matrix's bias is read, if the file has one."""
    return not stem.startswith(_IGNORED_BIASES.get(architecture, ()))


def reads_scale(architecture: str, stem: str) -> bool:
    """Whether a matrix's scale is read, if the file has one."""
    if stem[:6] in _HEADS:
        return architecture not in _BARE_HEADS
    if stem.endswith("exps"):
        return architecture in _SCALED_EXPERTS
    if stem.startswith("ffn_"):
        return architecture in _SCALED_NETWORKS or (architecture, stem) == ("talkie", "ffn_down")
    return True


@derived_once
def position_axes(model: ModelFile) -> int:
    """Numbers that place one token: four with multi-dimensional rotation, else one.

    Source: llama.cpp b11434, src/llama-model.cpp, llama_model_rope_type().
    """
    if model.architecture in _ALWAYS_FOUR_AXES:
        return 4
    sections = model.metadata.get(f"{model.architecture}.rope.dimension_sections", ())
    is_split = isinstance(sections, tuple) and len(sections) > 1 and all(sections[:2])
    return 4 if model.architecture in _MAYBE_FOUR_AXES and is_split else 1


@derived_once
def deepstack_count(model: ModelFile) -> int:
    """Deep embeddings beside each embedding of an image, which later blocks add.

    Source: llama.cpp b11434, src/llama-hparams.cpp, n_embd_inp(); src/models/granite.cpp.
    """
    prefix = model.architecture
    count = model.metadata.get(f"{prefix}.n_deepstack_layers", 0)
    if prefix in _STACKED_BY_COUNT:
        return count if isinstance(count, int) else 0
    mapping = model.metadata.get(f"{prefix}.deepstack_mapping", ())
    if prefix not in _STACKED_BY_MAPPING or not isinstance(mapping, tuple):
        return 0
    return len({number for number in mapping if isinstance(number, int) and number >= 0})


def by_layer(model: ModelFile, key: str, layer: int) -> float:
    """A number of the model's metadata that may differ from block to block."""
    value = model.metadata.get(f"{model.architecture}.{key}", 0)
    if isinstance(value, tuple):
        value = value[layer] if layer < len(value) else 0
    return value if isinstance(value, (int, float)) else 0


def stacked_number(model: ModelFile, layer: int) -> int:
    """Which deep embedding a block adds; negative is none.

    Source: llama.cpp b11434, src/models/granite.cpp (before a block), qwen3vl.cpp (behind it).
    """
    if model.architecture in _STACKED_BY_COUNT:
        return layer + 1 if layer < deepstack_count(model) else _NONE
    mapping = model.metadata.get(f"{model.architecture}.deepstack_mapping", ())
    if model.architecture not in _STACKED_BY_MAPPING or not isinstance(mapping, tuple):
        return _NONE
    return int(by_layer(model, "deepstack_mapping", layer)) if 0 < layer < len(mapping) else _NONE


@derived_once
def widest_value(sizes: HyperParameters) -> int:
    """Elements of one cell's values in the widest block, ``n_embd_v_gqa_max``."""
    return max(head * kv for head, kv in zip(sizes.head_v, sizes.kv_heads, strict=True))
