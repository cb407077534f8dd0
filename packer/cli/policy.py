"""Limits a pipeline sets on a plan: what it may cost, and how full a card may be."""

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from packer.errors import InvalidInput, Problem

if TYPE_CHECKING:
    from packer.plan.plan import Plan


def parse_cost(text: str) -> Decimal:
    """Price per hour of ``12/h`` or ``12``. Exact.

    Raises:
        InvalidInput: Not a price per hour.
    """
    number = text.strip().removesuffix("/h")
    try:
        value = Decimal(number)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value < 0:
        raise InvalidInput(
            Problem("P0480", f"--max-cost {text!r} is not a price per hour", help="write 12/h")
        )
    return value


def parse_headroom(text: str) -> Decimal:
    """Share of a card [0..1] of ``10%``. Exact.

    Raises:
        InvalidInput: Not a percentage between 0 and 100.
    """
    try:
        value = Decimal(text.strip().removesuffix("%")) / 100
    except InvalidOperation:
        value = Decimal("NaN")
    if not (value.is_finite() and 0 <= value <= 1 and text.strip().endswith("%")):
        raise InvalidInput(
            Problem("P0481", f"--min-headroom {text!r} is not a percentage", help="write 10%")
        )
    return value


def policy_violations(
    plan: "Plan", cost_limit: Decimal | None, headroom_limit: Decimal | None
) -> tuple[str, ...]:
    """Each limit the plan breaks, with the figures."""
    return tuple(_violations(plan, cost_limit, headroom_limit))


def _violations(
    plan: "Plan", cost_limit: Decimal | None, headroom_limit: Decimal | None
) -> Iterator[str]:
    if cost_limit is not None:
        if plan.price_per_hour is None:
            yield "the price is unknown, so --max-cost cannot be held"
        elif plan.price_per_hour > cost_limit:
            yield f"costs {plan.price_per_hour} {plan.currency}/h, at most {cost_limit} is allowed"
    if headroom_limit is None:
        return
    for node in plan.nodes:
        for card in node.cards:
            free = card.allocatable_bytes - card.taken_bytes - card.used_bytes
            if card.used_bytes and free < headroom_limit * card.allocatable_bytes:
                share = Decimal(free) / card.allocatable_bytes
                yield (
                    f"{node.name} card {card.index} keeps {share:.1%} free, "
                    f"at least {headroom_limit:.1%} is asked"
                )
