"""Axes of a chart: round ticks, and where a value lies. Lengths in pixels."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from packer.report.svg_shapes import number, text_at

_STEPS = (1, 2, 5, 10)


@dataclass(frozen=True)
class Axis:
    """One direction of a chart.

    Attributes:
        low, high: Values at its ends.
        step: Between ticks.
        start, end: Where the ends are drawn [px].
    """

    low: Fraction
    high: Fraction
    step: Fraction
    start: float
    end: float

    def at(self, value: float | Fraction) -> float:
        """Where a value lies [px]."""
        share = (Fraction(value) - self.low) / (self.high - self.low)
        return self.start + float(share) * (self.end - self.start)

    @property
    def ticks(self) -> tuple[Fraction, ...]:
        """Round values from end to end."""
        count = int((self.high - self.low) / self.step)
        return tuple(self.low + index * self.step for index in range(count + 1))


def axis(
    low: float | Fraction,
    high: float | Fraction,
    start: float,
    end: float,
    most: int = 6,
    *,
    tight: bool = False,
) -> Axis:
    """An axis with round ticks that reaches at least from ``low`` to ``high``.

    Args:
        low: Least value shown.
        high: Greatest value shown.
        start: Where the least lies [px].
        end: Where the greatest lies [px].
        most: Steps between ticks, at most about so many.
        tight: Whether it ends at these values, round or not.
    """
    first, last = Fraction(low), Fraction(high)
    if first == last:
        first, last = first - (abs(first) / 10 or 1), last + (abs(last) / 10 or 1)
    step = _round_step((last - first) / most)
    if tight:
        return Axis(first, last, step, start, end)
    return Axis(math.floor(first / step) * step, math.ceil(last / step) * step, step, start, end)


def _round_step(least: Fraction) -> Fraction:
    """The smallest of 1, 2, 5 times a power of ten that is at least so large."""
    power = Fraction(10) ** math.floor(math.log10(float(least)))
    return next(step * power for step in _STEPS if step * power >= least)


def grid(
    across: Axis,
    up: Axis,
    *,
    ticks: Sequence[Fraction] = (),
    spell: Callable[[Fraction], str] | None = None,
    levels: Sequence[Fraction] | None = None,
) -> Iterator[str]:
    """Lines and figures of both axes; ``up`` is drawn on the left.

    Args:
        across: From left to right.
        up: From bottom to top.
        ticks: Values to name on ``across``; round ones if none are given.
        spell: How they are written.
        levels: Values to name on ``up``; its ticks if not given.
    """
    for tick in up.ticks if levels is None else levels:
        y = number(up.at(tick))
        yield f'<path class="g" d="M{number(across.start)} {y}H{number(across.end)}"/>'
        yield text_at("a e", across.start - 7, round(up.at(tick)) + 4, plain(tick))
    for tick in ticks or across.ticks:
        x = across.at(tick)
        yield f'<path class="t" d="M{number(x)} {number(up.start)}v4"/>'
        yield text_at("a m", x, round(up.start) + 18, (spell or plain)(tick))


def plain(value: Fraction) -> str:
    """A tick as people write it: thousands grouped, no more decimals than it has."""
    digits = 0
    while digits < 6 and (value * 10**digits).denominator != 1:
        digits += 1
    return f"{float(value):,.{digits}f}"
