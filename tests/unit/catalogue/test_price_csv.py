"""Price books as CSV, and price lists under them."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from packer.catalogue.price_csv import format_price_csv, read_price_csv
from packer.catalogue.price_list import price_list
from packer.catalogue.prices import prices
from packer.domain.payment import Payment
from packer.domain.price_book import Discount, PriceBook
from packer.errors import InvalidInput, Problem

HEAD = "provider,region,instance_type,GPU,gpus,vcpus,memoryGib,onDemand,spot,currency,asOf,source"
OWNED = "pool,purchasePrice,years,powerWatts,coolingFactor,electricityPrice\n"
ROW = "aws,eu-central-1,g6e.xlarge,L40S,1,4,32,2.10,,USD,2026-11-01,contract"


def problems(text: str) -> tuple[Problem, ...]:
    with pytest.raises(InvalidInput) as caught:
        read_price_csv(text, "book.csv", "book")
    return tuple(caught.value.problems)


def test_a_row_says_what_it_says_and_nothing_more() -> None:
    (row,) = read_price_csv(f"{HEAD}\n{ROW}\n", "book.csv", "book").prices
    assert (row.provider, row.region, row.instance_type) == ("aws", "eu-central-1", "g6e.xlarge")
    assert (row.products, row.gpu_count, row.vcpus, row.memory_gib) == (("L40S",), 1, 4, 32)
    assert (row.on_demand_per_hour, row.spot_per_hour) == (Decimal("2.10"), None)
    assert (row.as_of, row.source) == (date(2026, 11, 1), "contract")


def test_what_is_written_is_read_back() -> None:
    rows = prices("L40S", "eu-*")
    again = read_price_csv(format_price_csv(rows), "x.csv", "x").prices
    assert again == tuple(replace(row, reserved_note="") for row in rows)


def test_bought_hardware_has_a_pool() -> None:
    text = (
        "pool,purchasePrice,years,powerWatts,coolingFactor,electricityPrice,currency\n"
        "l40s,35040,4,1000,1.5,0.20,EUR\n"
    )
    (one,) = read_price_csv(text, "book.csv", "book").owned
    assert (one.pool, one.price_per_hour, one.currency) == ("l40s", Decimal("1.30"), "EUR")


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("", "P0911", "no header"),
        ('a,"b\n', "P0911", "not a CSV"),
        ("provider,gpu,gpus,onDemnd\n", "P0911", "onDemand"),
        ("provider,region\naws,eu\n", "P0911", "gpu"),
        (f"{HEAD}\n{ROW.replace('2.10', '-2')}\n", "P0912", "plain number"),
        (f"{HEAD}\n{ROW.replace('2.10', '0')}\n", "P0912", "above 0"),
        (f"{HEAD}\n{ROW.replace('2.10', '$2.10')}\n", "P0912", "plain number"),
        (f"{HEAD}\n{ROW.replace('2.10', '')}\n", "P0912", "no price"),
        (f"{HEAD}\n{ROW.replace('2026-11-01', 'yesterday')}\n", "P0912", "year-month-day"),
        (f"{HEAD}\n{ROW.replace('USD', 'dollars')}\n", "P0912", "three capital letters"),
        (f"{HEAD}\n{ROW.replace('L40S', 'L4OS')}\n", "P0901", "L40S"),
        (f"{HEAD}\n{ROW.replace('L40S,1,', 'L40S,1.5,')}\n", "P0912", "whole"),
        (f"{OWNED}x,1,4,1,1.2,\n", "P0919", "electricityPrice"),
        (f"{OWNED}x,1,4,1,0.9,1\n", "P0912", "building"),
    ],
)
def test_what_is_wrong_is_said_at_its_line(text: str, code: str, words: str) -> None:
    found = problems(text)
    assert code in {one.code for one in found}
    assert words in " ".join(f"{one.title} {one.why} {one.help}" for one in found)
    assert all(one.where is not None for one in found)


def test_all_rows_are_checked_at_once() -> None:
    bad = ROW.replace("2.10", "-1")
    found = problems(f"{HEAD}\n{bad}\n{ROW}\n{bad}\n")
    assert {one.where.line for one in found if one.where} == {2, 4}


def test_a_book_comes_before_the_catalogue() -> None:
    book = read_price_csv(f"{HEAD}\n{ROW}\n", "book.csv", "book")
    listed = [row for row in price_list(book) if row.key == book.prices[0].key]
    assert [row.on_demand_per_hour for row in listed] == [Decimal("2.10")]
    assert len(price_list(book)) == len(price_list())


def test_a_discount_is_taken_off_the_catalogue_and_said() -> None:
    discount = Discount("aws", Decimal(10), ("g6e.x*",), (Payment.ON_DEMAND,))
    before = {row.key: row for row in prices("L40S", "eu-*")}
    after = {row.key: row for row in price_list(PriceBook("b", discounts=(discount,)))}
    for key, row in before.items():
        now = after[key]
        assert now.reserved_1y_per_hour == row.reserved_1y_per_hour
        if row.instance_type == "g6e.xlarge":
            assert now.on_demand_per_hour == Decimal("2.0943")
            assert "less 10 % (b)" in now.source
        else:
            assert now == row


def test_an_unknown_price_stays_unknown_under_a_discount() -> None:
    discount = Discount("*", Decimal(50), payments=(Payment.SPOT,))
    for old, new in zip(prices(), price_list(PriceBook("b", discounts=(discount,))), strict=True):
        assert (old.spot_per_hour is None) == (new.spot_per_hour is None)
        if old.spot_per_hour is None:
            assert new == old


def test_a_number_of_a_hundred_million_digits_is_refused_unread() -> None:
    with pytest.raises(InvalidInput) as caught:
        read_price_csv("provider,gpu,gpus,onDemand\naws,L40S,1e99999999,1\n", "prices.csv", "book")
    assert "gpus '1e99999999' is refused" in [problem.title for problem in caught.value.problems]


def test_a_wall_of_wrong_rows_is_cut() -> None:
    rows = "".join(f"aws,x{number},1,1\n" for number in range(5_000))
    with pytest.raises(InvalidInput) as caught:
        read_price_csv(f"provider,gpu,gpus,onDemand\n{rows}", "prices.csv", "book")
    codes = [problem.code for problem in caught.value.problems]
    assert codes == ["P0901"] * 100 + ["P0118"]
