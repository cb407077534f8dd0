"""Pictures of cards with their processes stacked to scale, as SVG text.

One scale for a whole picture: a card with more memory is drawn longer. Colour never carries
meaning alone: parts keep their order, have labels where they fit, patterns, and a hover text.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files

from packer.report.card_figures import CardFigures, NodeFigures, Part, PartBytes, ProcessFigures
from packer.report.phrases import process_words
from packer.report.svg_shapes import BAR_HEIGHT, BAR_TOP, fitting_text, number, rectangle, text_at
from packer.report.wording import BASIS_MARKS, PART_MEANINGS, PART_NAMES
from packer.units import format_gib

LINE_WIDTH = 1080
"""Width that a full line of cards takes [px]."""
GUTTER = 62
"""Room left of a bar for the card's number and its percentage [px]."""
_EMPTY_HEIGHT = 17
_RIGHT_MARGIN = 14
_NAME_LETTER = 6.5
"""Widest common advance of the bold name font [px]."""
_LEAST_LETTERS = 3
_GAP = 1.5
_LEAST_DRAWN = 0.3

_SHORT_NAMES: dict[Part, str] = {
    Part.WEIGHTS: "weights",
    Part.CONTEXT: "KV",
    Part.COMPUTE: "compute",
    Part.DRAFT: "draft",
    Part.PROJECTOR: "projector",
    Part.PROCESS: "process",
    Part.BAND: "",
}

PATTERNS = (
    "<defs>"
    '<pattern id="band" width="5" height="5" patternUnits="userSpaceOnUse" '
    'patternTransform="rotate(45)"><rect class="band-bg" width="5" height="5"/>'
    '<path class="band-line" d="M0 0V5" stroke-width="2"/></pattern>'
    '<pattern id="kept" width="6" height="6" patternUnits="userSpaceOnUse">'
    '<rect class="kept-bg" width="6" height="6"/><circle class="kept-dot" cx="2" cy="2" r="1"/>'
    "</pattern>"
    '<pattern id="others" width="6" height="6" patternUnits="userSpaceOnUse">'
    '<rect class="others-bg" width="6" height="6"/>'
    '<path class="others-line" d="M0 0L6 6M6 0L0 6"/></pattern>'
    "</defs>"
)
"""Fills of what is not a part of a process; a page holds them once."""


@dataclass(frozen=True)
class Scale:
    """Pixels per byte of one picture, by its largest card.

    Attributes:
        width: Width of the largest card with its gutter [px].
        largest_bytes: Allocatable bytes of the largest card.
    """

    width: int
    largest_bytes: int

    def pixels(self, size: int) -> float:
        """Length of some bytes [px]."""
        return size * (self.width - GUTTER - _RIGHT_MARGIN) / self.largest_bytes

    def row_width(self, card: CardFigures) -> float:
        """Width of one card's picture with its gutter [px]."""
        return GUTTER + self.pixels(card.allocatable_bytes) + _RIGHT_MARGIN


def style() -> str:
    """Style sheet of the pictures, light and dark."""
    return (files("packer.report") / "templates" / "cards.css").read_text(encoding="utf-8")


def card_svg(card: CardFigures, scale: Scale) -> str:
    """One card as an ``svg`` element for a page that holds ``style()`` and ``PATTERNS``."""
    width = scale.row_width(card)
    share = 100 * width / LINE_WIDTH
    label = (
        f"{card.node} GPU {card.gpu}, {card.product}: {format_gib(card.planned_bytes)} of "
        f"{format_gib(card.allocatable_bytes)} GiB planned"
    )
    return (
        f'<svg data-find="card" role="img" aria-label="{escape(label)}" width="{number(share)}%" '
        f'viewBox="0 0 {number(width)} {row_height(card)}">{card_row(card, scale)}</svg>'
    )


def row_height(card: CardFigures) -> int:
    """Height of one card's picture; an empty card is a slim outline [px]."""
    return BAR_TOP + BAR_HEIGHT + 2 if card.processes else _EMPTY_HEIGHT + 4


def card_row(card: CardFigures, scale: Scale) -> str:
    """What is drawn of one card: number, processes, headroom, others, what is left over."""
    if not card.processes:
        return _empty_row(card, scale)
    x = float(GUTTER)
    pieces = [
        f'<text class="n" x="0" y="{BAR_TOP + 11}">GPU {card.gpu}</text>',
        f'<text class="q" x="0" y="{BAR_TOP + 24}">{card.planned_percent} %</text>',
    ]
    processes = sorted(card.processes, key=lambda one: (-one.planned_bytes, one.name))
    pieces += _names(processes, scale, GUTTER + scale.pixels(card.allocatable_bytes))
    for process in processes:
        pieces.append(_process(process, x, scale))
        x += scale.pixels(process.planned_bytes)
    for css, size, name in (
        ("headroom", card.headroom_bytes, "Headroom kept by rule"),
        ("others", card.taken_bytes, "Held by others"),
        ("free", card.slack_bytes, "Left over"),
    ):
        length = scale.pixels(max(0, size))
        if length >= _LEAST_DRAWN:
            title = f"<title>{name}: {format_gib(size)} GiB</title>"
            label = _left_label(size, x, length) if css == "free" else ""
            pieces.append(f"<g>{title}{rectangle(css, x, length)}{label}</g>")
        x += length
    pieces.append(rectangle("frame", GUTTER, scale.pixels(card.allocatable_bytes)))
    return "".join(pieces)


