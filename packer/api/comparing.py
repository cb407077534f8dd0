"""One fleet on several inventories and terms of payment: what is cheapest, and is it proved."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from packer.api.inputs import Input, lookups, read_sources, sha256_of
from packer.api.planning import facts_of, tools_for
from packer.errors import InvalidInput, Problem

if TYPE_CHECKING:
    from packer.domain.node import Inventory
    from packer.domain.price_book import ExchangeRate, PriceBook
    from packer.domain.workload import Fleet
    from packer.plan.attribution import Key
    from packer.plan.comparing import Planned
    from packer.plan.comparison import FleetComparison
    from packer.plan.plan import Plan
    from packer.plan.priced_inventory import PricedInventory
    from packer.plan.tools import Facts
    from packer.solver.outcome import Progress
    from packer.spec.inputs import Source
    from packer.spec.lookups import Lookups

STALE_DAYS = 90
"""Age from which a price is called old."""


@dataclass(frozen=True)
class Compared:
    """A comparison, with the plan of every scenario that has one, by its name."""

    comparison: "FleetComparison"
    plans: "Mapping[str, Plan]"

    @property
    def chosen_plan(self) -> "Plan | None":
        """Plan of the chosen scenario."""
        return self.plans.get(self.comparison.chosen)


@dataclass(frozen=True)
class _Asked:
    """Everything read: the fleet, and every inventory in one currency."""

    fleet: "Fleet"
    fleet_sha256: str
    inventories: "tuple[tuple[Inventory, str], ...]"
    currency: str
    rates: tuple[str, ...]


def compare(
    fleet: str | Path,
    inventories: Sequence[str | Path],
    *,
    prices: str | Path = "",
    terms: Sequence[str] = (),
    each_type: bool = False,
    currency: str = "",
    rates: Sequence[str] = (),
    key: str = "memory",
    time_limit_seconds: float = 60.0,
    gap: float = 0.0,
    seed: int = 1,
    workers: int = 2,
    progress: "Callable[[str, Progress], None] | None" = None,
) -> Compared:
    """The fleet planned on every inventory for the least money, ranked, each with its bound.

    Args:
        fleet: Fleet file; its own objective does not count.
        inventories: Inventory files.
        prices: The user's price book; comes before all other prices.
        terms: ``on-demand``, ``spot``, ``reserved-1y`` or ``reserved-3y``: one scenario each, with
            rentable nodes paid so; none leaves them as the inventory says.
        each_type: Further scenarios with one rentable instance type alone.
        currency: Of the result; that of the first known price if empty.
        rates: Rates of exchange such as ``EUR=1.08``, into that currency.
        key: What the chosen plan's bill is divided by: ``memory``, ``load`` or ``both``.
        time_limit_seconds: Wall time of the solver for each scenario [s].
        gap: Stop each at this proven gap.
        seed: Seed of every random choice.
        workers: Solver threads.
        progress: Told about phases of the scenario it names.

    Raises:
        InvalidInput: Everything that is wrong with any file, terms, or currencies without a rate.
    """
    from packer.plan.attribution import Key
    from packer.plan.comparing import compare_scenarios
    from packer.solver.stopping import Limits

    started = monotonic()
    asked = _read(fleet, inventories, prices, currency, rates)
    scenarios = _scenarios(asked, terms, each_type=each_type)
    limits = Limits(time_seconds=time_limit_seconds, gap=gap, seed=seed, workers=workers)

    def facts(scenario: "PricedInventory") -> "Facts":
        given = Input(
            asked.fleet, scenario.inventory, asked.fleet_sha256, scenario.inventory_sha256
        )
        return facts_of(given)

    found = compare_scenarios(
        asked.fleet,
        scenarios,
        tools_for(asked.fleet.server_image.build),
        facts,
        limits=limits,
        progress=progress,
    )
    comparison = _comparison(asked, found, Key(key), facts(scenarios[0]))
    seconds = round(monotonic() - started, 3)
    spent = sum(one.plan.run.solver_seconds for one in found if one.plan)
    run = replace(comparison.run, solver_seconds=round(spent, 3), total_seconds=seconds)
    plans = {one.contender.scenario: one.plan for one in found if one.plan}
    return Compared(replace(comparison, run=run), plans)


def _read(
    fleet: str | Path,
    inventories: Sequence[str | Path],
    prices: str | Path,
    currency: str,
    rates: Sequence[str],
) -> _Asked:
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
    return _Asked(asked, sha256_of(str(fleet_source.text)), converted, target, used)


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


def _scenarios(
    asked: _Asked, terms: Sequence[str], *, each_type: bool
) -> "tuple[PricedInventory, ...]":
    """Every inventory on every terms, and its single types.

    Raises:
        InvalidInput: Terms that are none, or for which no price is known anywhere.
    """
    from packer.plan.priced_inventory import as_written, on_terms
    from packer.plan.priced_inventory import each_type as single

    found: list[PricedInventory] = []
    problems: list[Problem] = []
    for inventory, sha256 in asked.inventories:
        written = as_written(inventory, sha256)
        try:
            rents = any(pool.is_rentable for pool in inventory.pools)
            whole = [on_terms(written, name) for name in (terms if rents else ())] or [written]
        except InvalidInput as error:
            problems += error.problems
            continue
        found += whole
        if each_type:
            found += [part for one in whole for part in single(one)]
    if problems:
        raise InvalidInput(problems)
    return tuple(found)


def _comparison(
    asked: _Asked, found: "Sequence[Planned]", key: "Key", facts: "Facts"
) -> "FleetComparison":
    from packer.api.replica_speeds import replica_speeds
    from packer.plan.attributing import attribute
    from packer.plan.comparing import price_days
    from packer.plan.comparison import FleetComparison
    from packer.spec.plan_file import content_sha256
    from packer.units import HOURS_PER_MONTH

    rows = [
        replace(one.contender, plan_sha256=content_sha256(one.plan) if one.plan else "")
        for one in found
    ]
    chosen = next((one for one in found if one.contender.is_chosen), None)
    share = None
    if chosen is not None and chosen.plan is not None:
        share = attribute(chosen.plan, key, speeds=replica_speeds(chosen.plan))
    oldest, undated = price_days(rows)
    return FleetComparison(
        fleet=asked.fleet.name,
        fleet_sha256=asked.fleet_sha256,
        currency=asked.currency,
        hours_per_month=HOURS_PER_MONTH,
        rates=asked.rates,
        chosen=chosen.contender.scenario if chosen else "",
        contenders=tuple(rows),
        attribution=share,
        oldest_price=oldest,
        undated=undated,
        notes=_NOTES,
        versions=facts.versions,
        run=facts.run,
    )


_NOTES = (
    "money counts whole nodes with at least one replica, 730 hours a month",
    "maxNodes holds for each instance type and each way of paying",
    "prices are what somebody once asked, not offers; storage, traffic and taxes are not in them",
)


def price_warnings(comparison: "FleetComparison", today: date) -> tuple[str, ...]:
    """What is old or undated among the prices in use, with ages; empty if nothing is."""
    return tuple(_warnings(comparison, today))


def _warnings(comparison: "FleetComparison", today: date) -> Iterator[str]:
    oldest = comparison.oldest_price
    if oldest is not None and (today - oldest).days > STALE_DAYS:
        days = (today - oldest).days
        yield (
            f"the oldest price in use is {days} days old ({oldest}); look it up again, "
            "or give a price book"
        )
    if comparison.undated:
        yield f"{comparison.undated} prices in use have no date: nobody says how old they are"


def comparison_text(comparison: "FleetComparison") -> str:
    """The comparison as JSON: every field, money as exact numbers, ``run`` last."""
    from packer.spec.contract_text import format_contract

    return format_contract(comparison)


def comparison_shown(comparison: "FleetComparison", form: str, *, width: int = 120) -> str:
    """The comparison for people: ``table``, ``markdown`` or ``csv``."""
    from packer.report.comparison_tables import (
        comparison_csv,
        comparison_markdown,
        comparison_table,
    )

    if form == "csv":
        return comparison_csv(comparison)
    if form == "markdown":
        return comparison_markdown(comparison)
    return comparison_table(comparison, width=width)
