"""Prices that hold for a user: those of the catalogue, under those of a price book."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from packer.catalogue.prices import is_like, prices
from packer.domain.instance_price import InstancePrice
from packer.domain.payment import Payment
from packer.domain.price_book import Discount, PriceBook, rounded_price

_FIELDS = {
    Payment.ON_DEMAND: "on_demand_per_hour",
    Payment.SPOT: "spot_per_hour",
    Payment.RESERVED_1Y: "reserved_1y_per_hour",
    Payment.RESERVED_3Y: "reserved_3y_per_hour",
}


def price_list(
    book: PriceBook | None = None, shipped: Sequence[InstancePrice] | None = None
) -> tuple[InstancePrice, ...]:
    """Every row that holds: the book's as they are, the others less the book's discounts.

    Args:
        book: The user's own prices; None leaves the catalogue's alone.
        shipped: Rows under the book; those of the catalogue if None.
    """
    rows = prices() if shipped is None else tuple(shipped)
    if book is None:
        return rows
    replaced = {row.key for row in book.prices}
    listed = (_discounted(row, book) for row in rows if row.key not in replaced)
    return (*book.prices, *listed)


def _discounted(row: InstancePrice, book: PriceBook) -> InstancePrice:
    """A row less every discount that applies, one after the other as the book lists them."""
    for discount in book.discounts:
        if _applies(discount, row):
            row = _less(row, discount, book.name)
    return row


def _applies(discount: Discount, row: InstancePrice) -> bool:
    patterns = discount.instance_types
    return is_like(row.provider, discount.provider) and (
        not patterns or any(is_like(row.instance_type, pattern) for pattern in patterns)
    )


def _less(row: InstancePrice, discount: Discount, book: str) -> InstancePrice:
    """The row with the terms the discount is for made cheaper; what is unknown stays so."""
    left = 1 - discount.percent / 100
    amounts: dict[str, Decimal] = {}
    for payment in discount.payments or tuple(Payment):
        listed = row.price.under(payment)
        if listed is not None:
            amounts[_FIELDS[payment]] = rounded_price(listed * left)
    if not amounts:
        return row
    source = f"{row.source}, less {discount.percent} % ({book})"
    # The fields are prices, which the type checker cannot see through a mapping.
    return replace(row, source=source, **amounts)  # type: ignore[arg-type]
