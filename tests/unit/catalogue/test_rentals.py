"""Instances to rent, found by what people write."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from packer.catalogue.prices import prices
from packer.catalogue.rentals import find_rentals
from packer.domain.instance_price import RentalQuery
from packer.errors import InvalidInput, Problem

ROWS = prices()


def refused(query: RentalQuery) -> Problem:
    with pytest.raises(InvalidInput) as caught:
        find_rentals(ROWS, query)
    return caught.value.problems[0]


def test_types_of_a_region_by_pattern() -> None:
    query = RentalQuery("AWS", ("eu-central-1",), ("g6e.*",))
    found = find_rentals(ROWS, query)
    assert len(found) == 8
    assert {row.products for row in found} == {("L40S",)}


def test_a_card_says_which_product_a_vague_name_means() -> None:
    vague = RentalQuery("aws", ("eu-central-1",), ("p4d.*",))
    problem = refused(vague)
    assert problem.code == "P0909"
    assert "A100 SXM 40GB" in problem.help
    (row,) = find_rentals(ROWS, replace(vague, gpu="A100 SXM 40GB"))
    assert row.products == ("A100 SXM 40GB",)


@pytest.mark.parametrize(
    ("query", "code", "near"),
    [
        (RentalQuery("asw"), "P0906", "aws"),
        (RentalQuery("aws", ("eu-centrl-1",)), "P0907", "eu-central-1"),
        (RentalQuery("aws", (), ("g6e.xlarge",)), "P0907", "us-"),
        (RentalQuery("aws", ("eu-central-1",), ("g6e.xlrge",)), "P0908", "g6e.xlarge"),
        (RentalQuery("aws", ("eu-central-1",), ("g6e.*",), "T4"), "P0908", "T4"),
        (RentalQuery("aws", ("eu-central-1",), (), "L4OS"), "P0901", "L40S"),
    ],
)
def test_what_is_not_there_names_the_nearest(query: RentalQuery, code: str, near: str) -> None:
    problem = refused(query)
    assert problem.code == code
    assert near in f"{problem.why} {problem.help}"


def test_the_newest_row_counts_and_of_equally_new_ones_the_dearest() -> None:
    row = prices("L40S", "eu-*")[0]
    older = replace(row, as_of=date(2025, 1, 1), on_demand_per_hour=Decimal(99))
    dearer = replace(row, on_demand_per_hour=Decimal(50), source="dearer")
    query = RentalQuery("aws", ("eu-central-1",))
    assert find_rentals([older, row, dearer], query) == (dearer,)
    assert find_rentals([row, older], query) == (row,)
    undated = replace(row, as_of=None, on_demand_per_hour=Decimal(99))
    assert find_rentals([undated, row], query) == (row,)
