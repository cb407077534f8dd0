"""One speed that a llama.cpp program measured, and what the program says about itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from packer.domain.server_options import ServerOptions

_MOST_SECONDS = 1e6
_MOST_TOKENS = 2**31


@dataclass(frozen=True)
class BenchSetup:
    """What a llama-bench row says about its model, cards and options.

    Attributes:
        model: Path as it was given.
        parameters, tensor_bytes: Of all tensors; 0 if the row does not say.
        gpus: Product of every card as the driver names it; empty on the CPU.
        build: llama.cpp build, such as ``b11434``; empty if unknown.
        options: The options as a server would have them, but for context and slots.
    """

    model: str
    parameters: int
    tensor_bytes: int
    gpus: tuple[str, ...]
    build: str
    options: ServerOptions


@dataclass(frozen=True)
class MeasuredRun:
    """One decode step or one prompt, measured.

    Attributes:
        is_prompt: Whether a prompt was read, or else tokens decoded.
        tokens: Tokens of the prompt, or steps of every slot.
        depth: Tokens in a slot before the first of them; None if the text does not say.
        slots: Slots at work; None if the text does not say.
        seconds: Of the whole prompt, or of one step [s].
        way: Where it comes from.
        is_served: Whether a server measured it: its own work is in the seconds then.
    """

    is_prompt: bool
    tokens: int
    depth: int | None
    slots: int | None
    seconds: float
    way: str
    is_served: bool = False
    setup: BenchSetup | None = None
    build: str = ""


def count(row: Mapping[str, Any], key: str, default: int | None = None) -> int:
    """A whole number of a row, zero or more.

    Raises:
        ValueError: It is missing, or no such number.
    """
    value = row.get(key, default)
    if isinstance(value, str) and value.isdecimal() and len(value) < 12:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST_TOKENS:
        raise ValueError(f"{key} is {shown(value)}, not a number of tokens")
    return value


def amount(row: Mapping[str, Any], key: str) -> float:
    """A number above zero of a row.

    Raises:
        ValueError: It is missing, or no such number.
    """
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{key} is {shown(value)}, not a number")
    if not (isfinite(value) and value > 0):
        raise ValueError(f"{key} is {value:g}, not above zero")
    return float(value)


def seconds_of(value: float) -> float:
    """Seconds within reason.

    Raises:
        ValueError: They are not.
    """
    if not 0 < value <= _MOST_SECONDS:
        raise ValueError(f"{value:g} seconds are beyond reason")
    return value


def shown(value: object) -> str:
    """A value for a message."""
    return "missing" if value is None else repr(value)[:40]
