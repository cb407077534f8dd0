"""Where attention to a quantized cache is computed: on the card, or unnoticed on the CPU."""

from packer.domain.llama_build import build_number

# Source: llama.cpp b10819 against b11434, ggml/src/ggml-cuda/fattn.cu,
# ggml_cuda_fattn_kv_type_supported(); pull request 28456 and issue 28455 measured the fall-back.
_IN_EVERY_BUILD = frozenset({"f32", "f16", "bf16", "q4_0", "q8_0"})
_IN_LATER_BUILDS = _IN_EVERY_BUILD | {"q4_1", "q5_0", "q5_1"}
_FIRST_WITH_ALL_KERNELS = 11434


def attends_on_card(key: str, value: str, build: str) -> bool:
    """Whether a CUDA build has a kernel for these cache types with flash attention.

    Without one the whole attention runs on the CPU and no log says so. Builds up to b10819 have
    few kernels, unless made with ``GGML_CUDA_FA_ALL_QUANTS``; b11434 has all. When that changed in
    between is not known, so builds there count as having few.

    Args:
        key: Element type of cached keys.
        value: Element type of cached values.
        build: llama.cpp build; empty or unreadable is the newest.
    """
    number = build_number(build)
    if number is None or number >= _FIRST_WITH_ALL_KERNELS:
        return {key, value} <= _IN_LATER_BUILDS
    same = key == value or {key, value} <= {"f32", "f16"}
    return same and key in _IN_EVERY_BUILD
