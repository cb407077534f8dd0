"""Architectures that are modelled: which cache each layer holds, and where its odd tensors go.

A row here is a rule read in llama.cpp b11434 (src/models/<architecture>.cpp, src/llama-arch.cpp
and llama_model::create_memory in src/llama-model.cpp) and checked against its allocator. An
architecture without a row is refused by name.
"""

from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from types import MappingProxyType

from packer.errors import Problem, UnsupportedModel
from packer.memory.architecture_rules import (
    ArchitectureRules,
    Cache,
    Indexer,
    Output,
    Recurrence,
    SharedCache,
    Window,
)

# One key and one value per head, layer and cell; nothing out of the ordinary.
_DENSE = """
    arcee arctic baichuan bailingmoe bailingmoe2 bloom chatglm cogvlm
    command-r dbrx deci deepseek deepseek2 dots1 ernie4_5 ernie4_5-moe exaone falcon
    gemma glm4 glm4moe gpt2 gptneox granite granitemoe grovemoe hunyuan-dense hunyuan-moe
    hunyuan_vl hy_v3 internlm2 jais jais2 llama maincoder minicpm minicpm3 minimax-m2
    mistral3 mistral4 mpt nemotron olmo olmoe openelm orion paddleocr pangu-embedded phi2 phi3
    phimoe plamo qwen qwen2 qwen2moe qwen2vl qwen3 qwen3moe qwen3vl qwen3vlmoe refact seed_oss
    smollm3 stablelm starcoder starcoder2 talkie xverse
"""
# No cache at all: every input is one batch. Diffusion models keep an output matrix.
_ENCODERS = "bert eurobert neo-bert nomic-bert nomic-bert-moe"
_DIFFUSION = "dream llada llada-moe rnd1"
# Sliding windows: every period-th layer is dense, or the file lists which.
_WINDOWS = {
    "afmoe": Window(period=4),
    "cohere2": Window(period=4),
    "cohere2moe": Window(period=4, is_dense_first=True),
    "exaone-moe": Window(period=4, default_size=128),
    "exaone4": Window(period=4, default_size=4096, only_with_layers=64),
    "gemma2": Window(period=2, default_size=4096),
    "gemma3": Window(period=6),
    "gpt-oss": Window(period=2),
    "granite_swa": Window(),
    "laguna": Window(period=4, is_dense_first=True),
    "llama4": Window(period=4, default_size=8192, forced_size=8192),
    "maple": Window(),
    "mellum": Window(period=4),
    "mimo2": Window(),
    "muse-glimmer": Window(period=4),
    "olmo2": Window(period=4),
    "plamo3": Window(period=8),
    "smallthinker": Window(period=4, forced_size=4096, is_dense_first=True),
    "spark2_5": Window(),
}

_ENCODER = ArchitectureRules(cache=Cache.NONE, output=Output.NONE)
_DELTA_NET = ArchitectureRules(cache=Cache.HYBRID, recurrence=Recurrence.INTERVAL)
_BY_HEADS = ArchitectureRules(cache=Cache.HYBRID, recurrence=Recurrence.WITHOUT_KV_HEADS)
_SHORT_CONVOLUTION = replace(
    _BY_HEADS, has_rollback=True, has_output_norm_named_as_embedding_norm=True
)
_STATE_SPACE = ArchitectureRules(cache=Cache.RECURRENT, recurrence=Recurrence.ALL)
_NEMOTRON_H = ArchitectureRules(
    cache=Cache.HYBRID, recurrence=Recurrence.WITHOUT_KV_HEADS_AND_FFN, has_rollback=True
)

_RULES: dict[str, ArchitectureRules] = {
    **dict.fromkeys(_DENSE.split(), ArchitectureRules()),
    **dict.fromkeys(_ENCODERS.split(), _ENCODER),
    **dict.fromkeys(_DIFFUSION.split(), ArchitectureRules(cache=Cache.NONE)),
    **{name: ArchitectureRules(window=window) for name, window in _WINDOWS.items()},
    "bailingmoe3": replace(_BY_HEADS, has_rollback=True),
    "deepseek32": ArchitectureRules(indexer=Indexer.EVERY_LAYER),
    "falcon-h1": ArchitectureRules(cache=Cache.HYBRID, recurrence=Recurrence.BESIDE_ATTENTION),
    "gemma-embedding": ArchitectureRules(cache=Cache.NONE, window=Window(period=6)),
    "gemma3n": ArchitectureRules(
        window=Window(period=5),
        output=Output.TIED_FIRST,
        shared_cache=SharedCache.FIRST_TWENTY,
    ),
    "gemma4": ArchitectureRules(
        window=Window(),
        output=Output.TIED_FIRST,
        shared_cache=SharedCache.BY_KEY,
        has_rope_factors_on_dense_layers_only=True,
    ),
    "glm-dsa": ArchitectureRules(indexer=Indexer.BY_TYPES),
    "granitehybrid": _BY_HEADS,
    "grok": ArchitectureRules(has_no_flash_attention=True),
    "jamba": _BY_HEADS,
    "kimi-k3": replace(_BY_HEADS, has_rollback=True),
    "kimi-linear": _BY_HEADS,
    "lfm2": replace(_SHORT_CONVOLUTION, window=Window(covers_attention=True)),
    "lfm2moe": _SHORT_CONVOLUTION,
    "mamba": _STATE_SPACE,
    "mamba2": _STATE_SPACE,
    "minimax-01": replace(_DELTA_NET, interval=8),
    "minimax-m3": ArchitectureRules(indexer=Indexer.AFTER_DENSE),
    "modern-bert": replace(_ENCODER, window=Window(period=3, is_dense_first=True)),
    "nemotron_h": _NEMOTRON_H,
    "nemotron_h_moe": _NEMOTRON_H,
    "plamo2": _BY_HEADS,
    "qwen35": replace(_DELTA_NET, has_rollback=True),
    "qwen35moe": replace(_DELTA_NET, has_rollback=True),
    "qwen3next": _DELTA_NET,
}

ARCHITECTURES: Mapping[str, ArchitectureRules] = MappingProxyType(_RULES)
"""Every modelled architecture by its ``general.architecture``."""


def architecture_rules(architecture: str) -> ArchitectureRules:
    """Rules of one architecture.

    Raises:
        UnsupportedModel: It is not modelled; the message names the nearest that are.
    """
    rules = ARCHITECTURES.get(architecture)
    if rules is None:
        near = get_close_matches(architecture, ARCHITECTURES, n=3, cutoff=0.4)
        known = ", ".join(near or sorted(ARCHITECTURES))
        raise UnsupportedModel(
            Problem(
                code="P0501",
                title=f"architecture {architecture!r} is not modelled",
                why="its memory would be a guess",
                help=f"{'nearest that are' if near else 'modelled are'}: {known}",
            )
        )
    return rules
