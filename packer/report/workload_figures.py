"""What each workload got: its files, its places, its command lines, its share of the bill."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from packer.domain.basis import Basis
from packer.plan.cost import Bill, CostKind
from packer.plan.plan import (
    HostBytes,
    PlacedVariant,
    Placement,
    Plan,
    PlannedSpeed,
    WorkloadSummary,
)


@dataclass(frozen=True)
class Place:
    """Where one replica runs; ``gpus`` in the order its process sees them."""

    replica: int
    node: str
    product: str
    gpus: tuple[int, ...]


@dataclass(frozen=True)
class ReplicaGroup:
    """Replicas of one workload that run the very same command line.

    Attributes:
        planned_bytes: Upper bands of one replica, all its cards together.
        host: Bytes of one replica in its node's memory.
        argv: Exact command line, program first.
        speed: What one replica does; None where the fleet does not speak of speed.
    """

    places: tuple[Place, ...]
    variant: PlacedVariant
    planned_bytes: int
    context_bytes: int
    host: HostBytes
    argv: tuple[str, ...]
    speed: PlannedSpeed | None = None

    @property
    def replicas(self) -> int:
        """How many replicas there are in the group."""
        return len(self.places)


@dataclass(frozen=True)
class WorkloadFigures:
    """One workload: what was asked, what was chosen, what it costs.

    Attributes:
        planned_bytes: Upper bands of all replicas on all cards.
        per_hour, per_month: Its memory share of the bill; None when the bill is unknown.
        basis: Worst basis of its bytes.
    """

    asked: WorkloadSummary
    groups: tuple[ReplicaGroup, ...]
    planned_bytes: int
    per_hour: Decimal | None
    per_month: Decimal | None
    basis: Basis


def workload_figures(plan: Plan, bill: Bill) -> tuple[WorkloadFigures, ...]:
    """Figures of every workload, in fleet order."""
    costs = {line.name: line for line in bill.lines if line.kind is CostKind.WORKLOAD}
    figures = []
    for summary in plan.workloads:
        placements = [one for one in plan.placements if one.workload == summary.name]
        cost = costs.get(summary.name)
        basis = Basis.EXACT
        for placement in placements:
            basis = basis.worse(placement.variant.basis)
        figures.append(
            WorkloadFigures(
                asked=summary,
                groups=_groups(plan, placements),
                planned_bytes=sum(_planned_bytes(one) for one in placements),
                per_hour=cost.per_hour if cost else None,
                per_month=cost.per_month if cost else None,
                basis=basis,
            )
        )
    return tuple(figures)


def _groups(plan: Plan, placements: Iterable[Placement]) -> tuple[ReplicaGroup, ...]:
    products = {node.name: node.product for node in plan.nodes}
    grouped: dict[object, list[Placement]] = {}
    for one in placements:
        key = (one.argv, one.variant, one.host, _planned_bytes(one), one.speed)
        grouped.setdefault(key, []).append(one)
    return tuple(
        ReplicaGroup(
            places=tuple(
                Place(one.replica, one.node, products[one.node], one.gpus) for one in members
            ),
            variant=members[0].variant,
            planned_bytes=_planned_bytes(members[0]),
            context_bytes=sum(device.context_bytes for device in members[0].devices),
            host=members[0].host,
            argv=members[0].argv,
            speed=members[0].speed,
        )
        for members in grouped.values()
    )


def _planned_bytes(placement: Placement) -> int:
    return sum(device.high_bytes for device in placement.devices)
