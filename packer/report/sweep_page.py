"""A sweep as one page: what growth costs, cost against fidelity, and the table behind both."""

from collections.abc import Iterator

from packer.plan.sweep import Answer, Sweep, SweepRow
from packer.report.page import render_page
from packer.report.svg_front import front_chart
from packer.report.svg_growth import growth_charts
from packer.report.sweep_figures import (
    comparable_rows,
    cost_of,
    label_of,
    placed_rows,
    summary_words,
    varied,
)
from packer.report.wording import amount, symbol


def render_sweep(sweep: Sweep) -> str:
    """The page of a sweep; only its footer differs between equal sweeps."""
    return render_page(
        "sweep.html.j2",
        {
            "sweep": sweep,
            "summary": summary_words(sweep),
            "tiles": tuple(_tiles(sweep)),
            "panels": (panels := growth_charts(sweep)),
            "lines": tuple(dict.fromkeys(line for _, _, lines in panels for line in lines)),
            "front": front_chart(sweep),
            "front_scope": front_scope(sweep),
            "currency": _currency(sweep),
        },
    )


def _currency(sweep: Sweep) -> str:
    found = {answer.currency for _, answer in placed_rows(sweep)}
    return symbol(found.pop() if len(found) == 1 else "")


def _tiles(sweep: Sweep) -> Iterator[tuple[str, str, str, str]]:
    """(Title, figure, unit, words below) of what a reader looks for first."""
    cost = cost_of(sweep)
    placed = placed_rows(sweep)
    yield "Scenarios", f"{len(sweep.rows):,}", "", f"{len(placed):,} with a plan"
    known = [
        (amount_, row, answer) for row, answer in placed if (amount_ := cost.of(answer)) is not None
    ]
    if not known:
        return
    for title, (value, row, answer) in (
        ("Least", min(known, key=lambda one: one[0])),
        ("Most", max(known, key=lambda one: one[0])),
    ):
        yield title, amount(value, 0), cost.words, _tile_words(row, answer)


def _tile_words(row: SweepRow, answer: Answer) -> str:
    cards = f"{answer.cards} card{'' if answer.cards == 1 else 's'}"
    return f"{row.scenario} ({cards})"


def front_scope(sweep: Sweep) -> str:
    """Which scenarios the picture of cost and fidelity compares."""
    rows = [row for row, _ in comparable_rows(sweep)]
    fixed = [name for name in ("context", "demand") if name in varied(sweep.rows)]
    if not rows or not fixed:
        return "Every scenario with a plan."
    return f"Scenarios with {label_of(rows[0], fixed)}, which serve the same."
