"""Money as stacked bars: the whole bill, then every paid node, part by part."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from html import escape

from packer.plan.cost import Bill, CostKind, CostLine
from packer.report.node_bills import NodeBill
from packer.report.phrases import cost_name
from packer.report.svg_axes import Axis, axis, grid
from packer.report.svg_shapes import fitting_text, number, text_at
from packer.report.wording import COST_NAMES, amount, counted, symbol

_WIDTH, _LEFT, _RIGHT, _TOP, _ROW, _BAR, _BOTTOM = 1080, 150, 84, 8, 27, 20, 40
MOST_ROWS = 40
"""Plans with more nodes get a bar per pool."""
COLOURS = 6
"""Workloads with a colour of their own, the dearest; the others share one."""
_NAME_LETTER = 7.2
"""Names are the user's, and may be all m and w [px]."""
_FILLS = {
    CostKind.HEADROOM: "headroom",
    CostKind.HELD_BY_OTHERS: "others",
    CostKind.IDLE_MEMORY: "free",
    CostKind.IDLE_CARDS: "gap",
}


@dataclass(frozen=True)
class Row:
    """One bar: its name, what is paid, and for what [currency per month]."""

    name: str
    per_month: Decimal
    lines: tuple[CostLine, ...]


def rows_of(bills: Sequence[NodeBill]) -> tuple[Row, ...]:
    """A row per node, or per pool where there are many; sums of whole cents."""
    if len(bills) <= MOST_ROWS:
        return tuple(Row(one.node, one.per_month, one.lines) for one in bills)
    pools: dict[str, list[NodeBill]] = {}
    for one in bills:
        pools.setdefault(one.pool, []).append(one)
    return tuple(
        Row(f"{pool} ({len(members)} nodes)", _sum(members), tuple(_merged(members)))
        for pool, members in pools.items()
    )


def _sum(bills: Iterable[NodeBill]) -> Decimal:
    return sum((one.per_month for one in bills), Decimal(0))


def _merged(bills: Iterable[NodeBill]) -> Iterator[CostLine]:
    found: dict[tuple[CostKind, str], list[CostLine]] = {}
    for bill in bills:
        for line in bill.lines:
            found.setdefault((line.kind, line.name), []).append(line)
    for (kind, name), lines in sorted(found.items(), key=lambda one: _order(*one[0])):
        months = sum((line.per_month for line in lines), Decimal(0))
        hours = sum((line.per_hour for line in lines), Decimal(0))
        yield CostLine(kind, name, Decimal(0), hours, months)


def _order(kind: CostKind, name: str) -> tuple[int, str]:
    return list(CostKind).index(kind), name


def bill_chart(bill: Bill) -> str:
    """The whole bill as one bar; nothing where it is unknown."""
    if bill.per_month is None or not bill.per_month:
        return ""
    return _chart((Row("bill", bill.per_month, bill.lines),), bill, "The bill by what it pays for")


def node_chart(bills: Sequence[NodeBill], bill: Bill) -> str:
    """Every paid node (or pool) on one scale; nothing where a price is unknown."""
    if not any(one.per_month for one in bills):
        return ""
    return _chart(rows_of(bills), bill, "Every paid node by what its price is for")


def _chart(rows: Sequence[Row], bill: Bill, label: str) -> str:
    colours = _colours(bill)
    height = _TOP + len(rows) * _ROW + _BOTTOM
    largest = Fraction(max(row.per_month for row in rows))
    across = axis(0, largest, _LEFT, _WIDTH - _RIGHT, 8, tight=True)
    up = axis(0, 1, height - _BOTTOM, _TOP, 1)
    ticks = [tick for tick in across.ticks if tick <= largest]
    pieces = [*grid(across, up, ticks=ticks, levels=())]
    for index, row in enumerate(rows):
        pieces += _bar(row, _TOP + index * _ROW, across, colours, symbol(bill.currency))
    unit = f"{symbol(bill.currency)} a month"
    pieces.append(text_at("a m", (_LEFT + _WIDTH - _RIGHT) / 2, height - 6, unit))
    return (
        f'<svg class="chart" role="img" aria-label="{escape(label)}" '
        f'viewBox="0 0 {_WIDTH} {height}">{"".join(pieces)}</svg>'
    )


def _colours(bill: Bill) -> dict[str, int]:
    """Number of each workload's colour, the dearest first; the others share the last."""
    return {line.name: min(index, COLOURS) for index, line in enumerate(_dearest(bill))}


def _dearest(bill: Bill) -> list[CostLine]:
    workloads = [line for line in bill.lines if line.kind is CostKind.WORKLOAD]
    return sorted(workloads, key=lambda line: (-line.per_month, line.name))


def _bar(row: Row, y: int, across: Axis, colours: dict[str, int], currency: str) -> Iterator[str]:
    name = row.name if len(row.name) <= 22 else f"{row.name[:21]}…"
    yield text_at("v e", _LEFT - 8, y + 14, name)
    x = across.start
    for line in row.lines:
        width = float(Fraction(line.per_month) * _slope(across))
        title = f"{row.name}, {cost_name(line)}: {amount(line.per_month)} {currency} a month"
        css = f"c{colours[line.name]}" if line.kind is CostKind.WORKLOAD else _FILLS[line.kind]
        label = fitting_text(*_label(line), x, width, y + 14, _NAME_LETTER)
        yield f"<g><title>{escape(title)}</title>{_segment(css, x, width, y)}{label}</g>"
        x += width
    frame = _segment("frame", across.start, x - across.start, y)
    yield f"{frame}{text_at('a', x + 6, y + 14, amount(row.per_month, 0))}"


def _slope(across: Axis) -> Fraction:
    return Fraction(across.end - across.start) / (across.high - across.low)


def _label(line: CostLine) -> tuple[str, tuple[str, ...]]:
    """Style and texts of a segment, the longest that fits is drawn."""
    money = amount(line.per_month, 0)
    if line.kind is CostKind.WORKLOAD:
        return "l", (f"{line.name} {money}", line.name)
    short = {CostKind.IDLE_MEMORY: "idle memory", CostKind.IDLE_CARDS: "idle cards"}
    word = short.get(line.kind, "")
    return "q", (f"{word} {money}", word) if word else ()


def _segment(css: str, x: float, width: float, y: int) -> str:
    drawn = number(max(0.3, width if css == "frame" else width - 0.5))
    return f'<path class="{css}" d="M{number(x)} {y}h{drawn}v{_BAR}h-{drawn}z"/>'


def legend(bill: Bill) -> Iterator[tuple[str, str]]:
    """(Style, meaning) of everything that appears in the bill."""
    workloads = [line for line in _dearest(bill) if line.per_month]
    for index, line in enumerate(workloads[:COLOURS]):
        yield f"c{index}", line.name
    if len(workloads) > COLOURS:
        yield f"c{COLOURS}", counted(len(workloads) - COLOURS, "other workload")
    for line in bill.lines:
        if line.kind is not CostKind.WORKLOAD and line.per_month:
            yield _FILLS[line.kind], COST_NAMES[line.kind]
