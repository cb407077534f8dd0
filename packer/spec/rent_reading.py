"""Rentable instance types of an inventory as node pools, one per type, region and payment."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from packer.domain.gpu import GpuProduct
from packer.domain.instance_price import InstancePrice, RentalQuery
from packer.domain.node import NodePool, Sharing
from packer.domain.node_reserve import memory_for_pods
from packer.domain.payment import Payment
from packer.errors import Location, Problem
from packer.spec.document import Document
from packer.spec.field_types import LONGEST_NAME
from packer.spec.inventory_schema import MOST_GPUS_PER_NODE, MOST_POOLS, RentEntry
from packer.spec.lookups import Lookups, located
from packer.spec.problems import MOST_PROBLEMS
from packer.units import GIB

# Lists of single cards have the way of paying, or a grade of hosting, in the place of a type.
_NO_TYPES = frozenset({"", "on-demand", "spot", "marketplace", "community", "secure", "production"})


@dataclass(frozen=True)
class RentInFile:
    """One ``rent`` entry with its place in the file."""

    entry: RentEntry
    index: int
    document: Document

    def where(self, *path: str | int) -> Location:
        """Place of a value of the entry."""
        return self.document.where("rent", self.index, *path)


def rented_pools(
    entries: tuple[RentEntry, ...], document: Document, lookups: Lookups, problems: list[Problem]
) -> list[NodePool]:
    """Pools of every entry; what is wrong is added to the problems."""
    pools: list[NodePool] = []
    for index, entry in enumerate(entries):
        if len(problems) > MOST_PROBLEMS:
            break
        rent = RentInFile(entry, index, document)
        found = list(_pools(rent, lookups, problems))
        if not found and not problems:
            problems.append(_no_price(rent))
        pools += found
    if len(pools) > MOST_POOLS:
        title = f"{len(pools)} kinds of rentable node are too many"
        why = f"at most {MOST_POOLS} are planned at once"
        where = document.where_key("rent")
        problems.append(Problem("P0920", title, where, why, "name instanceTypes: or one gpu:"))
        return []
    return _with_own_names(pools)


def _pools(rent: RentInFile, lookups: Lookups, problems: list[Problem]) -> Iterator[NodePool]:
    entry = rent.entry
    query = RentalQuery(
        provider=entry.provider,
        regions=(entry.region,) if entry.region else (),
        instance_types=entry.instance_types,
        gpu=entry.gpu or "",
        payments=tuple(map(Payment, entry.payment)),
    )
    rows: tuple[InstancePrice, ...] = ()
    with located(problems, rent.where()):
        rows = lookups.rentals(query)
    for row in rows:
        gpu = _modelled(row, rent, lookups, problems)
        memory = _host_memory(row, rent, problems)
        if gpu is None or memory is None:
            continue
        for payment in query.payments:
            if row.price.under(payment) is not None:
                yield _pool(row, gpu, memory, payment, entry)


def _modelled(
    row: InstancePrice, rent: RentInFile, lookups: Lookups, problems: list[Problem]
) -> GpuProduct | None:
    """The card of a row; None for one we cannot compute, which only counts if it was named."""
    gpu = lookups.gpu(row.products[0])
    if row.gpu_count > MOST_GPUS_PER_NODE:
        return None
    if gpu.is_modelled:
        return gpu
    if rent.entry.gpu:
        title = f"{gpu.name} is not modelled"
        problems.append(Problem("P0520", title, rent.where("gpu"), gpu.not_modelled))
    return None


def _host_memory(row: InstancePrice, rent: RentInFile, problems: list[Problem]) -> int | None:
    if rent.entry.host_memory is not None:
        return rent.entry.host_memory
    if row.memory_gib is not None:
        return memory_for_pods(row.memory_gib * GIB)
    title = f"the memory of {row.instance_type or row.gpu} at {row.provider} is unknown"
    help_ = "write hostMemory: 96Gi, the memory for pods on one node"
    problems.append(Problem("P0910", title, rent.where(), "its price row does not say it", help_))
    return None


def _pool(
    row: InstancePrice, gpu: GpuProduct, host_memory: int, payment: Payment, entry: RentEntry
) -> NodePool:
    zones = {zone: entry.max_nodes for zone in entry.zones}
    return NodePool(
        name=_slug(_base_name(row, gpu), payment.suffix),
        gpu=gpu,
        gpus_per_node=row.gpu_count,
        nodes=entry.max_nodes * max(1, len(entry.zones)),
        is_rentable=True,
        host_memory_bytes=host_memory,
        zones=zones,
        price=row.price,
        sharing=Sharing(entry.sharing),
        payment=payment,
        instance_type=row.instance_type or f"{row.gpu_count} × {row.gpu}",
        provider=row.provider,
        region=row.region,
    )


def _base_name(row: InstancePrice, gpu: GpuProduct) -> str:
    if row.instance_type.lower() in _NO_TYPES:
        return f"{row.provider} {gpu.name} x{row.gpu_count}"
    return row.instance_type


def _slug(name: str, suffix: str) -> str:
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "rented"
    return plain[: LONGEST_NAME - len(suffix)].rstrip("-") + suffix


def _with_own_names(pools: list[NodePool]) -> list[NodePool]:
    """The same pools; those that share a name are told apart by their region, or a number."""
    shared = {name for name, count in Counter(pool.name for pool in pools).items() if count > 1}
    taken: set[str] = set()
    named = []
    for pool in pools:
        name = pool.name
        if name in shared and pool.region:
            name = _slug(f"{pool.instance_type} {pool.region}", pool.payment.suffix)
        number = 1
        while name in taken:
            number += 1
            name = _slug(pool.name.removesuffix(pool.payment.suffix), f"-{number}")
        taken.add(name)
        named.append(replace(pool, name=name))
    return named


def _no_price(rent: RentInFile) -> Problem:
    payments = " or ".join(rent.entry.payment)
    title = f"no instance there has a known price {payments}"
    help_ = "name another payment:, or give the price in a price book"
    return Problem("P0915", title, rent.where(), help=help_)
