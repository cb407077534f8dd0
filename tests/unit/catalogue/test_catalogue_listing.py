import json
import re

import pytest

from packer.catalogue.edition import catalogue_edition
from packer.catalogue.listing import rows
from packer.errors import InvalidInput


@pytest.mark.parametrize(("shelf", "count"), [("gpus", 84), ("models", 98), ("prices", 795)])
def test_every_row_of_a_shelf_is_plain_and_alike(shelf: str, count: int) -> None:
    found = rows(shelf)
    assert len(found) == count
    assert json.loads(json.dumps(found)) == found
    assert len({tuple(row) for row in found}) == 1


def test_rows_can_be_narrowed() -> None:
    assert [row["name"] for row in rows("gpus", gpu="l40s")] == ["L40S"]
    assert len(rows("gpus", gpu="H100")) == 3
    narrowed = rows("prices", gpu="L40S", region="eu-*")
    assert {row["region"] for row in narrowed} == {"eu-central-1"}
    assert narrowed[0]["spot_per_hour"] is None
    assert isinstance(narrowed[0]["on_demand_per_hour"], str)


def test_an_unknown_shelf_or_card_is_refused() -> None:
    with pytest.raises(InvalidInput, match="P0905"):
        rows("cards")
    with pytest.raises(InvalidInput, match="P0901"):
        rows("gpus", gpu="L4OS")


def test_the_edition_is_a_fingerprint_of_the_data() -> None:
    assert re.fullmatch(r"sha256:[0-9a-f]{16}", catalogue_edition())