def _empty_row(card: CardFigures, scale: Scale) -> str:
    """A card without a replica: its outline, and what others hold of it."""
    whole = scale.pixels(card.allocatable_bytes)
    taken = scale.pixels(card.taken_bytes)
    texts = (f"empty, {format_gib(card.slack_bytes)} GiB", format_gib(card.slack_bytes))
    y, size = 1, _EMPTY_HEIGHT
    others = rectangle("others", GUTTER, taken, y, size) if taken >= _LEAST_DRAWN else ""
    return (
        f'<text class="q" x="0" y="{y + 12}">GPU {card.gpu}</text>{others}'
        f"{fitting_text('q', texts, GUTTER + taken, whole - taken, y + 12)}"
        f"{rectangle('frame', GUTTER, whole, y, size)}"
    )


def _names(processes: Sequence[ProcessFigures], scale: Scale, end: float) -> Iterator[str]:
    """Names over the processes; neighbours too short for their own share one over their run.

    The last name may run on over what is left of the card.
    """
    x = float(GUTTER)
    start, run = x, list[str]()
    for process in processes:
        length = scale.pixels(process.planned_bytes)
        name = _fitting_name(process, length)
        if name:
            if run:
                yield _name(run, start, x)
            yield text_at("n", x, 9, name)
            run = []
        else:
            start = start if run else x
            run.append(process.name)
        x += length
    if run:
        yield _name(run, start, end + _RIGHT_MARGIN)


def _name(names: Sequence[str], start: float, end: float) -> str:
    """Names of a run of short processes as far as they fit; nothing if hardly a letter does."""
    room = int((end - start) / _NAME_LETTER)
    joined = ", ".join(names)
    if len(joined) > room:
        joined = f"{joined[: room - 1]}…" if room > _LEAST_LETTERS else ""
    return text_at("n", start, 9, joined) if joined else ""


def process_title(process: ProcessFigures) -> str:
    """Budget of one process in words, for hovering: parts with their basis marks."""
    parts = ", ".join(
        f"{PART_NAMES[one.part].lower() if one.part is not Part.CONTEXT else PART_NAMES[one.part]} "
        f"{BASIS_MARKS[one.basis]}{format_gib(one.bytes)}"
        for one in process.parts
    )
    mark = BASIS_MARKS[process.basis]
    total = f"{mark}{format_gib(process.planned_bytes)} GiB"
    return f"{process_words(process)}, {process.quantization}: {total} = {parts}"


def _process(process: ProcessFigures, x: float, scale: Scale) -> str:
    """One process: a line as long as itself, then its parts."""
    length = scale.pixels(process.planned_bytes)
    pieces = [f"<title>{escape(process_title(process))}</title>"]
    if length > 2 * _GAP:
        end = x + length - _GAP
        pieces.append(f'<path class="span" d="M{number(x)} 12.5H{number(end)}"/>')
    for part in process.parts:
        width = scale.pixels(part.bytes)
        if width >= _LEAST_DRAWN:
            pieces.append(rectangle(part.part.value, x, width))
            pieces.append(_part_label(part, x, width))
        x += width
    return f"<g>{''.join(pieces)}</g>"


def _fitting_name(process: ProcessFigures, length: float) -> str:
    """Longest form of the name that fits over the process, or nothing."""
    room = int((length - 2 * _GAP) / _NAME_LETTER)
    return next((name for name in (process_words(process), process.name) if len(name) <= room), "")


def _part_label(part: PartBytes, x: float, width: float) -> str:
    short = _SHORT_NAMES[part.part]
    size = format_gib(part.bytes)
    return fitting_text("l", (f"{short} {size}", size), x, width) if short else ""


def _left_label(size: int, x: float, width: float) -> str:
    return fitting_text("q", (f"{format_gib(size)} GiB left over", format_gib(size)), x, width)


def legend_entries(nodes: Iterable[NodeFigures]) -> Iterator[tuple[str, str, str]]:
    """Style class, name and meaning of everything that is drawn, in drawing order."""
    cards = [card for node in nodes if node.is_used for card in node.cards]
    present = {part.part for card in cards for one in card.processes for part in one.parts}
    for part in Part:
        if part in present:
            yield part.value, PART_NAMES[part], PART_MEANINGS[part]
    yield "headroom", "Headroom kept by rule", ""
    if any(card.taken_bytes for card in cards):
        yield "others", "Held by others", ""
    yield "free", "Left over", ""
