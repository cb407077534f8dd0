"""A comparison as text: for programs, for people, and what is old among its prices."""

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packer.plan.comparison import FleetComparison

STALE_DAYS = 90
"""Age from which a price is called old."""


def price_warnings(comparison: "FleetComparison", today: date) -> tuple[str, ...]:
    """What is old or undated among the prices in use, with ages; empty if nothing is."""
    return tuple(_warnings(comparison, today))


def _warnings(comparison: "FleetComparison", today: date) -> Iterator[str]:
    oldest = comparison.oldest_price
    if oldest is not None and (today - oldest).days > STALE_DAYS:
        days = (today - oldest).days
        yield (
            f"the oldest price in use is {days} days old ({oldest}); look it up again, "
            "or give a price book"
        )
    if comparison.undated:
        yield f"{comparison.undated} prices in use have no date: nobody says how old they are"


def comparison_text(comparison: "FleetComparison") -> str:
    """The comparison as JSON: every field, money as exact numbers, ``run`` last."""
    from packer.spec.contract_text import format_contract

    return format_contract(comparison)


def comparison_shown(comparison: "FleetComparison", form: str, *, width: int = 120) -> str:
    """The comparison for people: ``table``, ``markdown`` or ``csv``."""
    from packer.report.comparison_tables import (
        comparison_csv,
        comparison_markdown,
        comparison_table,
    )

    if form == "csv":
        return comparison_csv(comparison)
    if form == "markdown":
        return comparison_markdown(comparison)
    return comparison_table(comparison, width=width)
