"""Catalogues of other tools: gpuhunt and SkyPilot."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from packer.catalogue.price_imports import (
    NO_CARD,
    NO_INSTANCE,
    NO_PRICE,
    ODD_NAME,
    PART_OF_A_CARD,
    ImportedPrices,
    import_prices,
)
from packer.errors import InvalidInput

DATA = Path("tests/data/prices")
DAY = date(2026, 11, 20)


def imported(name: str, as_of: date | None = DAY) -> ImportedPrices:
    return import_prices((DATA / name).read_text(), name, provider="aws", as_of=as_of)


def test_gpuhunt_rows_of_one_instance_are_one_row() -> None:
    found = imported("gpuhunt.csv")
    assert found.form == "gpuhunt"
    by_type = {row.instance_type: row for row in found.rows}
    row = by_type["g6e.xlarge"]
    assert (row.on_demand_per_hour, row.spot_per_hour) == (Decimal("2.327"), Decimal("1.10"))
    assert (row.provider, row.region, row.products) == ("aws", "eu-central-1", ("L40S",))
    assert (row.gpu_count, row.vcpus, row.memory_gib) == (1, 4, 32)
    assert (row.as_of, row.currency) == (DAY, "USD")
    assert found.merged == 1


def test_the_memory_tells_cards_of_one_name_apart() -> None:
    by_type = {row.instance_type: row for row in imported("gpuhunt.csv").rows}
    assert all("80GB" in name for name in by_type["p4de.24xlarge"].products)
    assert all("40GB" in name for name in by_type["p4d.24xlarge"].products)


def test_what_gpuhunt_lists_and_we_cannot_use_is_counted() -> None:
    assert imported("gpuhunt.csv").left_out == {NO_CARD: 1, "Gaudi": 1, NO_PRICE: 1}


def test_skypilot_zones_become_one_row_at_the_dearest_spot_price() -> None:
    found = imported("vms.csv")
    assert found.form == "SkyPilot"
    by_type = {row.instance_type: row for row in found.rows}
    assert by_type["g6e.xlarge"].spot_per_hour == Decimal("1.13")
    assert by_type["p4de.24xlarge"].on_demand_per_hour == Decimal("27.447")
    assert by_type["gpu_8x_h100_sxm5"].products == ("H100 SXM",)
    assert by_type["gpu_8x_h100_sxm5"].spot_per_hour is None
    assert found.merged == 1
    assert found.left_out == {PART_OF_A_CARD: 1, NO_INSTANCE: 1, NO_CARD: 1, NO_PRICE: 1}


def test_a_catalogue_without_a_day_says_so() -> None:
    row = imported("vms.csv", None).rows[0]
    assert row.as_of is None
    assert row.as_of_note == "the catalogue file has no date"


def test_another_form_is_refused_with_its_columns() -> None:
    with pytest.raises(InvalidInput, match="P0916") as caught:
        import_prices("sku,usd\na,1\n", "x.csv", provider="x", as_of=None)
    assert "sku, usd" in caught.value.problems[0].why


@pytest.mark.parametrize("name", ["=HYPERLINK(1)", "@x", "-x", "g\u202e6e", "x" * 200])
def test_a_name_that_a_spreadsheet_would_obey_is_left_out(name: str) -> None:
    text = (DATA / "gpuhunt.csv").read_text().replace("g6e.xlarge", name)
    found = import_prices(text, "x.csv", provider="x", as_of=None)
    assert found.left_out[ODD_NAME] >= 1
    assert name not in {row.instance_type for row in found.rows}


def test_a_negative_price_is_refused_at_its_line() -> None:
    text = (DATA / "gpuhunt.csv").read_text().replace("27.447", "-1")
    with pytest.raises(InvalidInput, match="P0912") as caught:
        import_prices(text, "x.csv", provider="x", as_of=None)
    where = caught.value.problems[0].where
    assert where is not None
    assert where.line == 4
