"""Catalogues of other tools as price rows: gpuhunt's and SkyPilot's CSV files.

Source of the columns: gpuhunt, CatalogItem of its models module (one row per instance, location
and spot or not); skypilot-catalog, README, schema of vms.csv (one row per instance and zone).
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from packer.catalogue.csv_table import (
    MOST_PROBLEMS,
    RowReader,
    Table,
    column_key,
    read_table,
    shown_problems,
)
from packer.catalogue.gpus import gpus_matching
from packer.domain.instance_price import InstancePrice
from packer.domain.price_book import rounded_price
from packer.errors import InvalidInput, Location, Problem

_GPUHUNT = ("instance_name", "location", "price", "gpu_count", "gpu_name", "spot")
_SKYPILOT = ("InstanceType", "AcceleratorName", "AcceleratorCount", "Region", "Price")
NO_CARD = "no card"
PART_OF_A_CARD = "a part of a card"
NO_PRICE = "no price"
NO_INSTANCE = "a card without its machine"
ODD_NAME = "a name that begins with a sign, is endless or hides characters"
_LONGEST_NAME = 120


@dataclass(frozen=True)
class ImportedPrices:
    """Rows of a foreign catalogue.

    Attributes:
        form: ``gpuhunt`` or ``SkyPilot``.
        left_out: Rows that were not taken, by the reason: the name of a card that the GPU
            catalogue does not have, or one of the words above.
        merged: Rows that became one with another, such as those of a region's zones.
    """

    form: str
    rows: tuple[InstancePrice, ...]
    left_out: Mapping[str, int]
    merged: int


def import_prices(
    text: str, file: str, *, provider: str, as_of: date | None, source: str = ""
) -> ImportedPrices:
    """Price rows of a catalogue file; of several rows of one instance the dearest amounts.

    Args:
        text: The CSV.
        file: What the user called it.
        provider: Whose instances these are; the files do not say.
        as_of: Day of the catalogue; the files do not say either.
        source: Where it comes from; the form and the file's name if empty.

    Raises:
        InvalidInput: It is of neither form, or an amount in it is none.
    """
    table = read_table(text, file)
    read, form = _form(table)
    problems: list[Problem] = []
    left_out: Counter[str] = Counter()
    found: dict[tuple[object, ...], InstancePrice] = {}
    taken = 0
    stamp = _Stamp(provider, as_of, source or f"{form} catalogue, {file}")
    for line, cells in table.rows:
        if len(problems) >= MOST_PROBLEMS:
            break
        row = read(RowReader(cells, Location(file, line), problems), stamp)
        if isinstance(row, str):
            left_out[row] += 1
            continue
        taken += 1
        known = found.get(row.key)
        found[row.key] = row if known is None else _dearest(known, row)
    if problems:
        raise InvalidInput(shown_problems(problems, file))
    rows = tuple(found.values())
    return ImportedPrices(form, rows, dict(sorted(left_out.items())), taken - len(rows))


@dataclass(frozen=True)
class _Stamp:
    """What the file does not say of its rows."""

    provider: str
    as_of: date | None
    source: str


_Read = Callable[[RowReader, _Stamp], InstancePrice | str]


def _form(table: Table) -> tuple[_Read, str]:
    if {column_key(name) for name in _SKYPILOT} <= table.columns:
        return _skypilot_row, "SkyPilot"
    if {column_key(name) for name in _GPUHUNT} <= table.columns:
        return _gpuhunt_row, "gpuhunt"
    raise InvalidInput(
        Problem(
            "P0916",
            "the file is neither a gpuhunt nor a SkyPilot catalogue",
            Location(table.file, 1),
            f"its columns are {', '.join(table.header)[:200]}",
            f"gpuhunt has {', '.join(_GPUHUNT)}; SkyPilot has {', '.join(_SKYPILOT)}; "
            "a price book needs no import",
        )
    )


def _gpuhunt_row(cells: RowReader, stamp: _Stamp) -> InstancePrice | str:
    is_spot = cells.text("spot").lower() == "true"
    price = _price(cells, "price")
    return _row(
        cells,
        stamp,
        instance=cells.text("instance_name"),
        region=cells.text("location"),
        names=_names(cells.text("gpu_name"), cells.text("gpu_memory")),
        count=cells.factor("gpu_count"),
        memory=cells.factor("memory"),
        vcpus=cells.factor("cpu"),
        amounts=(None, price) if is_spot else (price, None),
    )


def _skypilot_row(cells: RowReader, stamp: _Stamp) -> InstancePrice | str:
    return _row(
        cells,
        stamp,
        instance=cells.text("InstanceType"),
        region=cells.text("Region"),
        names=_names(cells.text("AcceleratorName"), ""),
        count=cells.factor("AcceleratorCount"),
        memory=cells.factor("MemoryGiB"),
        vcpus=cells.factor("vCPUs"),
        amounts=(_price(cells, "Price"), _price(cells, "SpotPrice")),
    )


def _price(cells: RowReader, column: str) -> Decimal | None:
    """A price; these catalogues also write 0 where they know none."""
    return cells.factor(column) or None


def _names(name: str, memory: str) -> tuple[str, ...]:
    """Names to look a card up by, the one with its memory first."""
    size = memory.removesuffix(".0")
    return (f"{name} {size}GB", name) if name and size else (name,) if name else ()


def _row(
    cells: RowReader,
    stamp: _Stamp,
    *,
    instance: str,
    region: str,
    names: tuple[str, ...],
    count: Decimal | None,
    memory: Decimal | None,
    vcpus: Decimal | None,
    amounts: tuple[Decimal | None, Decimal | None],
) -> InstancePrice | str:
    """The row, or why it is left out."""
    why = next(_reasons(instance, region, names, count, amounts), "")
    if why:
        return why
    found = next((products for name in names if (products := gpus_matching(name))), ())
    if not found:
        return names[-1]
    return InstancePrice(
        provider=stamp.provider,
        region=region,
        instance_type=instance,
        gpu=names[-1] if len(found) > 1 else found[0].name,
        products=tuple(product.name for product in found),
        gpu_count=int(count or 1),
        vcpus=int(vcpus) if vcpus else None,
        memory_gib=int(memory) if memory else None,
        on_demand_per_hour=None if amounts[0] is None else rounded_price(amounts[0]),
        spot_per_hour=None if amounts[1] is None else rounded_price(amounts[1]),
        reserved_1y_per_hour=None,
        reserved_3y_per_hour=None,
        reserved_note="",
        currency="USD",
        as_of=stamp.as_of,
        as_of_note="" if stamp.as_of else "the catalogue file has no date",
        source=stamp.source,
    )


def _reasons(
    instance: str,
    region: str,
    names: tuple[str, ...],
    count: Decimal | None,
    amounts: tuple[Decimal | None, Decimal | None],
) -> Iterator[str]:
    if not names or not count:
        yield NO_CARD
    elif count != int(count):
        yield PART_OF_A_CARD
    elif not instance:
        yield NO_INSTANCE
    elif not all(map(_is_name, (instance, region or "none", *names))):
        yield ODD_NAME
    elif amounts == (None, None):
        yield NO_PRICE


def _is_name(text: str) -> bool:
    """Whether a text can be a name: what is written again must be no formula and no control."""
    return text.isprintable() and text[0].isalnum() and len(text) <= _LONGEST_NAME


def _dearest(one: InstancePrice, other: InstancePrice) -> InstancePrice:
    """Both rows as one: on each term the dearer price, so that no zone is cheaper than planned."""
    return replace(
        one,
        on_demand_per_hour=_greater(one.on_demand_per_hour, other.on_demand_per_hour),
        spot_per_hour=_greater(one.spot_per_hour, other.spot_per_hour),
    )


def _greater(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    known = [amount for amount in (one, other) if amount is not None]
    return max(known, default=None)
