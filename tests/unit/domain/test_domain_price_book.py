from datetime import date
from decimal import Decimal

import pytest

from packer.domain.instance_price import InstancePrice
from packer.domain.node import Price
from packer.domain.node_reserve import memory_for_pods
from packer.domain.payment import Payment
from packer.domain.price_book import (
    ExchangeRate,
    OwnedHardware,
    exchange_rate,
    rounded_price,
)
from packer.units import GIB

NODE = OwnedHardware(
    pool="l40s",
    purchase_price=Decimal(35040),
    years=Decimal(4),
    power_watts=Decimal(1000),
    cooling_factor=Decimal("1.5"),
    electricity_price=Decimal("0.20"),
    other_per_month=Decimal(73),
    currency="EUR",
)


def test_owned_hardware_costs_its_write_off_its_power_and_the_rest() -> None:
    # 35,040 over 4 years of 12 months of 730 h is 1 an hour; 1 kW × 1.5 × 0.20 is 0.30.
    assert NODE.write_off_per_hour == 1
    assert NODE.energy_per_hour == Decimal("0.300")
    assert NODE.price_per_hour == Decimal("1.40")


def test_the_arithmetic_can_be_read_and_added_up() -> None:
    assert NODE.arithmetic == (
        "35,040 / (4 years × 8760 h) = 1.0000; 1,000 W × 1.5 × 0.2/kWh = 0.3000; "
        "73 / 730 h a month = 0.1000; together 1.40 EUR/h"
    )


@pytest.mark.parametrize(
    ("amount", "shown"),
    [("2.1", "2.10"), ("100", "100.00"), ("1.0064", "1.0064"), ("0.12345678", "0.123457")],
)
def test_prices_are_rounded_to_six_decimals(amount: str, shown: str) -> None:
    assert str(rounded_price(Decimal(amount))) == shown


def test_a_rate_holds_both_ways_and_is_never_chained() -> None:
    rates = (
        ExchangeRate("EUR", "USD", Decimal("1.25")),
        ExchangeRate("USD", "GBP", Decimal("0.8")),
    )
    assert exchange_rate(rates, "EUR", "USD") == Decimal("1.25")
    assert exchange_rate(rates, "USD", "EUR") == Decimal("0.8")
    assert exchange_rate(rates, "EUR", "EUR") == 1
    assert exchange_rate(rates, "EUR", "GBP") is None


def test_a_rate_says_its_day_or_that_it_has_none() -> None:
    dated = ExchangeRate("EUR", "USD", Decimal("1.08"), date(2026, 11, 20), "ECB")
    assert str(dated) == "1 EUR = 1.08 USD, 2026-11-20, ECB"
    assert "no date" in str(ExchangeRate("EUR", "USD", Decimal("1.08")))


def test_a_price_is_unknown_on_terms_nobody_named() -> None:
    price = Price(Decimal(2), reserved_1y=Decimal(1))
    assert price.under(Payment.ON_DEMAND) == 2
    assert price.under(Payment.RESERVED_1Y) == 1
    assert price.under(Payment.SPOT) is None
    assert price.under(Payment.RESERVED_3Y) is None


def test_a_row_knows_its_age_where_somebody_dated_it() -> None:
    row = InstancePrice(
        provider="aws",
        region="eu",
        instance_type="x",
        gpu="L40S",
        products=("L40S",),
        gpu_count=1,
        vcpus=4,
        memory_gib=32,
        on_demand_per_hour=Decimal(1),
        spot_per_hour=None,
        reserved_1y_per_hour=None,
        reserved_3y_per_hour=None,
        reserved_note="",
        currency="USD",
        as_of=date(2026, 1, 1),
        as_of_note="",
        source="test",
    )
    assert row.age_days(date(2026, 1, 31)) == 30
    assert row.price == Price(Decimal(1), as_of=date(2026, 1, 1), source="test")


def test_a_node_keeps_memory_for_itself_and_never_more_than_it_has() -> None:
    # 32 GiB less 3 % for the kernel is 31.04; of it 1 + 0.8 + 0.8 + 6 % of 15.04, and 100 MiB.
    assert memory_for_pods(32 * GIB) / GIB == pytest.approx(31.04 - 2.6 - 0.9024 - 0.0977, abs=0.01)
    assert memory_for_pods(64 * 2**20) == 0
    assert memory_for_pods(1152 * GIB) > 0.93 * 1152 * GIB
