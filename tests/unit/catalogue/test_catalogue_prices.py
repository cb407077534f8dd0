from datetime import date
from decimal import Decimal

import pytest

from packer.catalogue.gpus import gpu_products, gpus_matching
from packer.catalogue.prices import prices, prices_left_out
from packer.errors import InvalidInput

AMOUNTS = ("on_demand_per_hour", "spot_per_hour", "reserved_1y_per_hour", "reserved_3y_per_hour")


def test_rows_kept_and_left_out_are_all_rows() -> None:
    left_out = prices_left_out()
    assert len(prices()) + sum(left_out.values()) == 1057
    assert left_out["NVIDIA K80"] == 18
    assert left_out["no price"] == 6
    assert left_out["a part of a card"] == 25
    assert all(gpus_matching(reason) == () for reason in left_out)


def test_an_unknown_price_is_none_and_never_zero() -> None:
    for price in prices():
        amounts = [getattr(price, name) for name in AMOUNTS]
        assert any(amount is not None for amount in amounts)
        assert all(amount is None or amount > 0 for amount in amounts)
    assert any(price.spot_per_hour is None for price in prices())
    assert any(price.on_demand_per_hour is None for price in prices())


def test_every_row_has_a_source_and_a_date_or_the_reason_it_has_none() -> None:
    for price in prices():
        assert price.source
        assert price.currency == "USD"
        assert price.as_of is not None or price.as_of_note
        assert price.as_of is None or date(2024, 1, 1) < price.as_of < date(2026, 11, 22)
    months = [price for price in prices() if price.as_of_note == "2024-12"]
    assert months
    assert {price.as_of for price in months} == {date(2024, 12, 1)}
    years = [price for price in prices() if price.as_of_note.startswith("2023-2025")]
    assert {price.as_of for price in years} == {None}


def test_one_row_is_what_its_source_says() -> None:
    (price,) = prices("A100", "us-east-1")[:1]
    assert price.provider == "aws"
    assert price.instance_type == "p4d.24xlarge"
    assert (price.gpu_count, price.vcpus, price.memory_gib) == (8, 96, 1152)
    assert price.on_demand_per_hour == Decimal("21.957642")
    assert price.as_of == date(2025, 11, 30)


def test_cards_are_products_of_the_catalogue() -> None:
    names = {product.name for product in gpu_products()}
    for price in prices():
        assert price.products
        assert set(price.products) <= names
        assert price.gpu_count >= 1
        assert price.products == tuple(product.name for product in gpus_matching(price.gpu))


def test_prices_of_one_card() -> None:
    found = prices("NVIDIA-L40S")
    assert len(found) == 54
    assert {price.products for price in found} == {("L40S",)}
    # A listing that says only "H100" may be any of them, and is shown for each.
    assert any(price.gpu == "H100" for price in prices("H100 PCIe"))
    assert len(prices("H100")) > len(prices("H100 PCIe"))
    assert not any("40" in price.gpu for price in prices("A100-80"))


@pytest.mark.parametrize(
    ("pattern", "regions"),
    [
        ("eu-*", {"eu-central-1", "eu-west-1"}),
        ("EU-CENTRAL-1", {"eu-central-1"}),
        ("us-*-2", {"us-west-2", "us-east-2"}),
    ],
)
def test_prices_of_a_region(pattern: str, regions: set[str]) -> None:
    assert {price.region for price in prices(region=pattern)} == regions


def test_an_unknown_region_names_the_nearest() -> None:
    with pytest.raises(InvalidInput, match="P0907") as caught:
        prices(region="eu-centrall-1")
    assert "eu-central-1" in caught.value.problems[0].help


def test_an_unknown_card_is_refused() -> None:
    with pytest.raises(InvalidInput, match="P0901"):
        prices("L4OS")
