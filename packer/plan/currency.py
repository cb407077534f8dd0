"""Every price of an inventory in one currency, by rates that somebody stated; six decimals."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from packer.domain.node import Inventory, NodePool, Price
from packer.domain.price_book import ExchangeRate, exchange_rate, rounded_price
from packer.errors import InvalidInput, Problem


def currencies(inventory: Inventory) -> tuple[str, ...]:
    """Currencies of the known prices, in the order of the pools."""
    return tuple(
        dict.fromkeys(
            pool.price.currency
            for pool in inventory.pools
            if pool.price and pool.price_per_hour is not None
        )
    )


def in_currency(
    inventory: Inventory, currency: str, rates: Sequence[ExchangeRate]
) -> tuple[Inventory, tuple[str, ...]]:
    """The inventory with every price in one currency, and the rates that were used, in words.

    Raises:
        InvalidInput: P0913, a price is in another currency and no rate to it is stated.
    """
    factors = {one: exchange_rate(rates, one, currency) for one in currencies(inventory)}
    missing = [one for one, factor in factors.items() if factor is None]
    if missing:
        raise InvalidInput(
            Problem(
                "P0913",
                f"{inventory.name} has prices in {one}, and no rate to {currency} is stated",
                why="rates change every day, so none is built in",
                help=f"write --rate {one}=0.92, what one {one} is in {currency}, or a rate in "
                "the price book",
            )
            for one in missing
        )
    pools = tuple(_converted(pool, currency, factors) for pool in inventory.pools)
    used = [
        str(rate)
        for rate in rates
        for one in factors
        if one != currency and {rate.currency, rate.other} == {one, currency}
    ]
    return replace(inventory, pools=pools), tuple(dict.fromkeys(used))


def _converted(pool: NodePool, currency: str, factors: dict[str, Decimal | None]) -> NodePool:
    price = pool.price
    factor = factors.get(price.currency) if price else None
    if price is None or factor is None or price.currency == currency:
        return pool
    return replace(pool, price=_price_in(price, currency, factor))


def _price_in(price: Price, currency: str, factor: Decimal) -> Price:
    def times(amount: Decimal | None) -> Decimal | None:
        return None if amount is None else rounded_price(amount * factor)

    return Price(
        on_demand=times(price.on_demand),
        spot=times(price.spot),
        currency=currency,
        as_of=price.as_of,
        source=f"{price.source} ({price.currency}, converted)".strip(),
        reserved_1y=times(price.reserved_1y),
        reserved_3y=times(price.reserved_3y),
    )
