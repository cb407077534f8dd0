"""Options about rendered objects that commands on live clusters share, worded as for ``render``."""

from typing import Annotated

import typer

from packer.domain.node import Sharing
from packer.domain.rendering import Gateway

KEY_SECRET = "llama-api-key"  # noqa: S105 — the name of a Secret, not a secret

Namespace = Annotated[str, typer.Option("--namespace", "-n", help="Namespace of every object.")]
SharingWay = Annotated[
    Sharing | None, typer.Option(help="How cards are shared; overrides the pools' own.")
]
HostPath = Annotated[
    bool,
    typer.Option(
        "--allow-host-path",
        help="Mount file:// models from the node; gives up Pod Security 'restricted'.",
    ),
]
KeySecret = Annotated[
    str, typer.Option(help="Secret with the servers' API key; empty serves without one.")
]
FrontDoor = Annotated[
    Gateway | None,
    typer.Option(help="One front door for all models; else what the fleet says."),
]
GatewayParent = Annotated[
    str, typer.Option(metavar="[NAMESPACE/]NAME", help="Gateway that HTTPRoutes attach to.")
]
Monitoring = Annotated[bool, typer.Option("--monitoring", help="PodMonitors and alert rules too.")]
Policies = Annotated[
    bool, typer.Option("--network-policy", help="Deny the pods all traffic they are not for.")
]
LogBuffers = Annotated[
    bool,
    typer.Option(
        "--log-buffers",
        help="Servers log what they allocate, for verify; and some 25 lines per request.",
    ),
]
