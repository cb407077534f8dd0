"""What is compared, as it was read: a fleet, and inventories in one currency."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from packer.api.inputs import lookups, read_sources, sha256_of
from packer.errors import InvalidInput, Problem

if TYPE_CHECKING:
    from packer.domain.node import Inventory
    from packer.domain.price_book import ExchangeRate, PriceBook
    from packer.domain.workload import Fleet
    from packer.spec.inputs import Source
    from packer.spec.lookups import Lookups


@dataclass(frozen=True)
class ComparisonInputs:
    """Everything read: the fleet, and every inventory in one currency.

    Attributes:
        inventories: Each with the SHA-256 of its text and of the price book's.
        rates: Rates of exchange that were used, in words.
    """

    fleet: "Fleet"
    fleet_sha256: str
    inventories: "tuple[tuple[Inventory, str], ...]"
    currency: str
    rates: tuple[str, ...]


def read_comparison_inputs(
    fleet: str | Path,
    inventories: Sequence[str | Path],
    prices: str | Path,
    currency: str,
    rates: Sequence[str],
) -> ComparisonInputs:
    """Every file, with everything that is wrong with any of them at once."""
    from packer.api.price_books import parse_price_book, with_book

    sources = read_sources([fleet, *inventories, *([prices] if prices else [])])
    book_source = sources.pop() if prices else None
    book = parse_price_book(str(book_source.text), book_source.file) if book_source else None
    known = with_book(lookups(), book)
    fleet_source, *others = sources
    asked, read = _documents(fleet_source, others, known)
    _check_owned(book, read)
    priced = str(book_source.text) if book_source else ""
    hashes = [sha256_of(str(source.text) + priced) for source in others]
    pairs = tuple(zip(_told_apart(read), hashes, strict=True))
    target = currency or _first_currency(read)
    stated = _rates(rates, target, book)
    converted, used = _converted(pairs, target, stated)
    return ComparisonInputs(asked, sha256_of(str(fleet_source.text)), converted, target, used)


def _documents(
    fleet: "Source", inventories: "Sequence[Source]", known: "Lookups"
) -> "tuple[Fleet, list[Inventory]]":
    from packer.spec.fleet_file import read_fleet
    from packer.spec.inventory_file import read_inventory

    problems: list[Problem] = []
    read: list[Inventory] = []
    for source in inventories:
        try:
            read.append(read_inventory(source.text, source.file, known))
        except InvalidInput as error:
            problems += error.problems
    gpus = {pool.gpu.name: pool.gpu for one in read for pool in one.pools}
    try:
        asked = read_fleet(fleet.text, fleet.file, known.knowing(gpus.values()))
    except InvalidInput as error:
        raise InvalidInput(dict.fromkeys([*error.problems, *problems])) from error
    if problems:
        raise InvalidInput(dict.fromkeys(problems))
    return asked, read


def _told_apart(read: "Sequence[Inventory]") -> "list[Inventory]":
    """The same inventories; those of one name are numbered."""
    names: dict[str, int] = {}
    found = []
    for one in read:
        names[one.name] = names.get(one.name, 0) + 1
        number = names[one.name]
        found.append(one if number == 1 else replace(one, name=f"{one.name} ({number})"))
    return found


def _check_owned(book: "PriceBook | None", read: "Sequence[Inventory]") -> None:
    """Refuse a book whose hardware is all elsewhere: a misspelt name would leave a price as it was.

    A book may have hardware of other inventories too, and none of these where all is rented.
    """
    from packer.catalogue.names import listed, nearest_names, shortened

    pools = [pool.name for one in read for pool in one.pools if not pool.is_rentable]
    owned = [one.pool for one in (book.owned if book else ())]
    if pools and owned and not set(pools) & set(owned):
        raise InvalidInput(
            Problem(
                "P0914",
                f"the price book has hardware of {shortened(name)}, and no pool is called so",
                help=f"did you mean {listed(nearest_names(name, pools))}?",
            )
            for name in owned
        )


def _first_currency(read: "Sequence[Inventory]") -> str:
    from packer.plan.currency import currencies

    return next((name for one in read for name in currencies(one)), "USD")


def _rates(
    texts: Sequence[str], target: str, book: "PriceBook | None"
) -> "tuple[ExchangeRate, ...]":
    from packer.api.price_books import parse_rates

    return (*parse_rates(texts, target), *(book.rates if book else ()))


def _converted(
    pairs: "Sequence[tuple[Inventory, str]]", target: str, rates: "Sequence[ExchangeRate]"
) -> "tuple[tuple[tuple[Inventory, str], ...], tuple[str, ...]]":
    from packer.plan.currency import in_currency

    problems: list[Problem] = []
    found, used = list["tuple[Inventory, str]"](), list[str]()
    for inventory, sha256 in pairs:
        try:
            changed, words = in_currency(inventory, target, rates)
        except InvalidInput as error:
            problems += error.problems
            continue
        found.append((changed, sha256))
        used += words
    if problems:
        raise InvalidInput(problems)
    return tuple(found), tuple(dict.fromkeys(used))
