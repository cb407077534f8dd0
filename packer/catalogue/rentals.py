"""Instances to rent, found in a price list by provider, region, type and card."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

from packer.catalogue.gpus import find_gpu, gpus_matching
from packer.catalogue.names import listed, nearest_names, shortened
from packer.catalogue.prices import in_regions, is_like
from packer.domain.instance_price import InstancePrice, RentalQuery
from packer.errors import InvalidInput, Problem


def find_rentals(rows: Sequence[InstancePrice], query: RentalQuery) -> tuple[InstancePrice, ...]:
    """Rows a query means, one per instance: each with the one product its card is.

    Of several rows of one instance the newest counts, and of equally new ones the dearest.

    Raises:
        InvalidInput: Nothing is like what the query names (the nearest is told), the card may be
            several products, or the region is not said where prices differ by region.
    """
    found = _of_provider(rows, query.provider)
    if query.regions:
        found = in_regions(found, query.regions)
    found = _of_types(found, query.instance_types)
    found = _of_card(found, query.gpu)
    if not query.regions:
        _check_one_region(found)
    return _newest(found)


def _of_provider(rows: Sequence[InstancePrice], provider: str) -> tuple[InstancePrice, ...]:
    known = {row.provider for row in rows}
    found = tuple(row for row in rows if row.provider.lower() == provider.lower())
    if not found:
        near = nearest_names(provider, sorted(known))
        raise InvalidInput(
            Problem(
                "P0906",
                f"no price is of a provider called {shortened(provider)}",
                help=f"did you mean {listed(near)}? `gpu-packer catalogue prices` lists all",
            )
        )
    return found


def _of_types(rows: Sequence[InstancePrice], patterns: Sequence[str]) -> tuple[InstancePrice, ...]:
    if not patterns:
        return tuple(rows)
    known = sorted({row.instance_type for row in rows if row.instance_type})
    problems = []
    for pattern in patterns:
        if not any(is_like(name, pattern) for name in known):
            near = nearest_names(pattern.replace("*", ""), known) if known else []
            help_ = f"did you mean {listed(near)}?" if near else "no type has a name there"
            title = f"no price is of an instance type like {shortened(pattern)} there"
            problems.append(Problem("P0908", title, help=help_))
    if problems:
        raise InvalidInput(problems)
    return tuple(row for row in rows if any(is_like(row.instance_type, one) for one in patterns))


def _of_card(rows: Sequence[InstancePrice], gpu: str) -> tuple[InstancePrice, ...]:
    """Rows with their card as one product; the query's card decides where a name is vague."""
    if gpu:
        wanted = {product.name for product in gpus_matching(gpu) or (find_gpu(gpu),)}
        narrowed = (
            replace(row, products=tuple(name for name in row.products if name in wanted))
            for row in rows
        )
        rows = tuple(row for row in narrowed if row.products)
        if not rows:
            title = f"no such instance there has a card called {shortened(gpu)}"
            help_ = f"`gpu-packer catalogue prices --gpu '{gpu}'` lists those that have"
            raise InvalidInput(Problem("P0908", title, help=help_))
    vague = {row.gpu: row.products for row in rows if len(row.products) > 1}
    if vague:
        raise InvalidInput(
            Problem(
                "P0909",
                f"the provider calls the card {shortened(name)}, which may be {len(products)} GPUs",
                why="their memory or bandwidth differs",
                help=f"write gpu: {listed(products)}",
            )
            for name, products in vague.items()
        )
    return tuple(rows)


def _check_one_region(rows: Iterable[InstancePrice]) -> None:
    regions = sorted({row.region for row in rows if row.region})
    if len(regions) > 1:
        raise InvalidInput(
            Problem(
                "P0907",
                "the prices differ by region, and none is named",
                why=f"there are {', '.join(regions)}",
                help=f"write region: {regions[0]}, or a pattern such as {regions[0][:2]}-*",
            )
        )


def _newest(rows: Iterable[InstancePrice]) -> tuple[InstancePrice, ...]:
    """One row per instance, in the order of the list."""
    best: dict[tuple[str, str, str, tuple[str, ...], int], InstancePrice] = {}
    for row in rows:
        known = best.get(row.key)
        if known is None or _precedence(row) > _precedence(known):
            best[row.key] = row
    return tuple(best.values())


def _precedence(row: InstancePrice) -> tuple[date, bool, Decimal]:
    amount = row.on_demand_per_hour or row.spot_per_hour or Decimal(0)
    return row.as_of or date.min, row.on_demand_per_hour is not None, amount
