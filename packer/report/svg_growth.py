"""Cost against growth: one line per inventory and price, one panel per kind of scenario."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from html import escape

from packer.plan.sweep import Sweep, SweepRow
from packer.report.svg_axes import axis, grid, plain
from packer.report.svg_marks import MARKS, cross, mark
from packer.report.svg_shapes import number, text_at
from packer.report.sweep_figures import cost_of, label_of, outcome_words, varied
from packer.report.wording import amount

_WIDE, _NARROW, _HEIGHT = 1080, 526, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 24, 22, 50
_CROSS_LINE = 12
"""Room over the lines for the crosses of each series [px]."""
_LINES = ("inventory", "prices")
"""What tells the lines of one panel apart."""

Panels = tuple[tuple[str, str, tuple[tuple[int, str], ...]], ...]


def growth_axis(rows: Sequence[SweepRow]) -> str | None:
    """The dimension that grows: demand, else context, where rows differ in its factor."""
    for name in ("demand", "context"):
        if len({getattr(row, f"{name}_factor") for row in rows}) > 1:
            return name
    return None


def growth_charts(sweep: Sweep) -> Panels:
    """(Title, picture, lines with the number of their style) of each panel; none without growth."""
    rows = [row for row in sweep.rows if row.is_in_grid] or sweep.rows
    grows = growth_axis(rows)
    if grows is None or not any(row.answer for row in rows):
        return ()
    dimensions = [name for name in varied(rows) if name not in (*_LINES, grows)]
    lines = [name for name in _LINES if name in varied(rows)]
    styles: dict[str, int] = {}
    panels: dict[str, dict[str, list[SweepRow]]] = {}
    for row in rows:
        line = label_of(row, lines) or "all"
        styles.setdefault(line, len(styles))
        panels.setdefault(label_of(row, dimensions), {}).setdefault(line, []).append(row)
    drawn = _Panel(sweep, rows, grows, styles, _WIDE if len(panels) == 1 else _NARROW)
    return tuple(
        (title, drawn.draw(title, panel), tuple((styles[line], line) for line in panel))
        for title, panel in panels.items()
    )


class _Panel:
    """Charts on one scale."""

    def __init__(
        self, sweep: Sweep, rows: Sequence[SweepRow], grows: str, styles: dict[str, int], width: int
    ) -> None:
        self._grows, self._styles, self._width = grows, styles, width
        self._cost = cost_of(sweep)
        self._factors = sorted({Fraction(self._factor(row)) for row in rows})
        amounts = [Fraction(value) for row in rows if (value := self._amount(row)) is not None]
        self._across = axis(self._factors[0], self._factors[-1], _LEFT, width - _RIGHT, tight=True)
        top = _TOP + _CROSS_LINE * min(MARKS, len(styles))
        self._up = axis(0, max(amounts, default=Fraction(1)), _HEIGHT - _BOTTOM, top, 5)

    def draw(self, title: str, panel: dict[str, list[SweepRow]]) -> str:
        """One chart."""
        label = f"{self._cost.words} against {self._grows}" + (f", {title}" if title else "")
        ticks, spell = self._factors, lambda tick: f"×{plain(tick)}"
        pieces = [*grid(self._across, self._up, ticks=ticks, spell=spell)]
        middle = (_LEFT + self._width - _RIGHT) / 2
        words = f"{self._grows} against the fleet file"
        pieces.append(text_at("a m", middle, _HEIGHT - 8, words))
        pieces.append(text_at("w", 4, 14, self._cost.words))
        for line, rows in panel.items():
            pieces += self._line(self._styles[line], rows)
        return (
            f'<svg class="chart" role="img" aria-label="{escape(label)}" '
            f'viewBox="0 0 {self._width} {_HEIGHT}">{"".join(pieces)}</svg>'
        )

    def _factor(self, row: SweepRow) -> Decimal:
        return row.demand_factor if self._grows == "demand" else row.context_factor

    def _amount(self, row: SweepRow) -> Decimal | None:
        is_placed = row.answer and row.answer.outcome.is_placed
        return self._cost.of(row.answer) if row.answer and is_placed else None

    def _line(self, style: int, rows: Sequence[SweepRow]) -> Iterator[str]:
        """Points by factor; a scenario without a plan breaks the line and is crossed at the top."""
        ordered = sorted(rows, key=self._factor)
        runs: list[list[tuple[float, float]]] = [[]]
        marks = []
        for row in ordered:
            x, value = self._across.at(Fraction(self._factor(row))), self._amount(row)
            if value is None:
                runs.append([])
                words = f"{row.scenario}: {outcome_words(row.answer)}"
                marks.append(cross(style, x, _TOP + 4, words))
                continue
            y = self._up.at(Fraction(value))
            runs[-1].append((x, y))
            marks.append(
                mark(style, x, y, f"{row.scenario}: {amount(value, 0)} {self._cost.words}")
            )
        yield f'<g class="s{style % MARKS}">'
        for run in runs:
            if len(run) > 1:
                steps = "L".join(f"{number(x)} {number(y)}" for x, y in run)
                yield f'<path class="line" d="M{steps}"/>'
        yield from marks
        yield "</g>"
