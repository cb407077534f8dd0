"""Values of one node pool that are fine alone but not together."""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from packer.domain.gpu import GpuProduct
from packer.errors import Location, Problem
from packer.spec.document import Document
from packer.spec.inventory_schema import GpuByHand, NodePoolEntry
from packer.spec.problems import enough, nearest
from packer.spec.workload_checks import repeated
from packer.units import format_quantity


class PoolInFile:
    """One pool with its place in the file."""

    def __init__(self, entry: NodePoolEntry, index: int, document: Document) -> None:
        """Keep them."""
        self.entry = entry
        self._path = ("nodePools", index)
        self._document = document

    def where(self, *path: str | int) -> Location:
        """Place of a value of the pool."""
        return self._document.where(*self._path, *path)

    def where_key(self, *path: str | int) -> Location:
        """Place of a key of the pool."""
        return self._document.where_key(*self._path, *path)

    def unknown_node(self, name: str, where: Location) -> Problem | None:
        """The problem that no node is called so; None if one is."""
        entry = self.entry
        if entry.has_node(name):
            return None
        near = nearest(name, entry.node_names)
        span = f"{entry.name}-0 … {entry.name}-{entry.node_count - 1}"
        help_ = f"did you mean {near}?" if near else f"nodes: {_some(entry.node_names) or span}"
        why = f"{entry.name} has {entry.node_count} nodes"
        return Problem("P0222", f"there is no node {name}", where, why, help_)


def pool_problems(pool: PoolInFile, gpu: GpuProduct | None) -> list[Problem]:
    """What is wrong with one pool; ``gpu`` is None if it is unknown."""
    count = list(_count(pool))
    if count:
        return count
    found = chain.from_iterable(check(pool) for check in _CHECKS)
    return enough(chain(found, _repeated_uuids(pool, gpu), _taken(pool, gpu)))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (" …" if len(names) > 10 else "")


def _count(pool: PoolInFile) -> Iterator[Problem]:
    entry = pool.entry
    if entry.nodes is None and entry.max_nodes is None:
        help_ = "nodes: 3 for nodes that exist, maxNodes: 20 for nodes that can be rented"
        yield Problem("P0227", f"{entry.name}: how many nodes?", pool.where(), "no count", help_)
    if entry.nodes is not None and entry.max_nodes is not None:
        title = f"{entry.name}: nodes and maxNodes exclude each other"
        help_ = "make it two pools: one that exists, one that can be rented"
        yield Problem("P0227", title, pool.where_key("maxNodes"), "both are given", help_)


def _zones(pool: PoolInFile) -> Iterator[Problem]:
    zones, nodes = pool.entry.zones, pool.entry.node_count
    if zones and sum(zones.values()) != nodes:
        why = f"{' + '.join(map(str, zones.values()))} = {sum(zones.values())}, not {nodes}"
        title = f"{pool.entry.name}: zones do not add up to the nodes"
        yield Problem("P0221", title, pool.where("zones"), why, "count every node in one zone")


def _node_names(pool: PoolInFile) -> Iterator[Problem]:
    names, nodes = pool.entry.node_names, pool.entry.node_count
    if names and len(names) != nodes:
        title = f"{pool.entry.name}: nodeNames are not as many as nodes"
        why = f"{len(names)} names for {nodes} nodes"
        yield Problem("P0224", title, pool.where("nodeNames"), why, "name every node once")
    for index in repeated(names):
        title = f"the name {names[index]} is repeated"
        where = pool.where("nodeNames", index)
        yield Problem("P0201", title, where, "another node has it", "name every node once")


def _uuids(pool: PoolInFile) -> Iterator[Problem]:
    cards = pool.entry.gpus_per_node
    for node, uuids in pool.entry.gpu_uuids.items():
        where = pool.where_key("gpuUuids", node)
        unknown = pool.unknown_node(node, where)
        if unknown:
            yield unknown
        if len(uuids) != cards:
            title = f"{node}: gpuUuids are not as many as cards"
            yield Problem("P0225", title, where, f"{len(uuids)} UUIDs for {cards} cards")


def _repeated_uuids(pool: PoolInFile, gpu: GpuProduct | None) -> Iterator[Problem]:
    """UUIDs that came before; several MIG slices may name the one card they are cut from."""
    is_sliced = gpu is not None and gpu.is_slice
    seen: set[str] = set()
    for node, uuids in pool.entry.gpu_uuids.items():
        for index, uuid in enumerate(uuids):
            if uuid in seen and not (is_sliced and uuid.startswith("GPU-")):
                here = pool.where("gpuUuids", node, index)
                yield Problem("P0225", "two cards cannot share a UUID", here, "it came before")
            seen.add(uuid)


def _unavailable(pool: PoolInFile) -> Iterator[Problem]:
    for index, name in enumerate(pool.entry.unavailable):
        unknown = pool.unknown_node(name, pool.where("unavailable", index))
        if unknown:
            yield unknown


def _link_groups(pool: PoolInFile) -> Iterator[Problem]:
    seen: set[int] = set()
    cards = pool.entry.gpus_per_node
    for index, group in enumerate(pool.entry.link_groups):
        for place, card in enumerate(group):
            why = "it came before" if card in seen else f"cards are 0 to {cards - 1}"
            if card in seen or card >= cards:
                title = f"card {card} cannot be in this link group"
                where = pool.where("linkGroups", index, place)
                yield Problem("P0226", title, where, why, "name each card of the node once")
            seen.add(card)


def _by_hand(pool: PoolInFile) -> Iterator[Problem]:
    gpu = pool.entry.gpu
    if not isinstance(gpu, GpuByHand):
        return
    if gpu.allocatable is not None and gpu.allocatable > gpu.memory:
        title = f"{gpu.name}: more is allocatable than there is"
        why = f"memory is {format_quantity(gpu.memory)}"
        help_ = "leave allocatable out to have it estimated"
        yield Problem("P0228", title, pool.where("gpu", "allocatable"), why, help_)


def _taken(pool: PoolInFile, gpu: GpuProduct | None) -> Iterator[Problem]:
    cards = pool.entry.gpus_per_node
    for node, held_by_card in pool.entry.taken.items():
        unknown = pool.unknown_node(node, pool.where_key("taken", node))
        if unknown:
            yield unknown
        for key, held in held_by_card.items():
            where = pool.where("taken", node, key)
            if int(key.removeprefix("gpu")) >= cards:
                why = f"cards are gpu0 to gpu{cards - 1}"
                yield Problem("P0223", f"{node} has no {key}", where, why)
            elif gpu is not None and held > gpu.allocatable_bytes:
                why = f"{gpu.name} has {format_quantity(gpu.allocatable_bytes)}"
                title = f"more is taken of {node} {key} than it has"
                yield Problem("P0223", title, where, why, "list a lost node under unavailable:")


def _host_taken(pool: PoolInFile) -> Iterator[Problem]:
    memory = pool.entry.host_memory
    for node, held in pool.entry.host_taken.items():
        unknown = pool.unknown_node(node, pool.where_key("hostTaken", node))
        if unknown:
            yield unknown
        if held > memory:
            why = f"hostMemory is {format_quantity(memory)}"
            where = pool.where("hostTaken", node)
            help_ = "list a lost node under unavailable:"
            yield Problem("P0223", f"more memory is taken of {node} than it has", where, why, help_)


_CHECKS: tuple[Callable[[PoolInFile], Iterator[Problem]], ...] = (
    _zones,
    _node_names,
    _uuids,
    _unavailable,
    _host_taken,
    _link_groups,
    _by_hand,
)
