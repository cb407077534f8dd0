"""What a llama-server says of single requests: ``timings`` of its answers, or lines of its log.

Source: llama.cpp b11434, tools/server/server-common.cpp, server_slot_stats::to_json();
tools/server/server-context.cpp, server_slot::print_timings().
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from packer.llamacpp.measured_run import MeasuredRun, amount, count, seconds_of

WAY = "server timings"
_FEWEST_STEPS = 8
"""Fewer steps say nothing about a speed."""
_FEWEST_PROMPT_TOKENS = 32
_LINE = re.compile(
    r"(?P<prompt>prompt )?eval time =\s*(?P<ms>[0-9]{1,15}(?:\.[0-9]{1,15})?) ms"
    r" /\s*(?P<tokens>[0-9]{1,15}) (?:tokens|runs)"
)
_DRAFTED = re.compile(r"draft acceptance")
_BUILD = re.compile(r"\bbuild(?:_info)?: *(b?[0-9]{3,6})\b")


def timings_of(value: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The timings of one answer; None if it has none."""
    timings = value.get("timings")
    if isinstance(timings, dict):
        return timings
    return value if {"prompt_ms", "predicted_ms"} <= set(value) else None


def timing_runs(timings: Mapping[str, Any], build: str = "") -> Iterator[MeasuredRun]:
    """Prompt and decoding of one answer; short ones, and speculative decoding, are left out.

    Raises:
        ValueError: A value is missing or cannot be.
    """
    prompt, cached = count(timings, "prompt_n"), count(timings, "cache_n", 0)
    predicted = count(timings, "predicted_n")
    if prompt >= _FEWEST_PROMPT_TOKENS:
        seconds = seconds_of(amount(timings, "prompt_ms") / 1e3)
        yield _run(True, prompt, cached, seconds, build)
    # The first token comes out of the prompt.
    steps = predicted - 1
    if steps >= _FEWEST_STEPS and not timings.get("draft_n"):
        seconds = seconds_of(amount(timings, "predicted_ms") / 1e3)
        said = amount(timings, "predicted_per_second") if "predicted_per_second" in timings else 0
        if said and not 0.5 < said * seconds / steps < 2.0:
            raise ValueError(f"{said:g} tokens per second are not {steps} in {seconds:g} s")
        yield _run(False, steps, cached + prompt, seconds / steps, build)


def log_runs(text: str) -> Iterator[MeasuredRun]:
    """Prompts and decoding of every request a log tells, in its order.

    A log does not say how many tokens came from the cache: depths count from the prompt that was
    processed. Requests with drafts are left out.

    Raises:
        ValueError: A time cannot be.
    """
    build, prompt = build_of(text), 0
    found: list[MeasuredRun] = []
    for line in text.splitlines():
        if _DRAFTED.search(line) and found and not found[-1].is_prompt:
            found.pop()
        match = _LINE.search(line)
        if match is None:
            continue
        tokens, milliseconds = int(match["tokens"]), float(match["ms"])
        if match["prompt"]:
            prompt = tokens
            if prompt >= _FEWEST_PROMPT_TOKENS:
                found.append(_run(True, prompt, 0, seconds_of(milliseconds / 1e3), build))
        elif tokens > _FEWEST_STEPS:
            seconds = seconds_of(milliseconds / 1e3)
            found.append(_run(False, tokens - 1, prompt, seconds / (tokens - 1), build))
    yield from found


def build_of(text: str) -> str:
    """Build a log or an answer names, such as ``b11434``; empty if it names none."""
    match = _BUILD.search(text)
    return f"b{match[1].removeprefix('b')}" if match else ""


def _run(is_prompt: bool, tokens: int, depth: int, seconds: float, build: str) -> MeasuredRun:
    return MeasuredRun(
        is_prompt, tokens, depth, None if not is_prompt else 1, seconds, WAY, True, None, build
    )
