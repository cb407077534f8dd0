"""What a user writes in an inventory file, key by key."""

from functools import cached_property
from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from packer.spec.field_types import (
    CardKey,
    ComputeCapability,
    Currency,
    Day,
    GpuName,
    GpuUuid,
    Name,
    NodeName,
    ProductLabel,
    SourceText,
    Whole,
    ZoneName,
)
from packer.spec.quantity_types import Bytes, Money, PositiveBytes
from packer.spec.strict_model import MAPPING_TAG, VALUE_TAG, Metadata, StrictModel

MOST_POOLS = 1_000
MOST_NODES = 10_000
MOST_GPUS_PER_NODE = 64

CardIndex = Annotated[Whole, Field(ge=0, lt=MOST_GPUS_PER_NODE)]
LinkGroup = Annotated[tuple[CardIndex, ...], Field(min_length=1, max_length=MOST_GPUS_PER_NODE)]
Uuids = Annotated[tuple[GpuUuid, ...], Field(max_length=MOST_GPUS_PER_NODE)]


class GpuByHand(StrictModel):
    """A CUDA card that the catalogue does not know."""

    name: GpuName
    """Name of the product; `gpus.allow` and `gpus.refuse` of a fleet may use it."""
    memory: PositiveBytes
    """Memory that nvidia-smi prints as the total."""
    allocatable: PositiveBytes | None = None
    """Memory that llama.cpp prints as the total of an idle card. Default: estimated low."""
    bandwidth: PositiveBytes
    """Memory bandwidth in bytes per second, such as `864G`."""
    compute_capability: ComputeCapability
    """CUDA compute capability, such as 8.9."""
    label: ProductLabel | None = None
    """Value of the node label nvidia.com/gpu.product. Default: NVIDIA-<name>."""


PaymentName = Literal["on-demand", "spot", "reserved-1y", "reserved-3y"]


class PriceEntry(StrictModel):
    """Price of one whole node per hour."""

    on_demand: Money | None = None
    """Price per hour, payable by the hour."""
    spot: Money | None = None
    """Price per hour when the provider may take the node back."""
    reserved_1y: Annotated[Money | None, Field(alias="reserved1y")] = None
    """Price per hour when taken for a year."""
    reserved_3y: Annotated[Money | None, Field(alias="reserved3y")] = None
    """Price per hour when taken for three years."""
    currency: Currency = "USD"
    """Currency of the prices, three letters."""
    as_of: Day | None = None
    """Day the prices were looked up."""
    source: SourceText = ""
    """Where they come from."""


def _mapping_or_value(value: object) -> str:
    return MAPPING_TAG if isinstance(value, dict | StrictModel) else VALUE_TAG


Gpu = Annotated[
    Annotated[GpuName, Tag(VALUE_TAG)] | Annotated[GpuByHand, Tag(MAPPING_TAG)],
    Discriminator(_mapping_or_value),
]
PricePerHour = Annotated[
    Annotated[Money, Tag(VALUE_TAG)] | Annotated[PriceEntry, Tag(MAPPING_TAG)],
    Discriminator(_mapping_or_value),
]


