"""Points of charts: shape and colour say the same, so that neither is needed alone."""

from html import escape

from packer.report.svg_shapes import number

MARKS = 8
"""Different styles; later lines take them again."""
_SHAPES = (
    "m-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0",
    "m-4.5-4.5h9v9h-9z",
    "m0-6l6 10h-12z",
    "m0-6l6 6l-6 6l-6-6z",
    "m0 6l6-10h-12z",
    "m-2-6h4v4h4v4h-4v4h-4v-4h-4v-4h4z",
    "m-6 0l3-5h6l3 5l-3 5h-6z",
    "m-6-2h12v4h-12z",
)


def mark(style: int, x: float, y: float, words: str, css: str = "mark") -> str:
    """A point of a series with its figures for hovering."""
    shape = _SHAPES[style % MARKS]
    path = f'<path class="{css}" d="M{number(x)} {number(y)}{shape}"/>'
    return f"<g><title>{escape(words)}</title>{path}</g>"


def cross(style: int, x: float, y: float, words: str) -> str:
    """A point that is missing, and why; those of other series lie under it."""
    y += 12 * (style % MARKS)
    path = f'<path class="gone" d="M{number(x)} {number(y)}m-5-5l10 10m0-10l-10 10"/>'
    return f"<g><title>{escape(words)}</title>{path}</g>"


def key(style: int) -> str:
    """A sample of a style for a legend."""
    return (
        f'<svg class="key s{style % MARKS}" aria-hidden="true" viewBox="0 0 26 12">'
        f'<path stroke="currentColor" stroke-width="2" d="M0 6H26"/>'
        f'<path fill="currentColor" d="M13 6{_SHAPES[style % MARKS]}"/></svg>'
    )
