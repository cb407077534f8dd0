"""Architectures of plain blocks and their traits.

Source: llama.cpp b11434, the file of each architecture in src/models/.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from packer.memory.compute_graphs.model_graph import ModelGraph
from packer.memory.compute_graphs.plain_blocks import build_plain
from packer.memory.compute_graphs.plain_networks import (
    gated_share,
    halved_share,
    two_mixtures,
    with_dense,
)
from packer.memory.compute_graphs.plain_traits import Plain
from packer.memory.compute_graphs.plain_turns import (
    all_but_dense,
    by_pattern,
    in_small_model,
    in_windows,
    in_windows_and_dense,
    never,
    three_of_four,
    where_finetuned,
)

_LAYER_NORM = Plain(norm="norm")
_BY_FILE = Plain(gate="", normalizes=None)
_SIGMOID_BY_FILE = replace(_BY_FILE, default_gate="sigmoid")
_GPT = replace(_LAYER_NORM, embedding="placed", turns=never, activation="gelu")
_NORMED_BEHIND = Plain(after_attention="post_attention_norm", after_network="post_ffw_norm")
_SIDE_BY_SIDE = replace(
    _LAYER_NORM, parallel=(("network", "residual"), "attention"), before_network=""
)
_COHERE = replace(_SIDE_BY_SIDE, logits=("scaled_by_file",))
_NORMED_AFTER_ROTATION = Plain(heads="after")
_GRANITE = Plain(scales_residual=True, stacked="before", logits=("scaled",))
_UNNORMALIZED = Plain(normalizes=False)

_TRAITS: dict[str, Plain] = {
    **dict.fromkeys(
        [
            "dream",
            "ernie4_5",
            "ernie4_5-moe",
            "eurobert",
            "exaone",
            "internlm2",
            "llada",
            "llama",
            "mellum",
            "paddleocr",
            "pangu-embedded",
            "qwen",
            "qwen2",
            "qwen2vl",
            "qwen3",
            "qwen3moe",
            "rnd1",
            "xverse",
        ],
        Plain(),
    ),
    "afmoe": replace(
        _NORMED_BEHIND,
        embedding="scaled",
        turns=three_of_four,
        attention_gate="sigmoid",
        norms_every_row=True,
        gate="",
        default_gate="sigmoid",
        normalizes=None,
    ),
    "arcee": Plain(activation="relu_sqr"),
    "bailingmoe": Plain(normalizes=None),
    "bailingmoe2": _BY_FILE,
    "baichuan": Plain(turns=in_small_model),
    "bloom": replace(_LAYER_NORM, embedding="normed", turns=never, activation="gelu"),
    "chatglm": Plain(activation="swiglu"),
    "cogvlm": Plain(wanted="never"),
    "cohere2": replace(_COHERE, turns=in_windows),
    "command-r": _COHERE,
    "dbrx": replace(_LAYER_NORM, before_network="attn_output_norm"),
    "deepseek": _UNNORMALIZED,
    "dots1": _BY_FILE,
    "exaone-moe": replace(_BY_FILE, turns=in_windows),
    "exaone4": replace(
        _NORMED_BEHIND,
        before_attention="",
        before_network="",
        unpinned=frozenset({"post_ffw_norm"}),
        turns=all_but_dense,
    ),
    "falcon": replace(
        _SIDE_BY_SIDE,
        parallel=(("network", "attention"), "residual"),
        own_attention_norm="attn_norm_2",
        activation="gelu",
    ),
    "gemma": Plain(embedding="scaled", scales_query=True, activation="gelu"),
    "gemma-embedding": replace(
        _NORMED_BEHIND,
        embedding="scaled_tokens",
        has_logits=False,
        scales_query=True,
        activation="gelu",
        unpinned=frozenset({"post_ffw_norm"}),
    ),
    "glm4": replace(_NORMED_BEHIND, activation="swiglu"),
    "gpt2": _GPT,
    "granite": replace(_GRANITE, turns=where_finetuned),
    "granite_swa": replace(_GRANITE, turns=by_pattern),
    "granitemoe": _GRANITE,
    "grovemoe": Plain(network=two_mixtures),
    "hunyuan-dense": _NORMED_AFTER_ROTATION,
    "hunyuan-moe": _NORMED_AFTER_ROTATION,
    "hunyuan_vl": _NORMED_AFTER_ROTATION,
    "hy_v3": replace(_SIGMOID_BY_FILE, wanted="behind"),
    "jais": replace(_LAYER_NORM, turns=never),
    "jais2": replace(_LAYER_NORM, activation="relu_sqr"),
    "laguna": replace(_SIGMOID_BY_FILE, attention_gate="softplus"),
    "llada-moe": _UNNORMALIZED,
    "maincoder": _NORMED_AFTER_ROTATION,
    "maple": Plain(turns=in_windows),
    "minimax-m2": replace(_BY_FILE, heads="flat", normalizes=True),
    "minicpm": _GRANITE,
    "modern-bert": replace(
        _LAYER_NORM, embedding="normed", has_bare_norms=False, activation="swiglu"
    ),
    "mpt": replace(_GPT, heads="flat"),
    "muse-glimmer": replace(
        _NORMED_BEHIND,
        embedding="bare_normed",
        turns=in_windows,
        attention_gate="sigmoid",
        norms_every_row=True,
        unpinned=frozenset({"post_attention_norm", "post_ffw_norm"}),
        logits=("scaled", "capped_by_file"),
    ),
    "nemotron": replace(_LAYER_NORM, activation="relu_sqr"),
    "neo-bert": Plain(activation="swiglu"),
    "olmo": _LAYER_NORM,
    "olmo2": replace(
        _NORMED_BEHIND,
        heads="flat",
        before_attention="",
        before_network="",
        unpinned=frozenset({"post_ffw_norm"}),
    ),
    "olmoe": replace(_UNNORMALIZED, heads="flat"),
    "openelm": Plain(residual_first="attention"),
    "orion": _LAYER_NORM,
    "phi2": replace(
        _SIDE_BY_SIDE,
        scales_query=True,
        parallel=(("attention", "network"), "residual"),
        activation="gelu",
    ),
    "phi3": Plain(scales_query=True, residual_first="network", activation="swiglu"),
    "phimoe": Plain(scales_query=True, residual_first="network"),
    "plamo": Plain(parallel=(("network", "attention"), "residual"), before_network=""),
    "plamo3": replace(_NORMED_BEHIND, activation="swiglu"),
    "qwen2moe": replace(_UNNORMALIZED, network=gated_share),
    "qwen3vl": Plain(stacked="behind"),
    "qwen3vlmoe": Plain(stacked="behind"),
    "refact": Plain(turns=never),
    "seed_oss": Plain(before_network="post_attention_norm"),
    "smollm3": Plain(turns=three_of_four),
    "spark2_5": Plain(attention_gate="sigmoid", activation="gelu"),
    "starcoder": _GPT,
    "starcoder2": replace(_LAYER_NORM, activation="gelu"),
}


def _cohere2moe(graph: ModelGraph) -> Plain:
    has_rms = bool(graph.number("attention.layer_norm_rms_epsilon"))
    return replace(
        _COHERE,
        norm="rms_norm" if has_rms else "norm",
        turns=in_windows_and_dense,
        network=halved_share,
        gate="",
        default_gate="sigmoid",
        normalizes=None,
        wanted="behind",
    )


def _gptneox(graph: ModelGraph) -> Plain:
    how = replace(_LAYER_NORM, activation="gelu")
    if graph.model.metadata.get("gptneox.use_parallel_residual", True):
        return replace(how, parallel=(("network", "residual"), "attention"))
    return how


def _stablelm(graph: ModelGraph) -> Plain:
    if graph.has(0, "ffn_norm"):
        return _LAYER_NORM
    return replace(_LAYER_NORM, parallel=("network", ("attention", "residual")), before_network="")


def _grok(graph: ModelGraph) -> Plain:
    has_old_name = graph.has(0, "layer_output_norm")
    return Plain(
        after_attention="attn_output_norm",
        after_network="layer_output_norm" if has_old_name else "post_ffw_norm",
        network=with_dense,
        activation="gelu",
        expert_activation="gelu",
        logits=("scaled", "capped_by_file"),
    )


def _mimo2(graph: ModelGraph) -> Plain:
    how = Plain(gate="sigmoid", scales_attention="attention.value_scale")
    return replace(how, wanted="before") if graph.context.reads_nextn else how


_CHOSEN: dict[str, Callable[[ModelGraph], Plain]] = {
    "cohere2moe": _cohere2moe,
    "gptneox": _gptneox,
    "grok": _grok,
    "mimo2": _mimo2,
    "stablelm": _stablelm,
}


def _build(graph: ModelGraph) -> None:
    """Graph of an architecture with a row in one of the tables."""
    name = graph.model.architecture
    build_plain(graph, _TRAITS[name] if name in _TRAITS else _CHOSEN[name](graph))


PLAIN_BUILDERS: Mapping[str, Callable[[ModelGraph], None]] = MappingProxyType(
    dict.fromkeys((*_TRAITS, *_CHOSEN), _build)
)
"""Builder of every architecture of plain blocks."""
