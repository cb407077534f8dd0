"""An inventory file's text as an Inventory, or everything that is wrong with it."""

from packer.domain.gpu import GpuProduct
from packer.domain.node import Inventory, NodePool, Price, Sharing
from packer.domain.payment import Payment
from packer.errors import InvalidInput, Location, Problem
from packer.spec.document import Document
from packer.spec.gpu_by_hand import product_by_hand
from packer.spec.inventory_checks import inventory_problems
from packer.spec.inventory_schema import GpuByHand, InventoryEntry, NodePoolEntry, PriceEntry
from packer.spec.kinds import read_document
from packer.spec.lookups import Lookups, located
from packer.spec.pool_checks import PoolInFile, pool_problems
from packer.spec.problems import MOST_PROBLEMS, in_file_order, validate
from packer.spec.rent_reading import rented_pools


def read_inventory(text: str | bytes, file: str, lookups: Lookups) -> Inventory:
    """The inventory a file describes.

    Args:
        text: YAML or JSON; a fleet may be another document of it.
        file: What the user called it.
        lookups: How cards are found.

    Raises:
        InvalidInput: With every problem of the file, in file order.
    """
    document = read_document(text, file, "Inventory")
    entry = validate(document, InventoryEntry, "inventory")
    problems: list[Problem] = []
    pools: list[NodePool] = []
    products: dict[str, GpuProduct] = {}
    for index, pool_entry in enumerate(entry.node_pools):
        if len(problems) > MOST_PROBLEMS:
            break
        gpu = _gpu(pool_entry, index, document, lookups, problems)
        problems += pool_problems(PoolInFile(pool_entry, index, document), gpu)
        if gpu is not None:
            pools.append(_pool(pool_entry, gpu, lookups.own_price(pool_entry.name)))
            if products.setdefault(gpu.name, gpu) != gpu:
                problems.append(_another(gpu.name, document.where("nodePools", index, "gpu")))
    problems += inventory_problems(entry, document)
    pools += _rented(entry, document, lookups, problems, {pool.name for pool in pools})
    if problems:
        raise InvalidInput(in_file_order(problems))
    return Inventory(entry.metadata.name, tuple(pools))


def _rented(
    entry: InventoryEntry,
    document: Document,
    lookups: Lookups,
    problems: list[Problem],
    names: set[str],
) -> list[NodePool]:
    """Pools of what may be rented; their names and currency must agree with the other pools."""
    pools = rented_pools(entry.rent, document, lookups, problems)
    for pool in pools:
        if pool.name in names:
            title = f"the name {pool.name} is repeated"
            why = f"it is made from the instance type {pool.instance_type}"
            help_ = "give the pool under nodePools another name"
            problems.append(Problem("P0201", title, document.where_key("rent"), why, help_))
    return pools


def _gpu(
    entry: NodePoolEntry, index: int, document: Document, lookups: Lookups, problems: list[Problem]
) -> GpuProduct | None:
    where = document.where("nodePools", index, "gpu")
    if isinstance(entry.gpu, GpuByHand):
        return product_by_hand(entry.gpu)
    with located(problems, where):
        gpu = lookups.gpu(entry.gpu)
        if not gpu.is_modelled:
            title = f"{gpu.name} is not modelled"
            why = gpu.not_modelled or f"{gpu.vendor} cards are not computed"
            help_ = f"leave the pool {entry.name} out, or plan it by other means"
            problems.append(Problem("P0520", title, where, why, help_))
        return gpu
    return None


def _another(name: str, where: Location) -> Problem:
    """The problem that a fleet could not tell two kinds of card apart."""
    title = f"another pool has a different card called {name}"
    help_ = "give the card another name, or the same figures everywhere"
    return Problem("P0233", title, where, "names tell cards apart", help_)


def _pool(entry: NodePoolEntry, gpu: GpuProduct, own_price: Price | None) -> NodePool:
    return NodePool(
        name=entry.name,
        gpu=gpu,
        gpus_per_node=entry.gpus_per_node,
        nodes=entry.node_count,
        is_rentable=entry.max_nodes is not None,
        host_memory_bytes=entry.host_memory,
        host_memory_bandwidth_bytes_per_second=entry.host_memory_bandwidth,
        zones=dict(entry.zones),
        link_groups=entry.link_groups,
        price=own_price or _price(entry),
        sharing=Sharing(entry.sharing),
        taken={
            node: {int(card.removeprefix("gpu")): held for card, held in cards.items()}
            for node, cards in entry.taken.items()
        },
        node_names=entry.node_names,
        gpu_uuids=dict(entry.gpu_uuids),
        unavailable=entry.unavailable,
        host_taken=dict(entry.host_taken),
        payment=Payment(entry.payment),
    )


def _price(entry: NodePoolEntry) -> Price | None:
    given = entry.price_per_hour
    if given is None:
        return None
    if not isinstance(given, PriceEntry):
        return Price(given)
    return Price(
        given.on_demand,
        given.spot,
        given.currency,
        given.as_of,
        given.source,
        given.reserved_1y,
        given.reserved_3y,
    )