class NodePoolEntry(StrictModel):
    """Equal nodes that exist, or that could be rented."""

    name: Name
    """Name of the pool; its nodes are <name>-0, <name>-1 … unless nodeNames says otherwise."""
    gpu: Gpu
    """Product of every card: a name of the catalogue, or a mapping that describes it."""
    gpus_per_node: Annotated[Whole, Field(ge=1, le=MOST_GPUS_PER_NODE)]
    """Cards in one node."""
    nodes: Annotated[Whole, Field(ge=0, le=MOST_NODES)] | None = None
    """Nodes that exist."""
    max_nodes: Annotated[Whole, Field(ge=0, le=MOST_NODES)] | None = None
    """Most nodes that may be rented; only used ones are paid for. Instead of nodes."""
    host_memory: PositiveBytes
    """Memory for pods on one node."""
    host_memory_bandwidth: PositiveBytes | None = None
    """Memory bandwidth of one node's processors in bytes per second, such as `300G`."""
    zones: Annotated[
        dict[ZoneName, Annotated[Whole, Field(ge=0, le=MOST_NODES)]], Field(max_length=100)
    ] = Field(default_factory=dict)
    """Zone → nodes in it, in the order of the nodes; the counts add up to all nodes."""
    link_groups: Annotated[tuple[LinkGroup, ...], Field(max_length=MOST_GPUS_PER_NODE)] = ()
    """Cards joined by a fast link, such as `[[0, 1], [2, 3]]`. Default: all together."""
    price_per_hour: PricePerHour | None = None
    """Price of one whole node per hour: a number, or a mapping with its date and source."""
    payment: PaymentName = "on-demand"
    """Which of the prices is paid; only workloads with spot: allowed sit on spot nodes."""
    sharing: Literal["dra", "dra-memory", "whole", "hami", "mig", "auto"] = "dra"
    """How several servers get at one card."""
    taken: Annotated[dict[NodeName, dict[CardKey, Bytes]], Field(max_length=MOST_NODES)] = Field(
        default_factory=dict
    )
    """Node → card (gpu0, gpu1 …) → memory that others hold."""
    host_taken: Annotated[dict[NodeName, Bytes], Field(max_length=MOST_NODES)] = Field(
        default_factory=dict
    )
    """Node → memory of the node that other pods hold."""
    unavailable: Annotated[tuple[NodeName, ...], Field(max_length=MOST_NODES)] = ()
    """Nodes that may not be used: failed, drained, reserved."""
    node_names: Annotated[tuple[NodeName, ...], Field(max_length=MOST_NODES)] = ()
    """Names of the nodes of a live cluster, as many as there are nodes."""
    gpu_uuids: Annotated[dict[NodeName, Uuids], Field(max_length=MOST_NODES)] = Field(
        default_factory=dict
    )
    """Node → UUIDs of its cards in index order, for live clusters."""

    @property
    def node_count(self) -> int:
        """Nodes that exist or may be rented."""
        return (self.max_nodes if self.nodes is None else self.nodes) or 0

    @cached_property
    def _given_names(self) -> frozenset[str]:
        return frozenset(self.node_names)

    def has_node(self, name: str) -> bool:
        """Whether a node of this pool is called so."""
        if self.node_names:
            return name in self._given_names
        number = name.removeprefix(f"{self.name}-")
        if not number.isdecimal() or int(number) >= self.node_count:
            return False
        return name == f"{self.name}-{int(number)}"


Patterns = Annotated[tuple[SourceText, ...], Field(max_length=100)]


class RentEntry(StrictModel):
    """Instance types of one provider that may be rented, found in the price catalogue."""

    provider: SourceText
    """Provider as `gpu-packer catalogue prices` names it."""
    region: SourceText = ""
    """Region, or a pattern such as `eu-*`; may be left out where prices name none."""
    instance_types: Patterns = ()
    """Names or patterns such as `g6e.*`. Default: every type with the card."""
    gpu: GpuName | None = None
    """Only instances with this card; also says which one a vague name means."""
    max_nodes: Annotated[Whole, Field(ge=1, le=MOST_NODES)]
    """Most nodes of each instance type and each way of paying."""
    payment: Annotated[tuple[PaymentName, ...], Field(min_length=1, max_length=4)] = (
        "on-demand",
        "spot",
    )
    """Ways of paying that may be used, where their price is known."""
    host_memory: PositiveBytes | None = None
    """Memory for pods on one node. Default: the instance's, less what the node needs itself."""
    zones: Annotated[tuple[ZoneName, ...], Field(max_length=100)] = ()
    """Zones over which the nodes can be spread, `maxNodes` in each. Default: one zone."""
    sharing: Literal["dra", "dra-memory", "whole", "hami", "mig", "auto"] = "dra"
    """How several servers get at one card."""


class InventoryEntry(StrictModel):
    """GPU nodes that exist, or that could be rented."""

    api_version: Literal["gpu-packer/v1"]
    """Version of this format."""
    kind: Literal["Inventory"]
    """Kind of this document."""
    metadata: Metadata
    """Name of the inventory."""
    node_pools: Annotated[tuple[NodePoolEntry, ...], Field(max_length=MOST_POOLS)] = ()
    """Pools of equal nodes."""
    rent: Annotated[tuple[RentEntry, ...], Field(max_length=100)] = ()
    """Instance types of the price catalogue that may be rented besides."""
