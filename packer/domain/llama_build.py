"""Builds of llama.cpp: a number that grows with every change, written ``b11434``."""

import re

MEASURED_BUILD = "b11434"
"""Build whose buffers were measured: the memory model equals it to the byte."""

_BUILD = re.compile(r"b?([0-9]{1,9})")


def build_number(build: str) -> int | None:
    """Number of a build; None of a text that names none."""
    match = _BUILD.fullmatch(build)
    return int(match[1]) if match else None


def is_same_build(one: str, other: str) -> bool:
    """Whether two names are of one build: ``b11434`` and ``11434`` are."""
    return one.removeprefix("b") == other.removeprefix("b")
