"""Rows of ``llama-bench -o json``: speed of one stream, with all that was set.

Source: llama.cpp b11434, tools/llama-bench/llama-bench.cpp, test::get_fields().
"""

import re
from collections.abc import Iterator, Mapping
from statistics import median
from typing import Any

from packer.domain.server_options import FlashAttention, ServerOptions, SplitMode
from packer.llamacpp.measured_run import BenchSetup, MeasuredRun, amount, count, seconds_of, shown

WAY = "llama-bench"
_ATTENTION = {
    -1: FlashAttention.AUTO,
    0: FlashAttention.OFF,
    1: FlashAttention.ON,
}
_MOST_SPREAD = 50.0
_SPLIT = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?(/[0-9]{1,9}(\.[0-9]{1,9})?){0,63}")


def is_bench_row(row: Mapping[str, Any]) -> bool:
    """Whether a JSON object is such a row."""
    return "n_prompt" in row and "n_gen" in row and "avg_ns" in row


def bench_runs(row: Mapping[str, Any]) -> Iterator[MeasuredRun]:
    """The prompt or the decoding of a row; nothing of a row that mixes both (``-pg``).

    Raises:
        ValueError: A value is missing or cannot be.
    """
    prompt, generated = count(row, "n_prompt"), count(row, "n_gen")
    if bool(prompt) == bool(generated):
        return
    tokens = prompt or generated
    mean = seconds_of(amount(row, "avg_ns") / 1e9)
    said = amount(row, "avg_ts") if "avg_ts" in row else tokens / mean
    # The mean of speeds lies above the speed of the mean, by as much as the runs spread.
    if not 0.9 < said * mean / tokens < _MOST_SPREAD:
        raise ValueError(f"avg_ts {said:g} is not {tokens} tokens in avg_ns {row['avg_ns']}")
    seconds = _median_seconds(row) or mean
    yield MeasuredRun(
        is_prompt=bool(prompt),
        tokens=tokens,
        depth=count(row, "n_depth", 0),
        slots=1,
        seconds=seconds if prompt else seconds / generated,
        way=WAY,
        setup=_setup(row),
    )


def _median_seconds(row: Mapping[str, Any]) -> float | None:
    """Median of the repeated runs, which one disturbed run does not move; None without them."""
    samples = row.get("samples_ns")
    if not isinstance(samples, list) or not samples:
        return None
    return median(amount({"samples_ns": one}, "samples_ns") for one in samples) / 1e9


def _setup(row: Mapping[str, Any]) -> BenchSetup:
    build = count(row, "build_number", 0)
    gpus = str(row.get("gpu_info") or "")
    return BenchSetup(
        model=str(row.get("model_filename") or ""),
        parameters=_size(row, "model_n_params"),
        tensor_bytes=_size(row, "model_size"),
        gpus=tuple(name.strip() for name in gpus.split(",") if name.strip()),
        build=f"b{build}" if build else "",
        options=_options(row),
    )


def _size(row: Mapping[str, Any], key: str) -> int:
    """A size the row may leave out; 0 then."""
    return int(amount(row, key)) if row.get(key) else 0


def _options(row: Mapping[str, Any]) -> ServerOptions:
    layers = row.get("n_gpu_layers", -1)
    if isinstance(layers, bool) or not isinstance(layers, int):
        raise ValueError(f"n_gpu_layers is {shown(layers)}, not a number")
    return ServerOptions(
        model=str(row.get("model_filename") or ""),
        slots=1,
        batch_size=count(row, "n_batch", 2048),
        ubatch_size=count(row, "n_ubatch", 512),
        gpu_layers=layers if layers >= 0 else None,
        cpu_moe_layers=count(row, "n_cpu_moe", 0),
        split_mode=SplitMode(str(row.get("split_mode", "layer"))),
        main_gpu=count(row, "main_gpu", 0),
        tensor_split=_tensor_split(row.get("tensor_split")),
        cache_type_k=str(row.get("type_k", "f16")),
        cache_type_v=str(row.get("type_v", "f16")),
        flash_attention=_attention(row.get("flash_attn", -1)),
        kv_offload=not row.get("no_kv_offload", False),
        op_offload=not row.get("no_op_offload", 0),
        embedding=bool(row.get("embeddings", False)),
        override_tensors=_overrides(row.get("tensor_buft_overrides", "none")),
    )


def _attention(value: object) -> FlashAttention:
    # Builds before the option had three values wrote true or false.
    known = _ATTENTION.get(int(value)) if isinstance(value, int) else None
    if known is None:
        raise ValueError(f"flash_attn is {shown(value)}, not -1, 0 or 1")
    return known


def _tensor_split(value: object) -> tuple[float, ...]:
    if not isinstance(value, str) or not _SPLIT.fullmatch(value):
        return ()
    parts = tuple(float(part) for part in value.split("/"))
    return parts if any(parts) else ()


def _overrides(value: object) -> tuple[tuple[str, str], ...]:
    """Pairs of ``pattern=buffer;pattern=buffer``; none for ``none``."""
    if not isinstance(value, str) or value in ("none", ""):
        return ()
    pairs = (part.rpartition("=") for part in value.split(";"))
    return tuple((pattern, buffer) for pattern, _, buffer in pairs if pattern)
