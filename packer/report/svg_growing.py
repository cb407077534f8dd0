"""How many cards no longer hold their processes when all grow: two staircases."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction

from packer.report.growth_figures import CardGrowth
from packer.report.svg_axes import Axis, axis, grid, plain
from packer.report.svg_shapes import number, text_at

_WIDTH, _HEIGHT = 1080, 270
_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 30, 34, 50
FURTHEST = 50
"""Growth the picture ends at [percent]."""


def growing_chart(growths: Sequence[CardGrowth]) -> str:
    """The picture; nothing without cards in use."""
    if not growths:
        return ""
    across = axis(0, FURTHEST, _LEFT, _WIDTH - _RIGHT, 10)
    up = axis(0, len(growths), _HEIGHT - _BOTTOM, _TOP, 5)
    levels = [tick for tick in up.ticks if tick.denominator == 1]
    pieces = [*grid(across, up, spell=lambda tick: f"+{plain(tick)} %", levels=levels)]
    pieces.append(text_at("w", 10, 14, "cards"))
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    pieces.append(text_at("a m", middle, _HEIGHT - 6, "growth of every process"))
    for style, limits, words in (
        (1, [one.fits_percent for one in growths], "cards that overflow"),
        (0, [one.keeps_headroom_percent for one in growths], "cards that lose their headroom"),
    ):
        pieces += _staircase(style, sorted(limits), words, across, up)
    label = "Cards that no longer hold their processes, against the growth of every process"
    return (
        f'<svg class="chart" role="img" aria-label="{label}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}">{"".join(pieces)}</svg>'
    )


def _staircase(
    style: int, limits: Sequence[Decimal], words: str, across: Axis, up: Axis
) -> Iterator[str]:
    """A step up at every growth that one more card does not stand."""
    steps = [f"M{number(across.at(0))} {number(up.at(0))}"]
    count = 0
    for count, limit in enumerate(limits, start=1):
        if limit >= FURTHEST:
            count -= 1
            break
        x = across.at(max(Fraction(0), Fraction(limit)))
        steps.append(f"H{number(x)}V{number(up.at(count))}")
    steps.append(f"H{number(across.end)}")
    title = f"<title>{words}: first at +{limits[0]} %, {count} by +{FURTHEST} %</title>"
    yield f'<g class="s{style}">{title}<path class="line" d="{"".join(steps)}"/></g>'
