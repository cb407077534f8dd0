"""What a user really pays: prices, discounts, hardware of one's own, and rates of exchange."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal

from packer.domain.instance_price import InstancePrice
from packer.domain.payment import Payment
from packer.units import HOURS_PER_MONTH

HOURS_PER_YEAR = 12 * HOURS_PER_MONTH
PRICE_QUANTUM = Decimal("0.000001")
"""Finest step of a price per hour [currency]."""


def rounded_price(amount: Decimal) -> Decimal:
    """A price per hour at the finest step we read, without zeros at its end."""
    whole = amount.quantize(PRICE_QUANTUM, rounding=ROUND_HALF_EVEN)
    return whole.quantize(Decimal("0.01")) if whole == round(whole, 2) else whole.normalize()


@dataclass(frozen=True)
class Discount:
    """A percentage off a provider's list; empty patterns and payments mean all of them."""

    provider: str
    percent: Decimal
    instance_types: tuple[str, ...] = ()
    payments: tuple[Payment, ...] = ()


@dataclass(frozen=True)
class OwnedHardware:
    """One node that was bought, and what it costs to own and run it.

    Attributes:
        pool: Pool of an inventory whose nodes these are.
        purchase_price: Of one node with everything in it.
        years: Time it is written off over.
        power_watts: What one node draws on average.
        cooling_factor: Power of the building over power of the computers, such as 1.4.
        electricity_price: Per kWh.
        other_per_month: Rack, network, support and people, per node.
    """

    pool: str
    purchase_price: Decimal
    years: Decimal
    power_watts: Decimal
    cooling_factor: Decimal
    electricity_price: Decimal
    other_per_month: Decimal = Decimal(0)
    currency: str = "USD"
    as_of: date | None = None

    @property
    def write_off_per_hour(self) -> Decimal:
        """Purchase price over all hours of its years (12 months of 730 h)."""
        return self.purchase_price / (self.years * HOURS_PER_YEAR)

    @property
    def energy_per_hour(self) -> Decimal:
        """Electricity of the node and of cooling it."""
        return self.power_watts / 1000 * self.cooling_factor * self.electricity_price

    @property
    def price_per_hour(self) -> Decimal:
        """Price of one node per hour."""
        other = self.other_per_month / HOURS_PER_MONTH
        return rounded_price(self.write_off_per_hour + self.energy_per_hour + other)

    @property
    def arithmetic(self) -> str:
        """The price per hour in words and figures, so that a reader can check it."""
        parts = [
            f"{_plain(self.purchase_price)} / ({_plain(self.years)} years × {HOURS_PER_YEAR} h) "
            f"= {self.write_off_per_hour:.4f}",
            f"{_plain(self.power_watts)} W × {_plain(self.cooling_factor)} "
            f"× {_plain(self.electricity_price)}/kWh = {self.energy_per_hour:.4f}",
        ]
        if self.other_per_month:
            other = self.other_per_month / HOURS_PER_MONTH
            parts.append(
                f"{_plain(self.other_per_month)} / {HOURS_PER_MONTH} h a month = {other:.4f}"
            )
        return f"{'; '.join(parts)}; together {self.price_per_hour} {self.currency}/h"


@dataclass(frozen=True)
class ExchangeRate:
    """One unit of ``currency`` is ``rate`` units of ``other``, as somebody stated on a day."""

    currency: str
    other: str
    rate: Decimal
    as_of: date | None = None
    source: str = ""

    def __str__(self) -> str:
        when = f", {self.as_of}" if self.as_of else ", no date"
        who = f", {self.source}" if self.source else ""
        return f"1 {self.currency} = {self.rate} {self.other}{when}{who}"


@dataclass(frozen=True)
class PriceBook:
    """A user's own prices; they come before those of the catalogue.

    Attributes:
        discounts: Off the catalogue's rows; prices of the book itself are what is paid.
    """

    name: str
    prices: tuple[InstancePrice, ...] = ()
    discounts: tuple[Discount, ...] = ()
    owned: tuple[OwnedHardware, ...] = ()
    rates: tuple[ExchangeRate, ...] = ()


def exchange_rate(rates: Iterable[ExchangeRate], source: str, target: str) -> Decimal | None:
    """What one unit of ``source`` is in ``target``, by a stated rate or its inverse; None if none.

    Rates are not chained: two rounded steps would be a third rate that nobody stated.
    """
    if source == target:
        return Decimal(1)
    for one in rates:
        if (one.currency, one.other) == (source, target):
            return one.rate
        if (one.other, one.currency) == (source, target):
            return 1 / one.rate
    return None


def _plain(number: Decimal) -> str:
    return f"{number.normalize():,f}"
