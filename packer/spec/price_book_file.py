"""A price book's text as a PriceBook, or everything that is wrong with it."""

from packer.domain.instance_price import InstancePrice
from packer.domain.payment import Payment
from packer.domain.price_book import Discount, ExchangeRate, OwnedHardware, PriceBook
from packer.errors import InvalidInput, Problem
from packer.spec.document import Document
from packer.spec.kinds import read_document
from packer.spec.lookups import Lookups, located
from packer.spec.price_book_schema import InstancePriceEntry, PriceBookEntry
from packer.spec.problems import MOST_PROBLEMS, in_file_order, validate
from packer.units import GIB


def read_price_book(text: str | bytes, file: str, lookups: Lookups) -> PriceBook:
    """The price book a YAML (or JSON) file describes.

    Args:
        text: Content of the file.
        file: What the user called it.
        lookups: How cards are found.

    Raises:
        InvalidInput: With every problem of the file, in file order.
    """
    document = read_document(text, file, "PriceBook")
    book = validate(document, PriceBookEntry, "price-book")
    problems = _rows_without_price(book, document)
    prices = tuple(
        _price(entry, index, book, document, lookups, problems)
        for index, entry in enumerate(book.prices)
        if len(problems) <= MOST_PROBLEMS
    )
    problems += _repeated_pools(book, document)
    if problems:
        raise InvalidInput(in_file_order(problems))
    return PriceBook(
        name=book.metadata.name,
        prices=prices,
        discounts=tuple(
            Discount(
                one.provider, one.percent, one.instance_types, tuple(map(Payment, one.payment))
            )
            for one in book.discounts
        ),
        owned=tuple(
            OwnedHardware(
                pool=one.pool,
                purchase_price=one.purchase_price,
                years=one.years,
                power_watts=one.power_watts,
                cooling_factor=one.cooling_factor,
                electricity_price=one.electricity_price,
                other_per_month=one.other_per_month,
                currency=one.currency or book.currency,
                as_of=one.as_of or book.as_of,
            )
            for one in book.owned
        ),
        rates=tuple(
            ExchangeRate(
                one.currency, one.to, one.rate, one.as_of or book.as_of, one.source or book.source
            )
            for one in book.rates
        ),
    )


def _price(
    entry: InstancePriceEntry,
    index: int,
    book: PriceBookEntry,
    document: Document,
    lookups: Lookups,
    problems: list[Problem],
) -> InstancePrice:
    products: tuple[str, ...] = ()
    with located(problems, document.where("prices", index, "gpu")):
        found = lookups.gpu_family(entry.gpu) or (lookups.gpu(entry.gpu),)
        products = tuple(product.name for product in found)
    as_of = entry.as_of or book.as_of
    return InstancePrice(
        provider=entry.provider,
        region=entry.region,
        instance_type=entry.instance_type,
        gpu=entry.gpu,
        products=products,
        gpu_count=entry.gpus,
        vcpus=entry.vcpus,
        memory_gib=None if entry.memory is None else entry.memory // GIB,
        on_demand_per_hour=entry.on_demand,
        spot_per_hour=entry.spot,
        reserved_1y_per_hour=entry.reserved_1y,
        reserved_3y_per_hour=entry.reserved_3y,
        reserved_note="",
        currency=entry.currency or book.currency,
        as_of=as_of,
        as_of_note="" if as_of else "no date in the price book",
        source=entry.source or book.source or f"price book {book.metadata.name}",
    )


def _rows_without_price(book: PriceBookEntry, document: Document) -> list[Problem]:
    return [
        Problem(
            "P0912",
            "the row has no price",
            document.where("prices", index),
            help="write onDemand:, spot:, reserved1y: or reserved3y:",
        )
        for index, one in enumerate(book.prices)
        if one.on_demand is one.spot is one.reserved_1y is one.reserved_3y is None
    ]


def _repeated_pools(book: PriceBookEntry, document: Document) -> list[Problem]:
    seen: set[str] = set()
    problems = []
    for index, one in enumerate(book.owned):
        if one.pool in seen:
            where = document.where("owned", index, "pool")
            problems.append(Problem("P0201", f"the name {one.pool} is repeated", where))
        seen.add(one.pool)
    return problems
