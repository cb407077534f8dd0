"""What the page says of other choices: the answers of ``compare`` and of ``sweep``."""

from packer.plan.comparison import FleetComparison
from packer.report.choice_rows import contender_rows
from packer.report.document import Report
from packer.report.svg_diverging import Bar, diverging_chart
from packer.report.svg_front import front_chart
from packer.report.svg_growth import growth_charts
from packer.report.sweep_page import front_scope
from packer.report.wording import amount, symbol


def choice_values(facts: Report) -> dict[str, object]:
    """Values for the template."""
    comparison, sweep = facts.beside.comparison, facts.beside.sweep
    panels = growth_charts(sweep) if sweep else ()
    return {
        "contender_picture": _picture(comparison) if comparison else "",
        "contender_rows": tuple(contender_rows(comparison)) if comparison else (),
        "contender_currency": symbol(comparison.currency) if comparison else "",
        "front": front_chart(sweep) if sweep else "",
        "front_scope": front_scope(sweep) if sweep else "",
        "panels": panels,
        "lines": tuple(dict.fromkeys(line for _, _, lines in panels for line in lines)),
    }


def _picture(comparison: FleetComparison) -> str:
    unit = f"{symbol(comparison.currency)} a month"
    bars = [
        Bar(
            one.scenario,
            one.price_per_month,
            amount(one.price_per_month, 0) + (" chosen" if one.is_chosen else ""),
            f"{one.scenario}: {amount(one.price_per_month)} {unit}",
            one.outcome.value,
            "bar us" if one.is_chosen else "bar",
        )
        for one in comparison.contenders
    ]
    return diverging_chart(bars, "Price of every scenario", unit)
