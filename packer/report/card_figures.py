"""Every card's budget as figures: what each process takes of it, part by part. Exact sums."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from packer.domain.basis import Basis
from packer.plan.headline import percent
from packer.plan.plan import CardBudget, DeviceBytes, NodeBudget, PlacedVariant, Placement, Plan


class Part(StrEnum):
    """What bytes of a process are for, in the order they are drawn."""

    WEIGHTS = "weights"
    CONTEXT = "context"
    COMPUTE = "compute"
    DRAFT = "draft"
    PROJECTOR = "projector"
    PROCESS = "process"
    BAND = "band"


@dataclass(frozen=True)
class PartBytes:
    """Bytes of one part, and how far the figure can be trusted."""

    part: Part
    bytes: int
    basis: Basis


@dataclass(frozen=True)
class ProcessFigures:
    """One replica on one card.

    Attributes:
        name: Workload and replica, such as ``chat-0``.
        is_split: Whether the replica has other cards too.
        first_layer, last_layer: Layers on this card; None when it holds none.
        parts: Non-zero parts; one whose basis the plan does not give counts as estimated. They add
            up to ``planned_bytes``.
        planned_bytes: Upper band; this is what was packed.
        basis: Worst basis of the replica's bytes.
    """

    name: str
    workload: str
    replica: int
    quantization: str
    is_split: bool
    first_layer: int | None
    last_layer: int | None
    parts: tuple[PartBytes, ...]
    low_bytes: int
    expected_bytes: int
    planned_bytes: int
    basis: Basis

    def bytes_of(self, part: Part) -> int:
        """Bytes of one part, 0 when the process has none."""
        return sum(one.bytes for one in self.parts if one.part is part)

    def basis_of(self, part: Part) -> Basis:
        """Basis of one part; an absent part is exactly 0."""
        return next((one.basis for one in self.parts if one.part is part), Basis.EXACT)


@dataclass(frozen=True)
class CardFigures:
    """One card: planned + headroom + held by others + left over = allocatable."""

    node: str
    gpu: int
    uuid: str
    product: str
    allocatable_bytes: int
    planned_bytes: int
    expected_bytes: int
    headroom_bytes: int
    taken_bytes: int
    slack_bytes: int
    planned_percent: Decimal
    basis: Basis
    processes: tuple[ProcessFigures, ...]


@dataclass(frozen=True)
class NodeFigures:
    """One node with its cards and its own memory."""

    name: str
    pool: str
    product: str
    zone: str
    sharing: str
    is_used: bool
    host_allocatable_bytes: int
    host_used_bytes: int
    host_percent: Decimal
    price_per_hour: Decimal | None
    currency: str
    cards: tuple[CardFigures, ...]

    @property
    def cards_in_use(self) -> int:
        """Cards with at least one replica."""
        return sum(bool(card.processes) for card in self.cards)


def node_figures(plan: Plan) -> tuple[NodeFigures, ...]:
    """All nodes of a plan, in its order, with every process on its cards."""
    held: dict[tuple[str, int], list[ProcessFigures]] = {}
    for placement in plan.placements:
        for gpu, process in zip(placement.gpus, _processes(placement), strict=True):
            held.setdefault((placement.node, gpu), []).append(process)
    return tuple(_node(node, held) for node in plan.nodes)


def layer_ranges(variant: PlacedVariant) -> tuple[tuple[int, int] | None, ...]:
    """First and last layer per card; None for a card without layers. Exact.

    llama.cpp keeps the first layers on the host when not all are offloaded, and deals the rest out
    in card order; the last layer is the output layer.
    """
    first = max(0, variant.layer_count - sum(variant.layers_per_gpu))
    ranges: list[tuple[int, int] | None] = []
    for count in variant.layers_per_gpu:
        ranges.append((first, first + count - 1) if count else None)
        first += count
    return tuple(ranges)


def _processes(placement: Placement) -> Iterator[ProcessFigures]:
    ranges = layer_ranges(placement.variant)
    for index, device in enumerate(placement.devices):
        layers = ranges[index] if index < len(ranges) else None
        parts = _parts(device)
        yield ProcessFigures(
            name=f"{placement.workload}-{placement.replica}",
            workload=placement.workload,
            replica=placement.replica,
            quantization=placement.variant.quantization,
            is_split=len(placement.gpus) > 1,
            first_layer=layers[0] if layers else None,
            last_layer=layers[1] if layers else None,
            parts=parts,
            low_bytes=device.low_bytes,
            expected_bytes=device.total_bytes,
            planned_bytes=device.high_bytes,
            basis=_worst((placement.variant.basis, *(part.basis for part in parts))),
        )


def _parts(device: DeviceBytes) -> tuple[PartBytes, ...]:
    draft = (device.draft_weights_bytes, device.draft_context_bytes, device.draft_compute_bytes)
    sizes = {
        Part.WEIGHTS: (device.weights_bytes, ("weights",)),
        Part.CONTEXT: (device.context_bytes, ("context",)),
        Part.COMPUTE: (device.compute_bytes, ("compute",)),
        Part.DRAFT: (sum(draft), ("draft_weights", "draft_context", "draft_compute")),
        Part.PROJECTOR: (device.projector_bytes, ("projector",)),
        Part.PROCESS: (device.process_bytes, ("process",)),
    }
    parts = [
        PartBytes(part, size, _worst(device.basis.get(key, Basis.ESTIMATED) for key in keys))
        for part, (size, keys) in sizes.items()
        if size
    ]
    band = device.high_bytes - device.total_bytes
    if band:
        parts.append(PartBytes(Part.BAND, band, _worst(part.basis for part in parts)))
    return tuple(parts)


def _worst(bases: Iterable[Basis]) -> Basis:
    """Least trustworthy of several; nothing at all is exact."""
    worst = Basis.EXACT
    for basis in bases:
        worst = worst.worse(basis)
    return worst


def _node(node: NodeBudget, held: dict[tuple[str, int], list[ProcessFigures]]) -> NodeFigures:
    return NodeFigures(
        name=node.name,
        pool=node.pool,
        product=node.product,
        zone=node.zone,
        sharing=node.sharing.value,
        is_used=node.is_used,
        host_allocatable_bytes=node.host_allocatable_bytes,
        host_used_bytes=node.host_used_bytes,
        host_percent=percent(node.host_used_bytes, node.host_allocatable_bytes),
        price_per_hour=node.price_per_hour,
        currency=node.currency,
        cards=tuple(
            _card(node, card, tuple(held.get((node.name, card.index), ()))) for card in node.cards
        ),
    )


def _card(node: NodeBudget, card: CardBudget, processes: tuple[ProcessFigures, ...]) -> CardFigures:
    """Figures of one card; an empty card keeps no headroom, all of it is left over."""
    headroom = card.headroom_bytes if processes else 0
    return CardFigures(
        node=node.name,
        gpu=card.index,
        uuid=card.uuid,
        product=node.product,
        allocatable_bytes=card.allocatable_bytes,
        planned_bytes=card.used_bytes,
        expected_bytes=card.expected_bytes,
        headroom_bytes=headroom,
        taken_bytes=card.taken_bytes,
        slack_bytes=card.allocatable_bytes - card.taken_bytes - headroom - card.used_bytes,
        planned_percent=percent(card.used_bytes, card.allocatable_bytes),
        basis=_worst(process.basis for process in processes),
        processes=processes,
    )
