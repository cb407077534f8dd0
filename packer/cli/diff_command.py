"""``gpu-packer diff``: what separates the cluster from a plan."""

import typer

from packer.cli import exit_status
from packer.cli.console import print_data
from packer.cli.manifest_options import (
    KEY_SECRET,
    FrontDoor,
    GatewayParent,
    HostPath,
    KeySecret,
    LogBuffers,
    Monitoring,
    Namespace,
    Policies,
    SharingWay,
)
from packer.cli.options import Context, Kubeconfig, PlanFile


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        "diff",
        epilog="Examples: gpu-packer diff plan.json   |   "
        "gpu-packer diff plan.json --context production --namespace llm",
    )(diff)


def diff(
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
    log_buffers: LogBuffers = False,
) -> int:
    """Compare the cluster with a plan: moves, restarts, new, gone; exit 1 where they differ."""
    from packer import api

    saved = api.read_plan(plan)
    found = api.diff(
        saved,
        context=context,
        kubeconfig=kubeconfig,
        namespace=namespace,
        sharing=sharing,
        allow_host_path=allow_host_path,
        api_key_secret=api_key_secret,
        gateway=gateway or saved.policy.gateway,
        gateway_parent=gateway_parent,
        monitoring=monitoring,
        network_policy=network_policy,
        log_buffers=log_buffers,
    )
    print_data(found.text)
    return exit_status.DONE if found.is_empty else exit_status.NO
