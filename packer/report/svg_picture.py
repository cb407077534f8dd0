"""A whole plan as one stand-alone SVG picture, light and dark, for a README or a slide."""

from collections.abc import Iterator
from html import escape

from packer.plan.headline import Way
from packer.plan.plan import Plan
from packer.report.card_figures import NodeFigures
from packer.report.document import Report, report
from packer.report.svg_cards import (
    LINE_WIDTH,
    PATTERNS,
    Scale,
    card_row,
    legend_entries,
    row_height,
    style,
)
from packer.report.svg_shapes import number, text_at
from packer.report.wording import WAY_NAMES, counted

_MARGIN = 16
_ROW_GAP = 8
_LEGEND_STEP = 38
"""Room of a legend entry beside its text [px]."""
_LETTER = 6.0


def plan_svg(plan: Plan) -> str:
    """Every node in use with its cards to scale; the same plan gives the same picture."""
    facts = report(plan)
    used = [node for node in facts.nodes if node.is_used]
    largest = max((card.allocatable_bytes for node in used for card in node.cards), default=1)
    scale = Scale(LINE_WIDTH, largest)
    pieces = [text_at("h", 0, 12, _title(facts)), _legend(used)]
    y = 62
    for node in used:
        pieces.append(text_at("n", 0, y, node.name))
        pieces.append(text_at("q", len(node.name) * _LETTER + 12, y, node.product))
        y += 8
        for x, top, row, height in _placed(node, scale):
            pieces.append(f'<g transform="translate({number(x)} {y + top})">{row}</g>')
            bottom = top + height
        y += bottom + 24
    width, height = LINE_WIDTH + 2 * _MARGIN, y + _MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{-_MARGIN} {-_MARGIN} {width} {height}" '
        f'width="{width}" role="img"><title>{escape(_title(facts))}</title>'
        f"<style>{style()}</style>{PATTERNS}"
        f'<rect class="free" x="{-_MARGIN}" y="{-_MARGIN}" width="{width}" height="{height}" '
        f'rx="8"/>{"".join(pieces)}</svg>\n'
    )


def _title(facts: Report) -> str:
    """Cards beside the simplest way: what the picture is about."""
    top = facts.headline
    first = next(one for one in top.comparisons if one.way is Way.FP16_ONE_MODEL_PER_CARD_SET)
    beside = f"; {WAY_NAMES[first.way]} would take {first.cards}" if first.cards else ""
    return f"{counted(top.workloads, 'workload')} on {counted(top.cards, 'card')}{beside}"


def _legend(nodes: list[NodeFigures]) -> str:
    pieces, x = [], 0.0
    for css, name, _ in legend_entries(nodes):
        pieces.append(f'<rect class="{css}" x="{number(x)}" y="25" width="18" height="11"/>')
        pieces.append(f'<rect class="frame" x="{number(x)}" y="25" width="18" height="11"/>')
        pieces.append(text_at("q", x + 23, 34, name))
        x += _LEGEND_STEP + len(name) * _LETTER
    return "".join(pieces)


def _placed(node: NodeFigures, scale: Scale) -> Iterator[tuple[float, int, str, int]]:
    """(x, y, picture, height) of a node's cards, as many on a line as there is room for."""
    x, y, tallest = 0.0, 0, 0
    for card in node.cards:
        width, height = scale.row_width(card), row_height(card)
        if x and x + width > LINE_WIDTH + 1:
            x, y, tallest = 0.0, y + tallest + _ROW_GAP, 0
        yield x, y, card_row(card, scale), height
        x, tallest = x + width, max(tallest, height)
