"""Two plans compared, as one page."""

from packer.plan.moves import moves_note
from packer.report.difference import Difference, Figure
from packer.report.difference_text import (
    FIGURE_NAMES,
    NO_MONEY,
    figure_cells,
    signed,
    verdict_words,
)
from packer.report.page import render_page
from packer.report.svg_diverging import Bar, diverging_chart
from packer.report.wording import amount, symbol


def render_difference(facts: Difference) -> str:
    """The page of a difference; equal inputs give equal bytes."""
    month = next((one for one in facts.figures if one.figure is Figure.PRICE_PER_MONTH), None)
    return render_page(
        "difference.html.j2",
        {
            "facts": facts,
            "verdict": verdict_words(facts),
            "figures": tuple(
                (FIGURE_NAMES[one.figure], *figure_cells(one)) for one in facts.figures
            ),
            "month": month,
            "no_money": NO_MONEY,
            "picture": _picture(facts),
            "moves": f"{moves_note(facts.moves).partition(': ')[2].capitalize()}.",
        },
    )


def _picture(facts: Difference) -> str:
    """Changed lines, the largest first."""
    unit = f"{symbol(facts.currency)} a month"
    changed = sorted(facts.lines, key=lambda one: (-abs(one.change), one.name))
    bars = [
        Bar(
            one.name,
            one.change,
            signed(one.change),
            f"{one.name}: {amount(one.before)} → {amount(one.after)} {unit}",
        )
        for one in changed
        if one.change
    ]
    return diverging_chart(bars, "Change of every line of the bill", unit)
