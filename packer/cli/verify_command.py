"""``gpu-packer verify``: whether the running fleet is the planned one."""

from typing import Annotated

import typer

from packer.cli import exit_status
from packer.cli.console import print_data
from packer.cli.manifest_options import (
    KEY_SECRET,
    FrontDoor,
    GatewayParent,
    HostPath,
    KeySecret,
    Monitoring,
    Namespace,
    Policies,
    SharingWay,
)
from packer.cli.options import Context, Kubeconfig, PlanFile


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        "verify",
        epilog="Examples: gpu-packer verify plan.json   |   "
        "gpu-packer verify plan.json --context production --no-ask",
    )(verify)


def verify(
    plan: PlanFile,
    context: Context = "",
    kubeconfig: Kubeconfig = "",
    namespace: Namespace = "llm",
    sharing: SharingWay = None,
    allow_host_path: HostPath = False,
    api_key_secret: KeySecret = KEY_SECRET,
    gateway: FrontDoor = None,
    gateway_parent: GatewayParent = "llm",
    monitoring: Monitoring = False,
    network_policy: Policies = False,
    ask: Annotated[
        bool, typer.Option("--ask/--no-ask", help="Ask every server for its /props as well.")
    ] = True,
) -> int:
    """Look at pods, cards, flags and answers of servers; exit 1 where they differ."""
    from packer import api

    saved = api.read_plan(plan)
    found = api.verify_fleet(
        saved,
        context=context,
        kubeconfig=kubeconfig,
        asks_servers=ask,
        namespace=namespace,
        sharing=sharing,
        allow_host_path=allow_host_path,
        api_key_secret=api_key_secret,
        gateway=gateway or saved.policy.gateway,
        gateway_parent=gateway_parent,
        monitoring=monitoring,
        network_policy=network_policy,
    )
    print_data(found.text)
    return exit_status.DONE if found.is_as_planned else exit_status.NO
