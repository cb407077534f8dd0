"""Price books and price lists: a user's own prices over those of the catalogue."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING

from packer.errors import InvalidInput, Problem

if TYPE_CHECKING:
    from packer.domain.price_book import ExchangeRate, PriceBook
    from packer.spec.lookups import Lookups


def read_price_book(path: str | Path) -> "PriceBook":
    """A user's prices: a CSV table, or YAML of ``kind: PriceBook``; ``-`` is standard input.

    Raises:
        InvalidInput: With every problem of the file.
    """
    return parse_price_book(*_content(path))


def _content(path: str | Path) -> tuple[str, str]:
    from packer.files.text import read_text, shown_name

    return read_text(path), shown_name(path)


def parse_price_book(text: str, file: str) -> "PriceBook":
    """The price book of a text that ``file`` names; ``.csv`` is a table, all else is YAML.

    Raises:
        InvalidInput: With every problem of the text.
    """
    if file.lower().endswith(".csv"):
        from packer.catalogue.price_csv import read_price_csv

        return read_price_csv(text, file, Path(file).stem)
    from packer.api.inputs import lookups
    from packer.spec.price_book_file import read_price_book as parse

    return parse(text, file, lookups())


def with_book(known: "Lookups", book: "PriceBook | None") -> "Lookups":
    """Lookups whose rentals and own hardware cost what the book says."""
    from packer.catalogue.price_list import price_list
    from packer.catalogue.rentals import find_rentals
    from packer.domain.node import Price

    owned = {one.pool: one for one in book.owned} if book else {}

    def own_price(pool: str) -> Price | None:
        one = owned.get(pool)
        if one is None:
            return None
        return Price(
            one.price_per_hour, currency=one.currency, as_of=one.as_of, source=one.arithmetic
        )

    return replace(
        known,
        rentals=lambda query: find_rentals(price_list(book), query),
        own_price=own_price,
    )


def parse_rates(texts: Sequence[str], currency: str) -> "tuple[ExchangeRate, ...]":
    """Rates of ``USD=0.92``: what one unit is in ``currency``; a date may follow: ``@2026-11-20``.

    Raises:
        InvalidInput: P0918 for each that is none.
    """
    from packer.domain.price_book import ExchangeRate

    rates, problems = list[ExchangeRate](), list[Problem]()
    for text in texts:
        match = re.fullmatch(r"([A-Z]{3})=([0-9.]+)(?:@(\d{4}-\d{2}-\d{2}))?", text.strip())
        try:
            rate = Decimal(match[2]) if match else Decimal(0)
            day = date.fromisoformat(match[3]) if match and match[3] else None
        except (InvalidOperation, ValueError):
            rate, day = Decimal(0), None
        if match is None or rate <= 0:
            help_ = f"write USD=0.92 or USD=0.92@2026-11-20: one USD is 0.92 {currency}"
            problems.append(Problem("P0918", f"--rate {text!r} is no rate", help=help_))
        else:
            rates.append(ExchangeRate(match[1], currency, rate, day, "--rate"))
    if problems:
        raise InvalidInput(problems)
    return tuple(rates)


@dataclass(frozen=True)
class PriceUpdate:
    """What an import did.

    Attributes:
        form: Form of the file. rows: Rows taken. replaced: Of them, those that were known before.
        kept: Rows of the old file that the new one does not have.
        left_out: Reason → rows that were not taken. merged: Rows that became one with another.
    """

    form: str
    rows: int
    replaced: int
    kept: int
    left_out: dict[str, int]
    merged: int


def update_prices(
    source: str | Path,
    out: str | Path,
    *,
    provider: str = "",
    as_of: str = "",
) -> PriceUpdate:
    """Import a gpuhunt or SkyPilot catalogue into a CSV price book; returns what was done.

    Args:
        source: The catalogue's CSV file.
        out: Price book to write; rows it already has of other instances stay.
        provider: Whose instances these are; the name of the file or of its folder if empty.
        as_of: Day of the catalogue such as ``2026-11-20``; without it rows say they have no date.

    Raises:
        InvalidInput: The file is of no such form, or ``out`` holds something else.
    """
    from packer.catalogue.price_csv import format_price_csv, read_price_csv
    from packer.catalogue.price_imports import import_prices
    from packer.files.single_file import write_file

    text, file = _content(source)
    found = import_prices(text, file, provider=provider or _provider(file), as_of=_day(as_of))
    known = read_price_csv(*_content(out), Path(out).stem).prices if Path(out).exists() else ()
    new = {row.key for row in found.rows}
    kept = [row for row in known if row.key not in new]
    write_file(Path(out), format_price_csv([*kept, *found.rows]))
    return PriceUpdate(
        form=found.form,
        rows=len(found.rows),
        replaced=len(known) - len(kept),
        kept=len(kept),
        left_out=dict(found.left_out),
        merged=found.merged,
    )


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        title = f"--as-of {text!r} is no day"
        raise InvalidInput(Problem("P0912", title, help="write 2026-11-20")) from error


def _provider(file: str) -> str:
    """``aws`` of ``aws.csv`` (gpuhunt) and of ``aws/vms.csv`` (SkyPilot)."""
    path = Path(file)
    name = path.parent.name if path.stem == "vms" else path.stem
    if not name or file.startswith("<"):
        raise InvalidInput(
            Problem("P0921", "whose prices these are is not said", help="write --provider aws")
        )
    return name.lower()
