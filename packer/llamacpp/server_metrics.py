"""What a llama-server's ``/metrics`` says of all requests since it started, as averages.

Source: llama.cpp b11434, tools/server/server-task.cpp, server_task_result_metrics::to_metrics().
"""

import re
from collections.abc import Iterator
from math import isfinite

from packer.llamacpp.measured_run import MeasuredRun, seconds_of

WAY = "server metrics"
_LINE = re.compile(r"^llamacpp:(\w+)(?:\{[^}]*\})?\s+([0-9.eE+-]+)\s*$", re.MULTILINE)
_FEWEST_TOKENS = 64


def metrics_of(text: str) -> dict[str, float]:
    """Every unlabelled figure of llama.cpp in a text of Prometheus; empty if there is none."""
    return {name: float(value) for name, value in _LINE.findall(text) if _is_number(value)}


def metric_runs(metrics: dict[str, float]) -> Iterator[MeasuredRun]:
    """Average decoding and prompt since the server started.

    The figures do not say at what depth; ``n_tokens_max`` bounds it, and half of that is taken
    where the caller does not know better.

    Raises:
        ValueError: A figure is missing or cannot be, or drafts were part of it.
    """
    if metrics.get("spec_decode_num_draft_tokens_total", 0) > 0:
        raise ValueError("the server decoded with drafts, whose speed is not that of plain steps")
    busy = metrics.get("n_busy_slots_per_decode", 0.0)
    slots = max(1, round(busy)) if busy else None
    depth = int(metrics.get("n_tokens_max", 0)) // 2 or None
    for kind, tokens, seconds in (
        (False, "tokens_predicted_total", "tokens_predicted_seconds_total"),
        (True, "prompt_tokens_total", "prompt_seconds_total"),
    ):
        if tokens not in metrics or seconds not in metrics:
            raise ValueError(f"{tokens} or {seconds} is missing")
        if metrics[tokens] < _FEWEST_TOKENS:
            continue
        each = seconds_of(metrics[seconds] / metrics[tokens])
        length = (depth or 1) if kind else 1
        yield MeasuredRun(
            kind, length, 0 if kind else depth, 1 if kind else slots,
            each * length, WAY, is_served=True,
        )  # fmt: skip


def _is_number(text: str) -> bool:
    try:
        return isfinite(float(text))
    except ValueError:
        return False
