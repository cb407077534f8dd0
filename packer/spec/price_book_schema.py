"""What a user writes in a price book, key by key."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from packer.spec.field_types import Currency, Day, GpuName, Name, SourceText, Whole, refusal
from packer.spec.inventory_schema import MOST_GPUS_PER_NODE, PaymentName
from packer.spec.quantity_types import Bytes, Money
from packer.spec.strict_model import Metadata, StrictModel

_LARGEST = 10**9


def _number(least: Decimal, words: str) -> BeforeValidator:
    """An exact decimal of at least ``least``."""

    def read(value: object) -> Decimal:
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise refusal("money", "a number is needed", "such as 1.4, without quotes or units")
        amount = Decimal(value)
        if not least <= amount <= _LARGEST:
            raise refusal("money_range", words)
        return amount

    return BeforeValidator(read)


def _schema(least: float) -> WithJsonSchema:
    return WithJsonSchema({"type": "number", "minimum": least, "maximum": _LARGEST})


Amount = Annotated[Decimal, _number(Decimal(0), "an amount is 0 or more"), _schema(0)]
Years = Annotated[Decimal, _number(Decimal("0.5"), "half a year at least"), _schema(0.5)]
CoolingFactor = Annotated[
    Decimal, _number(Decimal(1), "a building draws at least what its computers draw"), _schema(1)
]


def _percent(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise refusal("money", "a percentage is a number", "such as 12")
    if not 0 < Decimal(value) < 100:
        raise refusal("money_range", "a discount lies between 0 and 100 percent")
    return Decimal(value)


Percent = Annotated[
    Decimal,
    BeforeValidator(_percent),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 100}),
]


class InstancePriceEntry(StrictModel):
    """What one instance really costs."""

    provider: Annotated[SourceText, Field(min_length=1)]
    """Provider of the instance; `rent` of an inventory names it."""
    region: SourceText = ""
    """Region the price holds in."""
    instance_type: SourceText = ""
    """The provider's name of the instance."""
    gpu: GpuName
    """Card of the instance, as the catalogue knows it."""
    gpus: Annotated[Whole, Field(ge=1, le=MOST_GPUS_PER_NODE)]
    """Cards of the instance."""
    vcpus: Annotated[Whole, Field(ge=1, le=10_000)] | None = None
    """Processors of the instance."""
    memory: Bytes | None = None
    """Memory of the instance, such as `384Gi`."""
    on_demand: Money | None = None
    """Price per hour, payable by the hour."""
    spot: Money | None = None
    """Price per hour when the provider may take the instance back."""
    reserved_1y: Annotated[Money | None, Field(alias="reserved1y")] = None
    """Price per hour when taken for a year."""
    reserved_3y: Annotated[Money | None, Field(alias="reserved3y")] = None
    """Price per hour when taken for three years."""
    currency: Currency | None = None
    """Currency of these prices. Default: the book's."""
    as_of: Day | None = None
    """Day the prices hold from. Default: the book's."""
    source: SourceText = ""
    """Contract or offer they come from. Default: the book's."""


class DiscountEntry(StrictModel):
    """A percentage off a provider's prices in the catalogue."""

    provider: Annotated[SourceText, Field(min_length=1)]
    """Provider, or a pattern; `*` is all of them."""
    percent: Percent
    """Percent off."""
    instance_types: Annotated[tuple[SourceText, ...], Field(max_length=100)] = ()
    """Only these names or patterns, such as `g6e.*`. Default: all."""
    payment: Annotated[tuple[PaymentName, ...], Field(max_length=4)] = ()
    """Only these ways of paying. Default: all."""


class OwnedEntry(StrictModel):
    """Hardware that was bought; figures of one node."""

    pool: Name
    """Pool of an inventory whose nodes these are."""
    purchase_price: Amount
    """What one node cost, with everything in it."""
    years: Years
    """Years it is written off over."""
    power_watts: Amount
    """What one node draws on average [W]."""
    cooling_factor: CoolingFactor
    """Power of the building over power of the computers, such as 1.4."""
    electricity_price: Amount
    """Price of one kWh."""
    other_per_month: Amount = Decimal(0)
    """Rack, network, support and people per month."""
    currency: Currency | None = None
    """Currency of these amounts. Default: the book's."""
    as_of: Day | None = None
    """Day the figures hold from. Default: the book's."""


class RateEntry(StrictModel):
    """A stated rate of exchange."""

    currency: Currency
    """One unit of this …"""
    to: Currency
    """… is `rate` units of this."""
    rate: Annotated[Decimal, _number(Decimal("1e-9"), "a rate is above 0"), _schema(1e-9)]
    """Units of `to`."""
    as_of: Day | None = None
    """Day of the rate. Default: the book's."""
    source: SourceText = ""
    """Who stated it."""


class PriceBookEntry(StrictModel):
    """What is really paid: prices, discounts, hardware that was bought, rates of exchange."""

    api_version: Literal["gpu-packer/v1"]
    """Version of this format."""
    kind: Literal["PriceBook"]
    """Kind of this document."""
    metadata: Metadata
    """Name of the price book."""
    currency: Currency = "USD"
    """Currency of every amount that names none."""
    as_of: Day | None = None
    """Day of every figure that names none."""
    source: SourceText = ""
    """Where figures come from that name no source."""
    prices: Annotated[tuple[InstancePriceEntry, ...], Field(max_length=20_000)] = ()
    """Prices of instances; they replace the catalogue's of the same instance."""
    discounts: Annotated[tuple[DiscountEntry, ...], Field(max_length=1000)] = ()
    """Percentages off the catalogue's prices."""
    owned: Annotated[tuple[OwnedEntry, ...], Field(max_length=1000)] = ()
    """Hardware that was bought."""
    rates: Annotated[tuple[RateEntry, ...], Field(max_length=1000)] = ()
    """Rates of exchange."""
