"""Servers: what becomes a Deployment of one pod.

Where pods can share a card every replica is a server of its own; with whole cards one router
serves all replicas of a card group.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from packer.domain.node import Sharing
from packer.kubernetes_objects.card_groups import CardGroup, card_groups
from packer.kubernetes_objects.names import LONGEST_NAME, shortened
from packer.kubernetes_objects.options import RenderOptions
from packer.plan.plan import Placement, Plan


@dataclass(frozen=True)
class Server:
    """One pod: a llama-server with its model, or a router with several.

    Attributes:
        component: ``model-server`` or ``router``.
        placements: Replicas it serves; exactly one unless it is a router.
        argv: Command line, program first.
        preset: Router preset; empty for a model server.
    """

    name: str
    component: str
    group: CardGroup
    placements: tuple[Placement, ...]
    argv: tuple[str, ...]
    preset: str = ""


def replica_name(placement: Placement) -> str:
    """Name of one replica, such as ``chat-0``."""
    return f"{placement.workload}-{placement.replica}"


def servers(plan: Plan, options: RenderOptions) -> tuple[Server, ...]:
    """Every server of a plan: replicas in plan order, then routers in node order.

    Raises:
        ValueError: A router is needed and the options do not say how to write one.
    """
    groups = card_groups(plan, options.sharing)
    order = {(p.workload, p.replica): index for index, p in enumerate(plan.placements)}
    replicas = [server for group in groups for server in _replicas(group)]
    replicas.sort(key=lambda s: order[s.placements[0].workload, s.placements[0].replica])
    routers = (_router(group, options) for group in groups if group.sharing is Sharing.WHOLE)
    return (*replicas, *routers)


def _replicas(group: CardGroup) -> Iterator[Server]:
    if group.sharing is not Sharing.WHOLE:
        for placement in group.placements:
            yield Server(
                replica_name(placement), "model-server", group, (placement,), placement.argv
            )


def _router(group: CardGroup, options: RenderOptions) -> Server:
    if options.preset is None or options.router_command is None:
        raise ValueError("whole cards need RenderOptions.preset and RenderOptions.router_command")
    return Server(
        shortened(f"router-{group.name}", LONGEST_NAME),
        "router",
        group,
        group.placements,
        options.router_command(group),
        options.preset(group),
    )
