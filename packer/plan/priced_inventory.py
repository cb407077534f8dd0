"""Inventories on terms of payment: what a comparison sets side by side."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from packer.domain.node import Inventory, NodePool
from packer.domain.payment import Payment
from packer.errors import InvalidInput, Problem

Terms = tuple[Payment, ...]

TERMS: dict[str, Terms] = {
    "on-demand": (Payment.ON_DEMAND,),
    "spot": (Payment.ON_DEMAND, Payment.SPOT),
    "reserved-1y": (Payment.RESERVED_1Y,),
    "reserved-3y": (Payment.RESERVED_3Y,),
}
"""Terms by name. Spot has on-demand nodes too, for workloads that do not allow spot."""


@dataclass(frozen=True)
class PricedInventory:
    """One scenario of a comparison.

    Attributes:
        name: The inventory's, and what was restricted in it.
        terms: Ways of paying that its rentable nodes have.
        is_part: Whether it is one instance type alone, taken out of a larger menu.
    """

    name: str
    inventory: Inventory
    inventory_sha256: str
    terms: Terms
    is_part: bool = False


def as_written(inventory: Inventory, sha256: str) -> PricedInventory:
    """An inventory on the terms it names itself."""
    found = dict.fromkeys(pool.payment for pool in inventory.pools if pool.is_rentable)
    return PricedInventory(inventory.name, inventory, sha256, tuple(found))


def on_terms(written: PricedInventory, name: str) -> PricedInventory:
    """The same with every rentable node paid on named terms; nodes that exist stay as they are.

    Raises:
        InvalidInput: P0915, there are no such terms, or the inventory has nothing else and no price
            on these terms is known.
    """
    if name not in TERMS:
        title = f"{name} are no terms of payment"
        raise InvalidInput(Problem("P0915", title, help=f"choose from {', '.join(TERMS)}"))
    terms = TERMS[name]
    pools: list[NodePool] = []
    seen: list[NodePool] = []
    for pool in written.inventory.pools:
        if not pool.is_rentable:
            pools.append(pool)
            continue
        base = _without_terms(pool)
        if base not in seen:
            seen.append(base)
            pools += _paid(base, terms)
    if not pools:
        raise InvalidInput(
            Problem(
                "P0915",
                f"no node of {written.name} has a known price {name}",
                help="give it in a price book, or compare other terms",
            )
        )
    inventory = replace(written.inventory, pools=tuple(pools))
    title = f"{written.name} · {name}"
    return PricedInventory(title, inventory, written.inventory_sha256, terms)


def _without_terms(pool: NodePool) -> NodePool:
    name = pool.name.removesuffix(pool.payment.suffix) if pool.payment.suffix else pool.name
    return replace(pool, name=name, payment=Payment.ON_DEMAND)


def _paid(base: NodePool, terms: Terms) -> Iterator[NodePool]:
    for payment in terms:
        if base.price is not None and base.price.under(payment) is not None:
            yield replace(base, name=f"{base.name}{payment.suffix}", payment=payment)


def each_type(whole: PricedInventory) -> tuple[PricedInventory, ...]:
    """One inventory per rentable instance type, with nothing but it; none where there is one."""
    by_type: dict[str, list[NodePool]] = {}
    for pool in whole.inventory.pools:
        if pool.is_rentable:
            by_type.setdefault(pool.instance_type or pool.name, []).append(pool)
    if len(by_type) < 2:
        return ()
    return tuple(
        PricedInventory(
            f"{whole.name} · only {name}",
            replace(whole.inventory, pools=tuple(pools)),
            whole.inventory_sha256,
            whole.terms,
            is_part=True,
        )
        for name, pools in by_type.items()
    )
