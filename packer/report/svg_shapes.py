"""The few SVG elements the pictures are made of, as text."""

from html import escape

BAR_TOP, BAR_HEIGHT = 15, 25
"""Where the bar of a card lies in its picture, under the names [px]."""
_LETTER = 5.9
"""Widest common advance of the label font, so that labels never spill over [px]."""
_PADDING = 3


def number(value: float) -> str:
    """A coordinate to a tenth of a pixel."""
    return f"{value:.1f}".removesuffix(".0")


def text_at(css: str, x: float, y: int, words: str) -> str:
    """A text element; the words are escaped."""
    return f'<text class="{css}" x="{number(x)}" y="{y}">{escape(words)}</text>'


def fitting_text(
    css: str,
    texts: tuple[str, ...],
    x: float,
    width: float,
    y: int = BAR_TOP + 16,
    letter: float = _LETTER,
) -> str:
    """The first of some texts, longest first, that fits in a rectangle, or nothing.

    ``letter`` is the widest common advance; names may be made of wide letters [px].
    """
    for words in texts:
        if len(words) * letter + 2 * _PADDING <= width:
            return text_at(css, x + _PADDING + 1, y, words)
    return ""


def rectangle(css: str, x: float, width: float, y: int = BAR_TOP, height: int = BAR_HEIGHT) -> str:
    """A rectangle; neighbours leave a hair's breadth, outlines do not."""
    drawn = width if css in {"frame", "free"} else max(0.3, width - 0.5)
    across = number(drawn)
    return f'<path class="{css}" d="M{number(x)} {y}h{across}v{height}h-{across}z"/>'
