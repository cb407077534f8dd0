"""Nodes and pools: where replicas can go."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum

from packer.domain.gpu import GpuProduct
from packer.domain.payment import Payment


class Sharing(StrEnum):
    """How several llama-servers get at one card."""

    DRA = "dra"
    DRA_MEMORY = "dra-memory"
    WHOLE = "whole"
    HAMI = "hami"
    MIG = "mig"
    AUTO = "auto"


@dataclass(frozen=True)
class Price:
    """Price of one whole node per hour, dated; an unknown price is None, never 0."""

    on_demand: Decimal | None
    spot: Decimal | None = None
    currency: str = "USD"
    as_of: date | None = None
    source: str = ""
    reserved_1y: Decimal | None = None
    reserved_3y: Decimal | None = None

    def under(self, payment: Payment) -> Decimal | None:
        """Price per hour on these terms; None if it is unknown."""
        return {
            Payment.ON_DEMAND: self.on_demand,
            Payment.SPOT: self.spot,
            Payment.RESERVED_1Y: self.reserved_1y,
            Payment.RESERVED_3Y: self.reserved_3y,
        }[payment]


@dataclass(frozen=True)
class NodePool:
    """Equal nodes that exist or could be rented.

    Attributes:
        name: Pool name; its nodes are ``<name>-0``, ``<name>-1`` … unless ``node_names`` is given.
        gpu: Product of every card.
        gpus_per_node: Cards in one node.
        nodes: Nodes that exist, or the most that may be rented.
        is_rentable: Whether the nodes are only paid for when used (``maxNodes``).
        host_memory_bytes: Memory for pods on one node [bytes].
        host_memory_bandwidth_bytes_per_second: For layers on the CPU [bytes/s]; None if unknown.
        zones: Zone → number of nodes, in order; nodes 0… are in the first zone.
        link_groups: Card indices joined by a fast link; empty means all together.
        price: Price of one node, or None if unknown.
        sharing: How cards are shared.
        taken: Node name → card index → bytes that others hold [bytes].
        node_names: Names of live nodes; empty means generated.
        gpu_uuids: Node name → card UUIDs in index order, for live inventories.
        unavailable: Names of nodes that may not be used (failed, drained).
        host_taken: Node name → memory of the node that others hold [bytes].
        payment: Terms the nodes are paid on; spot nodes may be taken back at any time.
        instance_type: The provider's name of such a node; empty for hardware of one's own.
        provider, region: Where it is rented; empty likewise.
    """

    name: str
    gpu: GpuProduct
    gpus_per_node: int
    nodes: int
    is_rentable: bool
    host_memory_bytes: int
    host_memory_bandwidth_bytes_per_second: int | None = None
    zones: Mapping[str, int] = field(default_factory=dict)
    link_groups: tuple[tuple[int, ...], ...] = ()
    price: Price | None = None
    sharing: Sharing = Sharing.DRA
    taken: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    node_names: tuple[str, ...] = ()
    gpu_uuids: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unavailable: tuple[str, ...] = ()
    host_taken: Mapping[str, int] = field(default_factory=dict)
    payment: Payment = Payment.ON_DEMAND
    instance_type: str = ""
    provider: str = ""
    region: str = ""

    @property
    def price_per_hour(self) -> Decimal | None:
        """Price of one node on the pool's terms; None if it is unknown."""
        return self.price.under(self.payment) if self.price else None

    @property
    def may_be_interrupted(self) -> bool:
        """Whether the provider may take a node back."""
        return self.payment is Payment.SPOT

    def node_name(self, index: int) -> str:
        """Name of the index-th node of this pool."""
        return self.node_names[index] if self.node_names else f"{self.name}-{index}"

    def zone_of(self, index: int) -> str:
        """Zone of the index-th node; empty when the pool names none."""
        first = 0
        for zone, count in self.zones.items():
            if index < first + count:
                return zone
            first += count
        return ""

    def free_bytes(self, index: int, gpu: int) -> int:
        """Allocatable bytes of one card, less what others hold [bytes]."""
        held = self.taken.get(self.node_name(index), {}).get(gpu, 0)
        return self.gpu.allocatable_bytes - held

    def host_free_bytes(self, index: int) -> int:
        """Memory for pods on one node, less what others hold [bytes]."""
        return self.host_memory_bytes - self.host_taken.get(self.node_name(index), 0)


@dataclass(frozen=True)
class Inventory:
    """All node pools a fleet may be placed on."""

    name: str
    pools: tuple[NodePool, ...]

    @property
    def gpu_count(self) -> int:
        """Cards of all pools, rentable ones included."""
        return sum(pool.nodes * pool.gpus_per_node for pool in self.pools)
