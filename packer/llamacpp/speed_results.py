"""Measured speeds in whatever a llama.cpp program printed: the format is recognised."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from packer.errors import InvalidInput, Location, Problem
from packer.llamacpp.batched_bench import batched_runs, is_batched_row, table_rows
from packer.llamacpp.llama_bench import bench_runs, is_bench_row
from packer.llamacpp.measured_run import MeasuredRun
from packer.llamacpp.server_metrics import metric_runs, metrics_of
from packer.llamacpp.server_timings import build_of, log_runs, timing_runs, timings_of

KNOWN = (
    "llama-bench -o json, llama-batched-bench, answers of llama-server with timings, its log, "
    "or its /metrics"
)
_LONGEST_NUMBER = 30


def read_speed_results(text: str, file: str = "results") -> tuple[MeasuredRun, ...]:
    """Every measured speed in a text.

    Args:
        text: What the program printed.
        file: Its name, for errors.

    Raises:
        InvalidInput: P0421, there is nothing to read; P0425, a figure cannot be.
    """
    try:
        found = tuple(_runs(text))
    except ValueError as error:
        raise InvalidInput(_impossible(str(error), file)) from error
    if not found:
        raise InvalidInput(_nothing(text, file))
    return found


def _runs(text: str) -> Iterator[MeasuredRun]:
    objects = tuple(_objects(text))
    if objects:
        for value in objects:
            yield from _object_runs(value)
        return
    rows = tuple(table_rows(text))
    if rows:
        for row in rows:
            yield from batched_runs(row)
        return
    metrics = metrics_of(text)
    yield from metric_runs(metrics) if metrics else log_runs(text)


def _object_runs(value: Mapping[str, Any]) -> Iterator[MeasuredRun]:
    timings = timings_of(value)
    if is_bench_row(value):
        yield from bench_runs(value)
    elif is_batched_row(value):
        yield from batched_runs(value)
    elif timings is not None:
        yield from timing_runs(timings, build_of(f"build: {value.get('system_fingerprint')}"))


def _objects(text: str) -> Iterator[Mapping[str, Any]]:
    """JSON objects: of a whole document, a list, lines, or lines of a stream (``data: {…}``)."""
    whole = _parsed(text)
    if whole is not None:
        yield from (
            one for one in (whole if isinstance(whole, list) else [whole]) if _is_object(one)
        )
        return
    for line in text.splitlines():
        value = _parsed(line.strip().removeprefix("data:").strip())
        if _is_object(value):
            yield value


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _parsed(text: str) -> Any:
    """Value of a JSON text; None if it is none."""
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return json.loads(text, parse_int=_whole)
    except (ValueError, RecursionError):
        return None


def _whole(text: str) -> int:
    if len(text) > _LONGEST_NUMBER:
        raise ValueError("a number beyond reason")
    return int(text)


def _nothing(text: str, file: str) -> Problem:
    why = "it is empty" if not text.strip() else "nothing in it is a speed measured by llama.cpp"
    if text.lstrip().startswith("| model"):
        why = "it is llama-bench's table, which does not say what was set"
    return Problem("P0421", "no measured speed is in it", Location(file), why, f"give {KNOWN}")


def _impossible(why: str, file: str) -> Problem:
    help_ = "give the output as the program printed it"
    return Problem("P0425", "a measured speed cannot be", Location(file), why, help_)
