"""Price books as CSV: one row per instance, or per pool of hardware that was bought."""

import csv
import io
from collections.abc import Iterable
from decimal import Decimal

from packer.catalogue.csv_table import (
    MOST_PROBLEMS,
    RowReader,
    check_header,
    read_table,
    shown_problems,
)
from packer.catalogue.gpus import find_gpu, gpus_matching
from packer.domain.instance_price import InstancePrice
from packer.domain.price_book import OwnedHardware, PriceBook
from packer.errors import InvalidInput, Location, Problem

_PRICE_COLUMNS = (
    "provider",
    "region",
    "instanceType",
    "gpu",
    "gpus",
    "vcpus",
    "memoryGib",
    "onDemand",
    "spot",
    "reserved1y",
    "reserved3y",
    "currency",
    "asOf",
    "source",
)
_OWNED_COLUMNS = (
    "pool",
    "purchasePrice",
    "years",
    "powerWatts",
    "coolingFactor",
    "electricityPrice",
    "otherPerMonth",
)
_NEEDED_OF_OWNED = _OWNED_COLUMNS[1:-1]


def read_price_csv(text: str, file: str, name: str) -> PriceBook:
    """The price book of a CSV file; a row with a ``pool`` is hardware that was bought.

    Raises:
        InvalidInput: With every problem: columns, amounts, cards.
    """
    table = read_table(text, file)
    is_of_owned_only = "pool" in table.columns and "provider" not in table.columns
    needed = _OWNED_COLUMNS[:-1] if is_of_owned_only else ("provider", "gpu", "gpus")
    check_header(table, _PRICE_COLUMNS + _OWNED_COLUMNS, needed)
    problems: list[Problem] = []
    prices: list[InstancePrice] = []
    owned: list[OwnedHardware] = []
    for line, row in table.rows:
        if len(problems) >= MOST_PROBLEMS:
            break
        cells = RowReader(row, Location(file, line), problems)
        if cells.is_unknown("pool"):
            prices += _price(cells, name, problems)
        else:
            owned += _owned(cells, problems)
    if problems:
        raise InvalidInput(shown_problems(problems, file))
    return PriceBook(name, tuple(prices), owned=tuple(owned))


def _price(cells: RowReader, book: str, problems: list[Problem]) -> list[InstancePrice]:
    count = cells.count("gpus")
    if count is None:
        cells.refuse("gpus", "the number of cards is needed")
    amounts = {
        "on_demand_per_hour": cells.amount("onDemand"),
        "spot_per_hour": cells.amount("spot"),
        "reserved_1y_per_hour": cells.amount("reserved1y"),
        "reserved_3y_per_hour": cells.amount("reserved3y"),
    }
    if not any(amounts.values()):
        title, help_ = "the row has no price", "write onDemand, spot, reserved1y or reserved3y"
        problems.append(Problem("P0912", title, cells.where, help=help_))
    gpu = cells.text("gpu")
    return [
        InstancePrice(
            provider=cells.text("provider"),
            region=cells.text("region"),
            instance_type=cells.text("instanceType"),
            gpu=gpu,
            products=_products(gpu, cells.where, problems),
            gpu_count=count or 1,
            vcpus=cells.count("vcpus"),
            memory_gib=_whole(cells.factor("memoryGib")),
            **amounts,
            reserved_note="",
            currency=_currency(cells),
            as_of=cells.day("asOf"),
            as_of_note="" if cells.text("asOf") else "no date in the price book",
            source=cells.text("source") or f"price book {book}",
        )
    ]


def _whole(number: Decimal | None) -> int | None:
    return int(number) if number else None


def _currency(cells: RowReader) -> str:
    text = cells.text("currency") or "USD"
    if len(text) != 3 or not text.isascii() or not text.isupper():
        cells.refuse("currency", "a currency is three capital letters", "such as EUR")
    return text


def _products(gpu: str, where: Location, problems: list[Problem]) -> tuple[str, ...]:
    """Products a card's name may mean; a user's own book must name cards we know."""
    found = gpus_matching(gpu)
    if found:
        return tuple(product.name for product in found)
    try:
        return (find_gpu(gpu).name,)
    except InvalidInput as error:
        problems += [
            Problem(one.code, one.title, where, one.why, one.help) for one in error.problems
        ]
        return ()


def _owned(cells: RowReader, problems: list[Problem]) -> list[OwnedHardware]:
    amounts = {column: cells.factor(column) for column in _NEEDED_OF_OWNED}
    missing = [column for column, amount in amounts.items() if cells.is_unknown(column)]
    if missing:
        title = f"{', '.join(missing)} of pool {cells.text('pool')} is missing"
        why = "the price per hour of hardware follows from all of them"
        problems.append(Problem("P0919", title, cells.where, why))
    if any(amount is None for amount in amounts.values()):
        return []
    return [
        OwnedHardware(
            pool=cells.text("pool"),
            purchase_price=amounts["purchasePrice"] or Decimal(0),
            years=cells.amount("years") or Decimal(1),
            power_watts=amounts["powerWatts"] or Decimal(0),
            cooling_factor=_cooling(cells, amounts["coolingFactor"] or Decimal(0)),
            electricity_price=amounts["electricityPrice"] or Decimal(0),
            other_per_month=cells.factor("otherPerMonth") or Decimal(0),
            currency=_currency(cells),
            as_of=cells.day("asOf"),
        )
    ]


def _cooling(cells: RowReader, factor: Decimal) -> Decimal:
    if factor < 1:
        cells.refuse("coolingFactor", "a building draws at least what its computers draw")
    return factor


def format_price_csv(rows: Iterable[InstancePrice]) -> str:
    """Rows as the text of a CSV price book; ``read_price_csv`` gives them back."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_PRICE_COLUMNS)
    for row in rows:
        cells = (
            row.provider,
            row.region,
            row.instance_type,
            row.gpu,
            row.gpu_count,
            row.vcpus,
            row.memory_gib,
            row.on_demand_per_hour,
            row.spot_per_hour,
            row.reserved_1y_per_hour,
            row.reserved_3y_per_hour,
            row.currency,
            row.as_of,
            row.source,
        )
        writer.writerow("" if cell is None else cell for cell in cells)
    return text.getvalue()
