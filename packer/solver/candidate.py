"""One way to run one replica, what a GPU product offers it, and what was refused."""

from dataclasses import dataclass, field

from packer.domain.gpu import GpuProduct
from packer.domain.server_options import ServerOptions
from packer.domain.speculation import Speculation
from packer.domain.workload import Workload
from packer.memory.result import MemoryEstimate


@dataclass(frozen=True)
class Offer:
    """What one GPU product offers a replica: how many cards of a node, and room on each.

    Attributes:
        cards: Most cards of one node.
        room_bytes: Most a single card has left after headroom and others' memory [bytes].
        host_bytes: Most memory of one node [bytes].
        host_bandwidth_bytes_per_second: Least memory bandwidth of a node; None if unknown.
    """

    gpu: GpuProduct
    cards: int
    room_bytes: int
    host_bytes: int
    host_bandwidth_bytes_per_second: int | None = None


@dataclass(frozen=True)
class ServerWay:
    """What the planner chose of one replica's command line beyond file and cache type.

    Attributes:
        slots: Conversations at once; None takes the workload's.
        speculation: How it drafts; None leaves it to the workload's draft model.
        pool_cells: Cells that all slots share; None gives every slot its context.
        load_permille: Part of its cards' time it needs.
    """

    slots: int | None = None
    speculation: Speculation | None = None
    pool_cells: int | None = None
    load_permille: int = 0


AS_STATED = ServerWay()


@dataclass(frozen=True)
class Candidate:
    """One way to run one replica.

    Attributes:
        variant: Index into the workload's variants; 0 is the most wanted.
        cache_rank: Index into the workload's cache types.
        shares_bytes: Upper band per card, in CUDA order [bytes].
        penalty: How far this is from what the user wants most; 0 is best.
        way: What was chosen beyond file and cache type.
        slowness: Rank by speed among ways that are wanted alike; 0 is the fastest.
    """

    workload: str
    variant: int
    cache_rank: int
    gpu: str
    options: ServerOptions
    estimate: MemoryEstimate
    penalty: int
    way: ServerWay = AS_STATED
    slowness: int = 0

    @property
    def shares_bytes(self) -> tuple[int, ...]:
        """Upper band of the process on each card [bytes]."""
        return tuple(device.high_bytes for device in self.estimate.devices)

    @property
    def host_bytes(self) -> int:
        """Memory of the node it needs [bytes]."""
        return self.estimate.host.total_bytes


@dataclass(frozen=True)
class Refused:
    """A choice that cannot run on a product, with the arithmetic."""

    workload: str
    variant: int
    cache_type: str
    gpu: str
    reason: str


@dataclass(frozen=True)
class Considered:
    """A way to draft that was weighed on a product, and the verdict with its figures."""

    variant: int
    cache_type: str
    gpu: str
    choice: str
    reason: str


@dataclass(frozen=True)
class CandidateSet:
    """All candidates of one workload, what was refused, and which trades were weighed."""

    workload: Workload
    candidates: tuple[Candidate, ...]
    refused: tuple[Refused, ...]
    considered: tuple[Considered, ...] = field(default=())
