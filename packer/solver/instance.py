"""The neutral packing problem ``gpupack/1``: replicas of items onto GPUs of nodes, in integers.

A replica of an item takes exactly one alternative, on one node, on ``len(shares)`` distinct GPUs of
that node in any order, consuming ``shares[j]`` on its j-th GPU and ``node`` on the node itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

SCHEMA = "gpupack/1"

Vector = tuple[int, ...]


class Objective(StrEnum):
    """What is minimised first."""

    GPUS = "gpus"
    GPU_PRICE = "gpu_price"
    NODE_PRICE = "node_price"


class Scope(StrEnum):
    """The unit a rule speaks about."""

    GPU = "gpu"
    NODE = "node"
    ZONE = "zone"


class Rule(StrEnum):
    """Kinds of constraints between items."""

    ANTI_AFFINITY = "anti_affinity"
    AFFINITY = "affinity"


@dataclass(frozen=True)
class NodeType:
    """Equal nodes, each with ``gpus`` GPUs.

    Attributes:
        gpu_cap: Capacity of every GPU per dimension; ``gpu_caps`` overrides it.
        node_cap: Capacity of the node itself per node dimension.
        zones: Zone names with their node counts, in node order; empty is one zone for all types.
        links: GPU indices joined by a fast link; empty is one group.
        unavailable: Indices of failed or drained nodes; nothing may be placed there.
        gpu_caps: One capacity per GPU where the cards of a node differ; empty if they do not.
    """

    name: str
    gpu_type: str
    count: int
    gpus: int
    gpu_cap: Vector
    node_cap: Vector
    gpu_price: int = 0
    node_price: int = 0
    zones: tuple[tuple[str, int], ...] = ()
    links: tuple[Vector, ...] = ()
    unavailable: frozenset[int] = frozenset()
    gpu_caps: tuple[Vector, ...] = ()

    @cached_property
    def capacities(self) -> tuple[Vector, ...]:
        """Capacity per GPU index."""
        return self.gpu_caps or (self.gpu_cap,) * self.gpus

    @cached_property
    def zone_of_node(self) -> tuple[str, ...]:
        """Zone name per node index."""
        zones = self.zones or ((DEFAULT_ZONE, self.count),)
        return tuple(name for name, count in zones for _ in range(count))

    @cached_property
    def available(self) -> Vector:
        """Indices of nodes that may be used."""
        return tuple(n for n in range(self.count) if n not in self.unavailable)

    @cached_property
    def link_groups(self) -> tuple[Vector, ...]:
        """Groups of GPU indices a one-link replica must stay within."""
        return self.links or (tuple(range(self.gpus)),)


DEFAULT_ZONE = "z0"
"""Zone of the nodes of a type that names no zones."""


@dataclass(frozen=True)
class Alternative:
    """One way to run a replica.

    Attributes:
        shares: What each of its GPUs gives, per dimension.
        node: What its node gives, per node dimension.
        gpu_types: GPU types it may run on; None allows all.
        one_link: Its GPUs must be in one link group.
        penalty: How little it is wanted, minimised after the objective and the moves.
    """

    name: str
    shares: tuple[Vector, ...]
    node: Vector = ()
    gpu_types: frozenset[str] | None = None
    one_link: bool = False
    penalty: int = 0


@dataclass(frozen=True)
class Item:
    """``count`` equal replicas and the most of them that may share a GPU, node or zone."""

    name: str
    count: int
    alternatives: tuple[Alternative, ...]
    max_per_gpu: int | None = None
    max_per_node: int | None = None
    max_per_zone: int | None = None

    def most_per(self, scope: Scope) -> int | None:
        """Spread limit at a scope."""
        limits = {Scope.GPU: self.max_per_gpu, Scope.NODE: self.max_per_node}
        return limits.get(scope, self.max_per_zone)


@dataclass(frozen=True)
class Constraint:
    """A rule between items.

    ``anti_affinity``: no two different listed items share a unit of the scope.
    ``affinity``: every unit with a replica of the first item has one of the second.
    """

    rule: Rule
    items: tuple[str, ...]
    scope: Scope


@dataclass(frozen=True, order=True)
class Placed:
    """One replica's place: item name, indices of alternative, node type and node, GPU per share."""

    item: str
    alternative: int
    node_type: int
    node: int
    gpus: Vector

    @property
    def key(self) -> tuple[str, int, int, int, Vector]:
        """What must stay equal for a replica to count as kept; the order of GPUs does not."""
        return self.item, self.alternative, self.node_type, self.node, tuple(sorted(self.gpus))


@dataclass(frozen=True)
class Current:
    """What runs now, and what moving or stopping one replica of an item costs."""

    placed: tuple[Placed, ...]
    move_cost: Mapping[str, int] = field(default_factory=dict)
    event: str = ""


@dataclass(frozen=True)
class Instance:
    """A whole packing problem.

    Attributes:
        even_headroom: Level the free share of dimension 0 over used GPUs, after all else.
    """

    name: str
    dims: tuple[str, ...]
    node_dims: tuple[str, ...]
    objective: Objective
    node_types: tuple[NodeType, ...]
    items: tuple[Item, ...]
    constraints: tuple[Constraint, ...] = ()
    current: Current | None = None
    even_headroom: bool = False

    @cached_property
    def item_index(self) -> Mapping[str, int]:
        """Position of each item by name."""
        return {item.name: position for position, item in enumerate(self.items)}

    @property
    def replicas(self) -> int:
        """Replicas to place, all items together."""
        return sum(item.count for item in self.items)
