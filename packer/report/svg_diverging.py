"""Bars to both sides of zero: what costs more to the right, what costs less to the left."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from html import escape

from packer.report.svg_axes import axis, grid
from packer.report.svg_shapes import number, text_at

_WIDTH, _LABELS, _RIGHT = 1080, 330, 80
_TOP, _ROW, _BAR = 22, 24, 15
_LETTER = 6.6


@dataclass(frozen=True)
class Bar:
    """One bar.

    Attributes:
        name: Beside it. words: The amount at its end. title: For hovering.
        note: Drawn instead of a bar where there is no amount.
        css: Style; by default that of more or of less.
    """

    name: str
    amount: Decimal | None
    words: str
    title: str
    note: str = ""
    css: str = ""


def diverging_chart(bars: Sequence[Bar], label: str, unit: str) -> str:
    """The picture; nothing without an amount that is not zero."""
    amounts = [Fraction(bar.amount) for bar in bars if bar.amount]
    if not amounts:
        return ""
    height = _TOP + len(bars) * _ROW + 42
    low, high = min(Fraction(0), *amounts), max(Fraction(0), *amounts)
    start = _LABELS + (_RIGHT if low < 0 else 0)
    across = axis(low, high, start, _WIDTH - _RIGHT, 8)
    up = axis(0, 1, height - 42, _TOP, 1)
    pieces = [*grid(across, up, levels=())]
    zero = across.at(0)
    pieces.append(f'<path class="zero" d="M{number(zero)} {_TOP}V{height - 42}"/>')
    for index, bar in enumerate(bars):
        pieces.append(
            _drawn(bar, across.at(Fraction(bar.amount or 0)), zero, _TOP + 6 + index * _ROW)
        )
    middle = (_LABELS + _WIDTH - _RIGHT) / 2
    pieces.append(text_at("a m", middle, height - 8, unit))
    return (
        f'<svg class="chart" role="img" aria-label="{escape(label)}" '
        f'viewBox="0 0 {_WIDTH} {height}">{"".join(pieces)}</svg>'
    )


def _drawn(bar: Bar, end: float, zero: float, y: int) -> str:
    room = int((_LABELS - 16) / _LETTER)
    name = bar.name if len(bar.name) <= room else f"{bar.name[: room - 1]}…"
    pieces = [f"<title>{escape(bar.title)}</title>", text_at("v e", _LABELS - 10, y + 12, name)]
    if bar.amount is None:
        pieces.append(text_at("a", zero + 6, y + 12, bar.note))
    else:
        css = bar.css or ("worse" if bar.amount > 0 else "better")
        start, length = min(zero, end), abs(end - zero)
        pieces.append(
            f'<rect class="{css}" x="{number(start)}" y="{y}" '
            f'width="{number(max(0.5, length))}" height="{_BAR}"/>'
        )
        at = end + 6 if bar.amount >= 0 else end - 6
        pieces.append(text_at("a" if bar.amount >= 0 else "a e", at, y + 12, bar.words))
    return f"<g>{''.join(pieces)}</g>"
