"""The speed part of an estimate: JSON values, and sentences for people."""

from collections.abc import Iterator, Sequence
from typing import Any

from packer.performance.estimate import SpeedEstimate
from packer.performance.figure import Figure

UNKNOWN = "none"
"""Basis of a speed that cannot be said; its figures are zero then."""
_DIGITS = 3


def speed_document(speed: SpeedEstimate | None, notes: Sequence[str]) -> dict[str, Any]:
    """Speed of one process; zeros with the basis ``none`` where it cannot be said.

    ``low``, ``high`` and ``basis`` are of ``decode_tokens_per_second``.
    """
    decode = _banded(speed.decode_tokens_per_second if speed else None)
    every = speed.decode_aggregate_tokens_per_second.value if speed else 0.0
    return {
        "depth": speed.depth if speed else 0,
        "slots": speed.slots if speed else 0,
        "decode_tokens_per_second": decode[0],
        "decode_aggregate_tokens_per_second": round(every, _DIGITS),
        "low": decode[1],
        "high": decode[2],
        "basis": decode[3],
        **_keyed(
            "prefill", "tokens_per_second", speed.prefill_tokens_per_second if speed else None
        ),
        **_keyed("first_token", "seconds", speed.first_token_seconds if speed else None),
        **_keyed("load", "seconds", speed.load_seconds if speed else None),
        "bandwidth_limit_tokens_per_second": round(
            speed.bandwidth_limit_tokens_per_second if speed else 0.0, _DIGITS
        ),
        "notes": list(notes),
    }


def _keyed(name: str, unit: str, figure: Figure | None) -> dict[str, Any]:
    ends = (unit, "low", "high", "basis")
    return {f"{name}_{end}": value for end, value in zip(ends, _banded(figure), strict=True)}


def _banded(figure: Figure | None) -> tuple[float, float, float, str]:
    """Value, low, high and basis; zeros without a figure."""
    if figure is None:
        return 0.0, 0.0, 0.0, UNKNOWN
    low, high = round(figure.low, _DIGITS), round(figure.high, _DIGITS)
    return round(figure.value, _DIGITS), low, high, figure.basis.value


def speed_sentences(speed: SpeedEstimate | None) -> Iterator[str]:
    """Two lines: decoding, and prompts with the times before the first answer."""
    if speed is None:
        return
    decode, every = speed.decode_tokens_per_second, speed.decode_aggregate_tokens_per_second
    many = f", {speed.slots} slots {_rate(every.value)} in all" if speed.slots > 1 else ""
    if decode.value:
        yield (
            f"decode ~{_rate(decode.value)} tokens/s per slot "
            f"({_rate(decode.low)} to {_rate(decode.high)}, {decode.basis}){many}, "
            f"at {speed.depth} tokens"
        )
    prompt, first, load = (
        speed.prefill_tokens_per_second,
        speed.first_token_seconds,
        speed.load_seconds,
    )
    yield (
        f"prompts ~{_rate(prompt.value)} tokens/s "
        f"({_rate(prompt.low)} to {_rate(prompt.high)}, {prompt.basis}), first token after "
        f"~{_rate(first.value)} s, loaded in ~{_rate(load.value)} s ({_rate(load.low)} to "
        f"{_rate(load.high)})"
    )


def _rate(value: float) -> str:
    """Three digits at most where they are small: 5,230, 93.1, 0.42."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
