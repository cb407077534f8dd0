"""Live nodes as pools of equal nodes: what an Inventory file holds."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from packer.cluster.live_cards import CardKind, LiveCard, LiveNode
from packer.cluster.reading import LiveCluster
from packer.domain.gpu import GpuProduct
from packer.domain.node import Inventory, NodePool, Sharing
from packer.units import GIB

LONGEST_POOL_NAME = 40


@dataclass(frozen=True)
class Unknown:
    """Why no product of the catalogue stands for a card, in words."""

    reason: str


@dataclass(frozen=True)
class LiveInventory:
    """An inventory of a live cluster with what its file says besides.

    Attributes:
        notes: What could not be told, for the head of the file.
        pool_notes: Pool → remarks on its nodes.
    """

    inventory: Inventory
    notes: tuple[str, ...]
    pool_notes: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class _Likeness:
    """What nodes of one pool have in common; ``size`` tells machines of different size apart."""

    kind: CardKind
    cards: int
    sharing: Sharing
    has_zone: bool
    size: int


def pool_nodes(
    live: LiveCluster,
    name: str,
    product_of: Callable[[CardKind], GpuProduct | Unknown],
    sharing: Sharing | None = None,
) -> LiveInventory:
    """Pools of a live cluster.

    Args:
        live: What was read.
        name: Name of the inventory.
        product_of: The product a card is, or why none is known.
        sharing: Way of sharing the user chose; None takes the best that each node's stack serves.
            Nodes that do not serve it are left out.
    """
    notes = list(live.notes)
    notes += [f"{one.node} is left out: {one.reason}" for one in live.left_out]
    groups: dict[_Likeness, list[LiveNode]] = {}
    for node in live.nodes:
        way = _sharing(node, sharing)
        if way is None:
            offered = " or ".join(node.offers)
            notes.append(f"{node.node.name} is left out: its cards are shared by {offered}")
        else:
            groups.setdefault(_likeness(node, way), []).append(node)
    pools: list[NodePool] = []
    pool_notes: dict[str, tuple[str, ...]] = {}
    for likeness, nodes in groups.items():
        product = product_of(likeness.kind)
        if isinstance(product, Unknown):
            names = _some([node.node.name for node in nodes])
            notes.append(f"{names}: left out: {product.reason}")
            continue
        pool = _pool(_pool_name(likeness, product, pools), product, likeness, nodes)
        pools.append(pool)
        pool_notes[pool.name] = tuple(_remarks(nodes))
    return LiveInventory(Inventory(name, tuple(pools)), tuple(notes), pool_notes)


def _sharing(node: LiveNode, wanted: Sharing | None) -> Sharing | None:
    if wanted is None or wanted is Sharing.AUTO:
        return node.offers[0]
    return wanted if wanted in node.offers else None


def _likeness(node: LiveNode, sharing: Sharing) -> _Likeness:
    # Machines of one size differ by what the system keeps; half as much again is another machine.
    size = node.node.memory_bytes.bit_length()
    return _Likeness(node.cards[0].kind, len(node.cards), sharing, bool(node.node.zone), size)


def _pool(
    name: str, product: GpuProduct, likeness: _Likeness, nodes: Sequence[LiveNode]
) -> NodePool:
    ordered = sorted(nodes, key=lambda one: (one.node.zone, one.node.name))
    room = max(one.node.memory_bytes for one in ordered)
    zones: dict[str, int] = {}
    for one in ordered:
        zones[one.node.zone] = zones.get(one.node.zone, 0) + 1
    taken = {one.node.name: _taken(one.cards, product) for one in ordered}
    return NodePool(
        name=name,
        gpu=product,
        gpus_per_node=likeness.cards,
        nodes=len(ordered),
        is_rentable=False,
        host_memory_bytes=room,
        zones=zones if likeness.has_zone else {},
        sharing=likeness.sharing,
        taken={node: held for node, held in taken.items() if held},
        node_names=tuple(one.node.name for one in ordered),
        gpu_uuids=_uuids(ordered),
        unavailable=tuple(one.node.name for one in ordered if one.node.refusal),
        host_taken=_host_taken(ordered, room),
    )


def _uuids(nodes: Iterable[LiveNode]) -> dict[str, tuple[str, ...]]:
    uuids = {one.node.name: tuple(card.uuid for card in one.cards) for one in nodes}
    return {name: cards for name, cards in uuids.items() if all(cards)}


def _taken(cards: Sequence[LiveCard], product: GpuProduct) -> dict[int, int]:
    """Card → bytes that others hold, at most what llama.cpp could allocate of it."""
    most = product.allocatable_bytes
    held = {
        index: most if card.is_held_whole else min(most, card.held_bytes)
        for index, card in enumerate(cards)
    }
    return {index: count for index, count in held.items() if count}


def _host_taken(nodes: Iterable[LiveNode], room: int) -> dict[str, int]:
    """Node → memory that is not free, in whole GiB, so that nodes stay comparable; never less."""
    taken = {one.node.name: -(-(room - one.host_free_bytes) // GIB) * GIB for one in nodes}
    return {name: min(room, count) for name, count in taken.items() if count}


def _remarks(nodes: Iterable[LiveNode]) -> Iterator[str]:
    """Remarks on nodes, each once for all nodes it is about."""
    about: dict[str, list[str]] = {}
    for one in nodes:
        refusals = (f"may not be used: {one.node.refusal}",) if one.node.refusal else ()
        for remark in (*refusals, *one.notes):
            about.setdefault(remark, []).append(one.node.name)
    for remark, names in about.items():
        yield f"{_some(names)}: {remark}"


def _pool_name(likeness: _Likeness, product: GpuProduct, pools: Sequence[NodePool]) -> str:
    """Short name of the cards and their number, such as ``l40s-x4``; numbered if it is taken."""
    letters = "".join(c if c.isascii() and c.isalnum() else "-" for c in product.name.lower())
    words = "-".join(part for part in letters.split("-") if part)
    base = f"{words[: LONGEST_POOL_NAME - 10].strip('-')}-x{likeness.cards}"
    taken = {pool.name for pool in pools}
    number = 1
    name = base
    while name in taken:
        number += 1
        name = f"{base}-{number}"
    return name


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
