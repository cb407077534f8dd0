"""Rows of llama-batched-bench, from its table or ``--output-format jsonl``: speed by slots.

Source: llama.cpp b11434, tools/batched-bench/batched-bench.cpp, main().
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from packer.llamacpp.measured_run import MeasuredRun, amount, count, seconds_of

WAY = "llama-batched-bench"
_CELL = r"\s*([0-9]{1,15}(?:\.[0-9]{0,15})?)\s*\|"
_ROW = re.compile(rf"\|{_CELL * 10}\s*")
_COLUMNS = ("pp", "tg", "pl", "n_kv", "t_pp", "speed_pp", "t_tg", "speed_tg", "t", "speed")
_COUNTS = 4


def is_batched_row(row: Mapping[str, Any]) -> bool:
    """Whether a JSON object is such a row."""
    return {"pp", "tg", "pl", "t_tg"} <= set(row)


def table_rows(text: str) -> Iterator[dict[str, Any]]:
    """Rows of the table; its header and everything around it are passed over."""
    for line in text.splitlines():
        match = _ROW.fullmatch(line.strip())
        if match:
            cells = match.groups()
            yield {
                name: cell if index < _COUNTS else float(cell)
                for index, (name, cell) in enumerate(zip(_COLUMNS, cells, strict=True))
            }


def batched_runs(row: Mapping[str, Any]) -> Iterator[MeasuredRun]:
    """The decoding of all slots, and the prompt where only one was read.

    Raises:
        ValueError: A value is missing or cannot be.
    """
    prompt, steps, slots = count(row, "pp"), count(row, "tg"), count(row, "pl")
    if not slots:
        raise ValueError("pl is 0: no sequence was decoded")
    if steps:
        whole = _seconds(row, "t_tg", "speed_tg", slots * steps)
        yield MeasuredRun(False, steps, prompt, slots, seconds_of(whole / steps), WAY)
    if prompt and (slots == 1 or row.get("is_pp_shared")):
        yield MeasuredRun(True, prompt, 0, 1, _seconds(row, "t_pp", "speed_pp", prompt), WAY)


def _seconds(row: Mapping[str, Any], time: str, speed: str, tokens: int) -> float:
    """The time, from the speed where that has more digits; both must agree."""
    seconds, rate = seconds_of(amount(row, time)), amount(row, speed)
    if not 0.9 < rate * seconds / tokens < 1.1 and seconds > 0.02:
        raise ValueError(f"{speed} {rate:g} is not {tokens} tokens in {time} {seconds:g}")
    return tokens / rate
