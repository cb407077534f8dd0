"""Servers of one host: replicas of a plan with the port and the files they have there."""

from dataclasses import dataclass

from packer.domain.mount import Mount, parse_mount
from packer.plan.plan import CardBudget, NodeBudget, Placement, Plan
from packer.units import MIB


@dataclass(frozen=True)
class HostServer:
    """One replica on its host.

    Attributes:
        name: Workload and replica, such as ``chat-0``.
        placement: What runs.
        node: Where.
        port: Port it listens on.
    """

    name: str
    placement: Placement
    node: NodeBudget
    port: int

    @property
    def cards(self) -> tuple[CardBudget, ...]:
        """Its cards, in the order of its split."""
        by_index = {card.index: card for card in self.node.cards}
        return tuple(by_index[gpu] for gpu in self.placement.gpus)

    @property
    def mounts(self) -> tuple[Mount, ...]:
        """Every model file it reads."""
        variant = self.placement.variant
        uris = (variant.mount, variant.draft_mount, variant.projector_mount)
        return tuple(parse_mount(uri) for uri in uris if uri)

    @property
    def visible_devices(self) -> str:
        """``CUDA_VISIBLE_DEVICES`` on the host: UUIDs where known, else indices by bus."""
        if all(card.uuid for card in self.cards):
            return ",".join(card.uuid for card in self.cards)
        return ",".join(str(card.index) for card in self.cards)

    @property
    def memory_limit_bytes(self) -> int:
        """Planned host memory in whole MiB [bytes]."""
        return -(-self.placement.host.total_bytes // MIB) * MIB

    def load_bytes(self) -> int:
        """Bytes read from disk before it answers: model, draft model and projector [bytes]."""
        devices = self.placement.devices
        extra = sum(device.draft_weights_bytes + device.projector_bytes for device in devices)
        return self.placement.variant.file_bytes + extra + self.placement.host.draft_bytes

    def left_bytes(self) -> tuple[int, ...]:
        """What others leave of each of its cards by the plan, headroom included [bytes]."""
        return tuple(
            card.allocatable_bytes - card.taken_bytes - (card.used_bytes - device.high_bytes)
            for card, device in zip(self.cards, self.placement.devices, strict=True)
        )


def host_servers(plan: Plan, first_port: int) -> dict[str, tuple[HostServer, ...]]:
    """Host → its servers in plan order, each with a port of its own."""
    nodes = {node.name: node for node in plan.nodes}
    on_node: dict[str, list[HostServer]] = {node.name: [] for node in plan.nodes if node.is_used}
    for placement in plan.placements:
        here = on_node[placement.node]
        name = f"{placement.workload}-{placement.replica}"
        here.append(HostServer(name, placement, nodes[placement.node], first_port + len(here)))
    return {node: tuple(here) for node, here in on_node.items()}


def startup_seconds(here: tuple[HostServer, ...], disk_rate: int, margin_seconds: int) -> int:
    """Time a server of a host may take to load when all start at once [s]. Estimated."""
    return -(-sum(server.load_bytes() for server in here) // disk_rate) + margin_seconds
