"""The scenarios of a comparison as rows."""

from collections.abc import Iterator

from packer.plan.comparison import Contender, FleetComparison
from packer.report.wording import UNKNOWN, amount


def contender_rows(comparison: FleetComparison) -> Iterator[tuple[str, ...]]:
    """Rank, scenario, nodes, cards, nodes, money, idle money, gap, and why it is not chosen."""
    for one in comparison.contenders:
        yield (
            str(one.rank),
            one.scenario,
            _mix(one),
            *("–" if count is None else str(count) for count in (one.cards, one.nodes)),
            *(
                "–" if not one.mix else UNKNOWN if money is None else amount(money)
                for money in (one.price_per_month, one.idle_per_month)
            ),
            "–" if one.gap_percent is None else str(one.gap_percent),
            "chosen" if one.is_chosen else one.why_not or "; ".join(one.reasons),
        )


def _mix(one: Contender) -> str:
    names = (
        f"{part.nodes} × {part.instance_type or part.pool} ({part.payment.value})"
        for part in one.mix
    )
    return " + ".join(names) or "–"
