"""The price catalogue: what clouds asked per hour, with date and source; never a quote."""

import fnmatch
import gzip
import json
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from packer.catalogue.gpus import find_gpu, gpus_matching
from packer.catalogue.names import listed, nearest_names, shortened
from packer.domain.instance_price import InstancePrice
from packer.errors import InvalidInput, Problem


def prices(
    gpu: str = "", region: str = "", rows: Sequence[InstancePrice] | None = None
) -> tuple[InstancePrice, ...]:
    """Every price, newest source last as compiled.

    Args:
        gpu: Only instances that may have this card; a family (``H100``) is allowed.
        region: Only regions like this pattern, such as ``eu-*``; case does not count.
        rows: Prices to look in; those that are shipped if None.

    Raises:
        InvalidInput: The card is not in the GPU catalogue, or no row has such a region.
    """
    found = _all_prices() if rows is None else tuple(rows)
    if region:
        found = in_regions(found, (region,))
    if gpu:
        wanted = {product.name for product in gpus_matching(gpu) or (find_gpu(gpu),)}
        found = tuple(price for price in found if wanted.intersection(price.products))
    return found


def in_regions(rows: Sequence[InstancePrice], patterns: Sequence[str]) -> tuple[InstancePrice, ...]:
    """Rows whose region is like one of the patterns; case does not count.

    Raises:
        InvalidInput: No row has a region like one of them; the nearest are named.
    """
    found: list[InstancePrice] = []
    problems = []
    for pattern in patterns:
        alike = [row for row in rows if is_like(row.region, pattern)]
        if not alike:
            problems.append(_no_region(pattern, {row.region for row in rows if row.region}))
        found += [row for row in alike if row not in found]
    if problems:
        raise InvalidInput(problems)
    return tuple(found)


def is_like(name: str, pattern: str) -> bool:
    """Whether a name matches a pattern such as ``eu-*``; case does not count."""
    return fnmatch.fnmatchcase(name.lower(), pattern.lower())


def _no_region(pattern: str, known: set[str]) -> Problem:
    title = f"no price is of a region like {shortened(pattern)}"
    if not known:
        return Problem("P0907", title, why="these prices name no region", help="leave it out")
    near = nearest_names(pattern.replace("*", ""), sorted(known))
    return Problem("P0907", title, help=f"did you mean {listed(near)}?")


def prices_left_out() -> Mapping[str, int]:
    """Rows of the sources that are not shipped, by the reason: a card's name, or no price."""
    return MappingProxyType(_document()["left_out"])


@cache
def _all_prices() -> tuple[InstancePrice, ...]:
    document = _document()
    columns = document["columns"]
    return tuple(_price(dict(zip(columns, row, strict=True))) for row in document["rows"])


def _price(row: dict[str, Any]) -> InstancePrice:
    amounts = {
        key: Decimal(value) if value else None
        for key, value in row.items()
        if key.endswith("_per_hour")
    }
    as_of = date.fromisoformat(row["as_of"]) if row["as_of"] else None
    return InstancePrice(**{**row, **amounts, "products": tuple(row["products"]), "as_of": as_of})


@cache
def _document() -> Any:
    packed = files("packer.catalogue").joinpath("data/prices.json.gz").read_bytes()
    return json.loads(gzip.decompress(packed))
