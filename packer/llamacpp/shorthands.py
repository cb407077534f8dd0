"""Flags of llama-server that stand for a whole configuration.

Source: llama.cpp b11434, common/arg.cpp, the section "presets" at its end.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Shorthand:
    """What one such flag sets.

    Attributes:
        model: Repository, with the file behind a slash if the flag names one.
        draft: Likewise for the draft model.
        options: Fields of ServerOptions.
    """

    model: str
    draft: str = ""
    options: Mapping[str, object] = field(default_factory=dict)


_FILL_IN_MIDDLE = {"ubatch_size": 1024, "batch_size": 1024, "context_size": 0}
_GPT_OSS = {"ubatch_size": 2048, "batch_size": 32768, "slots": 2, "context_size": 2 * 131072}
_CODER = "ggml-org/Qwen2.5-Coder-{0}B-Q8_0-GGUF/qwen2.5-coder-{0}b-q8_0.gguf"
_CODER_DRAFT = _CODER.format("0.5")

SHORTHANDS: Mapping[str, Shorthand] = {
    "--embd-gemma-default": Shorthand(
        "ggml-org/embeddinggemma-300M-qat-q4_0-GGUF/embeddinggemma-300M-qat-Q4_0.gguf",
        options={
            "ubatch_size": 2048,
            "batch_size": 2048,
            "slots": 32,
            "context_size": 32 * 2048,
            "embedding": True,
        },
    ),
    "--fim-qwen-1.5b-default": Shorthand(_CODER.format("1.5"), options=_FILL_IN_MIDDLE),
    "--fim-qwen-3b-default": Shorthand(_CODER.format("3"), options=_FILL_IN_MIDDLE),
    "--fim-qwen-7b-default": Shorthand(_CODER.format("7"), options=_FILL_IN_MIDDLE),
    "--fim-qwen-7b-spec": Shorthand(_CODER.format("7"), _CODER_DRAFT, _FILL_IN_MIDDLE),
    "--fim-qwen-14b-spec": Shorthand(_CODER.format("14"), _CODER_DRAFT, _FILL_IN_MIDDLE),
    "--fim-qwen-30b-default": Shorthand(
        "ggml-org/Qwen3-Coder-30B-A3B-Instruct-Q8_0-GGUF/qwen3-coder-30b-a3b-instruct-q8_0.gguf",
        options=_FILL_IN_MIDDLE,
    ),
    "--gpt-oss-20b-default": Shorthand(
        "ggml-org/gpt-oss-20b-GGUF/gpt-oss-20b-mxfp4.gguf", options=_GPT_OSS
    ),
    "--gpt-oss-120b-default": Shorthand("ggml-org/gpt-oss-120b-GGUF", options=_GPT_OSS),
    "--vision-gemma-4b-default": Shorthand(
        "ggml-org/gemma-3-4b-it-qat-GGUF", options={"context_size": 0}
    ),
    "--vision-gemma-12b-default": Shorthand(
        "ggml-org/gemma-3-12b-it-qat-GGUF", options={"context_size": 0}
    ),
}
