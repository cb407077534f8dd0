"""What the page says of risk: growth of the plan as it is, and the answers of ``risk``."""

from packer.plan.risk import Risk, Stress, Verdict
from packer.report.difference_text import signed
from packer.report.document import Report
from packer.report.risk_rows import VERDICTS, growth_words, loss_rows, stress_rows
from packer.report.svg_diverging import Bar, diverging_chart
from packer.report.svg_growing import growing_chart
from packer.report.wording import symbol
from packer.units import HOURS_PER_MONTH

_MOST_ROWS = 20


def risk_values(facts: Report) -> dict[str, object]:
    """Values for the template."""
    risk = facts.beside.risk
    return {
        "growing": growing_chart(facts.growth),
        "growth_rows": facts.growth[:_MOST_ROWS],
        "growth_words": growth_words(facts.growth),
        "stress_picture": _stress_picture(risk) if risk else "",
        "loss_rows": tuple(loss_rows(risk)) if risk else (),
        "stress_rows": tuple(stress_rows(risk)) if risk else (),
    }


def _stress_picture(risk: Risk) -> str:
    """Change of what the plan minimises, for every stress that was planned anew."""
    by_price = risk.objective == "price"
    unit = f"{symbol(risk.currency)} a month" if by_price else "cards"
    bars = [_bar(one, by_price, unit) for one in risk.stresses]
    return diverging_chart(bars, "What changes of demand and price cost", f"change, {unit}")


def _bar(one: Stress, by_price: bool, unit: str) -> Bar:
    change = one.after.objective_change
    if change is None or one.after.verdict is not Verdict.FITS:
        words = VERDICTS[one.after.verdict]
        return Bar(one.change, None, "", f"{one.change}: {words}", words)
    value = change * HOURS_PER_MONTH if by_price else change
    words = signed(value, 0)
    return Bar(one.change, value, words, f"{one.change}: {words} {unit}")
