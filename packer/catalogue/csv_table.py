"""A CSV file as rows by column name, with every problem at its line."""

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from packer.catalogue.names import listed, nearest_names, shortened
from packer.domain.price_book import PRICE_QUANTUM
from packer.errors import InvalidInput, Location, Problem

_MOST_ROWS = 2_000_000
_LARGEST_AMOUNT = 10**9
MOST_PROBLEMS = 100
"""Problems shown of one table; reading stops behind them."""
_UNKNOWN_WORDS = frozenset(["", "nan", "none", "null", "n/a", "unknown"])


@lru_cache(maxsize=1024)
def column_key(name: str) -> str:
    """What of a column's name counts: letters and digits, in lower case."""
    return "".join(character for character in name.lower() if character.isalnum())


@dataclass(frozen=True)
class Table:
    """Rows of a file; each maps a column's key to its text, and knows its line."""

    file: str
    header: tuple[str, ...]
    rows: tuple[tuple[int, Mapping[str, str]], ...]

    @property
    def columns(self) -> frozenset[str]:
        """Keys of the columns."""
        return frozenset(map(column_key, self.header))


def read_table(text: str, file: str) -> Table:
    """The rows of a CSV text with a header.

    Raises:
        InvalidInput: It is empty, or no CSV.
    """
    reader = csv.reader(text.splitlines(), strict=True)
    rows: list[tuple[int, Mapping[str, str]]] = []
    try:
        header = tuple(next(reader, ()))
        keys = [column_key(name) for name in header]
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append((reader.line_num, dict(zip(keys, cells, strict=False))))
            if len(rows) > _MOST_ROWS:
                raise csv.Error(f"more than {_MOST_ROWS} rows")
    except csv.Error as error:
        where = Location(file, reader.line_num)
        raise InvalidInput(
            Problem("P0911", "the file is not a CSV table", where, str(error))
        ) from error
    if not any(keys):
        raise InvalidInput(Problem("P0911", "the table has no header", Location(file, 1)))
    return Table(file, header, tuple(rows))


def check_header(table: Table, known: Sequence[str], needed: Iterable[str]) -> None:
    """Refuse columns that mean nothing to us, and tables that lack one we need.

    Raises:
        InvalidInput: P0911 for each, the nearest known column named.
    """
    by_key = {column_key(name): name for name in known}
    where = Location(table.file, 1)
    problems: list[Problem] = []
    for name in table.header:
        if column_key(name) not in by_key and len(problems) < MOST_PROBLEMS:
            near = nearest_names(name, known)
            title = f"unknown column {shortened(name)}"
            problems.append(Problem("P0911", title, where, help=f"did you mean {listed(near)}?"))
    for name in needed:
        if column_key(name) not in table.columns:
            title = f"the column {name} is missing"
            help_ = f"columns: {', '.join(known)}"
            problems.append(Problem("P0911", title, where, help=help_))
    if problems:
        raise InvalidInput(problems)


def shown_problems(problems: Sequence[Problem], file: str) -> list[Problem]:
    """As many problems as are shown of one table, and that there may be more."""
    if len(problems) < MOST_PROBLEMS:
        return list(problems)
    why = f"the first {MOST_PROBLEMS} are"
    more = Problem("P0118", "more problems are not shown", Location(file), why)
    return [*problems[:MOST_PROBLEMS], more]


class RowReader:
    """Values of one row; what is wrong with them is collected."""

    def __init__(self, row: Mapping[str, str], where: Location, problems: list[Problem]) -> None:
        """Problems are added to the list given."""
        self._row = row
        self.where = where
        self._problems = problems

    def text(self, column: str) -> str:
        """Text of a cell without blanks around it; empty if there is none."""
        return self._row.get(column_key(column), "").strip()

    def is_unknown(self, column: str) -> bool:
        """Whether a cell says nothing."""
        return self.text(column).lower() in _UNKNOWN_WORDS

    def amount(self, column: str) -> Decimal | None:
        """A price or another amount above zero; None where the cell says nothing."""
        return self._number(column, lambda value: value > 0, "above 0")

    def factor(self, column: str) -> Decimal | None:
        """A number that may be zero; None where the cell says nothing."""
        return self._number(column, lambda value: value >= 0, "0 or more")

    def count(self, column: str) -> int | None:
        """A whole number of 1 or more; None where the cell says nothing."""
        value = self._number(column, lambda value: value >= 1 and value == int(value), "whole")
        return None if value is None else int(value)

    def day(self, column: str) -> date | None:
        """A date; None where the cell says nothing."""
        if self.is_unknown(column):
            return None
        try:
            return date.fromisoformat(self.text(column))
        except ValueError:
            self.refuse(column, "a date is written year-month-day", "such as 2026-11-01")
            return None

    def refuse(self, column: str, why: str, help_: str = "") -> None:
        """Note that a cell is wrong."""
        title = f"{column} {shortened(self.text(column))} is refused"
        self._problems.append(Problem("P0912", title, self.where, why, help_))

    def _number(
        self, column: str, is_right: Callable[[Decimal], bool], words: str
    ) -> Decimal | None:
        if self.is_unknown(column):
            return None
        try:
            value = Decimal(self.text(column))
        except InvalidOperation:
            value = Decimal("NaN")
        # The size comes first: 1e99999999 as a whole number would fill the memory.
        if not value.is_finite() or value > _LARGEST_AMOUNT or not is_right(value):
            help_ = "leave the cell empty where a price is unknown"
            self.refuse(column, f"a plain number is needed, {words}", help_)
            return None
        return value.quantize(PRICE_QUANTUM).normalize() if value % 1 else value
