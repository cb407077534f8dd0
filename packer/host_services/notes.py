"""NOTES.md beside host services: what goes where, and what holds nobody back."""

from collections.abc import Iterator, Mapping

from packer.domain.image import image_note
from packer.domain.mount import MountKind
from packer.host_services.command_line import host_folder
from packer.host_services.options import HostOptions, HostTarget
from packer.host_services.servers import HostServer
from packer.plan.plan import Plan
from packer.units import format_bytes

_START = {
    HostTarget.SYSTEMD: (
        "Copy the units of each folder to `/etc/systemd/system` of the host it is named for, then "
        "`systemctl daemon-reload && systemctl enable --now llama-{plan}.target`."
    ),
    HostTarget.COMPOSE: (
        "On each host, with Docker Compose 2.30 or newer and the NVIDIA container toolkit: "
        "`docker compose -f HOST/compose.yaml up --detach`."
    ),
    HostTarget.LLAMA_SWAP: (
        "On each host: `llama-swap --config HOST/llama-swap.yaml --listen 127.0.0.1:{port}`. One "
        "address serves all models of the host, by name."
    ),
}
_LIMITS = (
    "Nothing accounts or enforces memory of a card between these processes: each sees whole cards. "
    "A server that grows beyond the plan takes the memory of its neighbours, and the next "
    "allocation of any of them fails.",
    "What the plan counts as taken by others, and its headroom, are left alone by these services; "
    "nothing keeps anybody else from using them.",
)
_CHECKED = (
    "Before each start `gpu-packer estimate` reads the model file on the host and refuses the "
    "start if the command line would take more than the plan leaves it on any card."
)


def notes(
    plan: Plan,
    hosts: Mapping[str, tuple[HostServer, ...]],
    target: HostTarget,
    options: HostOptions,
) -> str:
    """Markdown text for whoever starts the services."""
    servers = [server for here in hosts.values() for server in here]
    start = _START[target].format(plan=plan.name, port=options.first_port)
    lines = [
        f"# Services of the plan {plan.name} on its hosts ({target.value})",
        "",
        "Written by gpu-packer; change the fleet and render again instead of editing.",
        "",
        "## What must exist before",
        "",
        *(f"- {line}" for line in dict.fromkeys(_needs(servers, target, options))),
        "",
        "## Start",
        "",
        start,
        "",
        "## What is planned on each card, and what is guaranteed",
        "",
        *(f"- {line}" for line in host_guarantees(plan, hosts, target, options)),
    ]
    return "\n".join(lines) + "\n"


def host_guarantees(
    plan: Plan,
    hosts: Mapping[str, tuple[HostServer, ...]],
    target: HostTarget,
    options: HostOptions,
) -> tuple[str, ...]:
    """Lines for people: one per used card, then what holds servers to their memory: nothing."""
    cards = [line for node in plan.nodes for line in _cards(hosts.get(node.name, ()))]
    is_checked = target is HostTarget.SYSTEMD and options.checker and options.estimate
    image = image_note(plan.server.image) if target is HostTarget.COMPOSE else ""
    return (*cards, *_LIMITS, *([_CHECKED] if is_checked else []), *([image] if image else []))


def _cards(here: tuple[HostServer, ...]) -> Iterator[str]:
    if not here:
        return
    node = here[0].node
    for card in node.cards:
        names = [server.name for server in here if card.index in server.placement.gpus]
        if not names:
            continue
        planned = f"{format_bytes(card.used_bytes)} of {format_bytes(card.allocatable_bytes)}"
        which = (
            f"by UUID {card.uuid}" if card.uuid else f"card {card.index} in the order of the bus"
        )
        yield (
            f"{node.name} gpu{card.index} ({node.product}): {planned} planned for "
            f"{', '.join(names)}; {which}; memory not enforced"
        )


def _needs(servers: list[HostServer], target: HostTarget, options: HostOptions) -> Iterator[str]:
    if target is HostTarget.COMPOSE:
        yield "the NVIDIA container toolkit on every host"
    else:
        yield f"llama-server of the planned build at `{options.program}`"
    if target is HostTarget.SYSTEMD and options.checker and options.estimate:
        yield f"gpu-packer at `{options.checker}`"
    if options.key_file and target is not HostTarget.LLAMA_SWAP:
        yield f"`{options.key_file}` with one line `LLAMA_API_KEY=…`, readable by root only"
    for server in servers:
        for mount in server.mounts:
            folder = host_folder(mount, options.models_folder)
            where = (
                "" if mount.kind is MountKind.HOST else f", the contents of {mount.kind.value}://"
            )
            source = mount.source if where else ""
            yield f"model files in `{folder}`{where}{source}"
