"""What pools of one inventory mean together: cards at all, names once, one currency."""

from collections.abc import Iterator

from packer.errors import Problem
from packer.spec.document import Document
from packer.spec.fleet_groups import repeated_names
from packer.spec.inventory_schema import InventoryEntry, PriceEntry

MOST_CARDS = 250_000


def inventory_problems(entry: InventoryEntry, document: Document) -> list[Problem]:
    """What is wrong with the pools together."""
    pool_names = [pool.name for pool in entry.node_pools]
    return [
        *repeated_names(pool_names, ("nodePools",), document),
        *_cards(entry, document),
        *_shared_node_names(entry, document),
        *_currencies(entry, document),
    ]


def _cards(entry: InventoryEntry, document: Document) -> Iterator[Problem]:
    where = document.where_key("nodePools")
    if any(pool.nodes is None and pool.max_nodes is None for pool in entry.node_pools):
        return
    cards = sum(
        (pool.node_count - len(set(pool.unavailable))) * pool.gpus_per_node
        for pool in entry.node_pools
    )
    if cards <= 0 and not entry.rent:
        why = "no pool has a node that may be used" if entry.node_pools else "there is no pool"
        help_ = "add a pool with nodes: or maxNodes: of at least 1"
        yield Problem("P0220", "the inventory has no card", where, why, help_)
    if cards > MOST_CARDS:
        why = f"{cards} cards, at most {MOST_CARDS} are planned at once"
        yield Problem("P0232", "the inventory has too many cards", where, why, "lower maxNodes:")


def _shared_node_names(entry: InventoryEntry, document: Document) -> Iterator[Problem]:
    """Names given by hand that a node of another pool has, given or made from the pool's name."""
    by_name = {pool.name: pool for pool in entry.node_pools}
    owners: dict[str, str] = {}
    for index, pool in enumerate(entry.node_pools):
        for place, name in enumerate(pool.node_names):
            made_for = by_name.get(name.rpartition("-")[0])
            owner = owners.get(name)
            if made_for is not None and made_for is not pool and made_for.has_node(name):
                owner = made_for.name
            if owner is not None and owner != pool.name:
                where = document.where("nodePools", index, "nodeNames", place)
                why = f"pool {owner} has it"
                yield Problem("P0201", f"the name {name} is repeated", where, why)
            owners.setdefault(name, pool.name)


def _currencies(entry: InventoryEntry, document: Document) -> Iterator[Problem]:
    first: str | None = None
    for index, pool in enumerate(entry.node_pools):
        price = pool.price_per_hour
        if price is None:
            continue
        currency = price.currency if isinstance(price, PriceEntry) else "USD"
        first = first or currency
        if currency != first:
            where = document.where("nodePools", index, "pricePerHour", "currency")
            why = f"earlier prices are in {first}, this one in {currency}"
            help_ = "write all prices in one currency; a plain number is in USD"
            yield Problem("P0212", "prices in several currencies", where, why, help_)
