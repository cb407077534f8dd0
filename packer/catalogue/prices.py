"""The price catalogue: what clouds asked per hour, with date and source; never a quote."""

import fnmatch
import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from packer.catalogue.gpus import find_gpu, gpus_matching


@dataclass(frozen=True)
class Price:
    """What one instance cost per hour; a price that is not known is None, never 0.

    Attributes:
        instance_type: The provider's name for it; empty where the source has none.
        gpu: The card as the provider names it.
        products: GPU products it may be; several where the provider says only "H100".
        gpu_count: Cards of the instance.
        vcpus, memory_gib: The instance's own, the lower figure of a range.
        reserved_note: What "reserved" means in the source.
        as_of: Day the price was seen, the first of a month; None if the source gives none.
        as_of_note: What the source says about its date.
    """

    provider: str
    region: str
    instance_type: str
    gpu: str
    products: tuple[str, ...]
    gpu_count: int
    vcpus: int | None
    memory_gib: int | None
    on_demand_per_hour: Decimal | None
    spot_per_hour: Decimal | None
    reserved_1y_per_hour: Decimal | None
    reserved_3y_per_hour: Decimal | None
    reserved_note: str
    currency: str
    as_of: date | None
    as_of_note: str
    source: str


def prices(gpu: str = "", region: str = "") -> tuple[Price, ...]:
    """Every shipped price, newest source last as compiled.

    Args:
        gpu: Only instances that may have this card; a family (``H100``) is allowed.
        region: Only regions like this pattern, such as ``eu-*``; case does not count.

    Raises:
        InvalidInput: The card is not in the GPU catalogue.
    """
    found = _all_prices()
    if gpu:
        wanted = {product.name for product in gpus_matching(gpu) or (find_gpu(gpu),)}
        found = tuple(price for price in found if wanted.intersection(price.products))
    if region:
        pattern = region.lower()
        found = tuple(p for p in found if fnmatch.fnmatchcase(p.region.lower(), pattern))
    return found


def prices_left_out() -> Mapping[str, int]:
    """Rows of the sources that are not shipped, by the reason: a card's name, or no price."""
    return MappingProxyType(_document()["left_out"])


@cache
def _all_prices() -> tuple[Price, ...]:
    document = _document()
    columns = document["columns"]
    return tuple(_price(dict(zip(columns, row, strict=True))) for row in document["rows"])


def _price(row: dict[str, Any]) -> Price:
    amounts = {
        key: Decimal(value) if value else None
        for key, value in row.items()
        if key.endswith("_per_hour")
    }
    as_of = date.fromisoformat(row["as_of"]) if row["as_of"] else None
    return Price(**{**row, **amounts, "products": tuple(row["products"]), "as_of": as_of})


@cache
def _document() -> Any:
    packed = files("packer.catalogue").joinpath("data/prices.json.gz").read_bytes()
    return json.loads(gzip.decompress(packed))
