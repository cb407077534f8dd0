"""``gpu-packer verify``: whether the running fleet is the planned one."""

from pathlib import Path
from typing import Annotated

import typer

from packer.cli import exit_status
from packer.cli.console import print_data, say
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
from packer.errors import InvalidInput, Location, Problem


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        "verify",
        epilog="Examples: gpu-packer verify plan.json   |   "
        "gpu-packer verify plan.json --api-key-file key --write-calibration calibration.json",
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
        bool,
        typer.Option(
            "--ask/--no-ask", help="Ask every server, and read its log, as well as the cluster."
        ),
    ] = True,
    api_key_file: Annotated[
        str,
        typer.Option(metavar="FILE", help="API key of the servers; - reads standard input."),
    ] = "",
    shows_all: Annotated[bool, typer.Option("--all", help="List what agrees as well.")] = False,
    write_calibration: Annotated[
        str,
        typer.Option(
            metavar="FILE", help="Write what the fleet tells of speeds and overheads, for plan."
        ),
    ] = "",
) -> int:
    """Look at pods, cards, flags, buffers and answers of servers; exit 1 where they differ."""
    from packer import api
    from packer.cli.terminal_width import terminal_width
    from packer.files.single_file import refuse_what_is_no_file, write_file

    if write_calibration and not ask:
        title = "--write-calibration needs what servers say"
        raise InvalidInput(Problem("P0473", title, help="leave out --no-ask"))
    if write_calibration:
        refuse_what_is_no_file(Path(write_calibration))
    saved = api.read_plan(plan)
    found = api.verify_fleet(
        saved,
        context=context,
        kubeconfig=kubeconfig,
        asks_servers=ask,
        api_key=_key(api_key_file) if api_key_file else "",
        calibrates=bool(write_calibration),
        namespace=namespace,
        sharing=sharing,
        allow_host_path=allow_host_path,
        api_key_secret=api_key_secret,
        gateway=gateway or saved.policy.gateway,
        gateway_parent=gateway_parent,
        monitoring=monitoring,
        network_policy=network_policy,
    )
    print_data(api.verification_text(found, width=terminal_width(), shows_all=shows_all))
    if found.learnt is not None:
        write_file(Path(write_calibration), api.written_calibration(found.learnt))
        for name, why in found.learnt.left_out.items():
            say(f"not calibrated with {name}: {why}")
    return exit_status.DONE if found.is_as_planned else exit_status.NO


def _key(path: str) -> str:
    """The key in a file.

    Raises:
        InvalidInput: P0474, what the file holds cannot stand in a header.
    """
    from packer.files.text import read_text

    key = read_text(path).strip()
    if key.isascii() and key.isprintable() and key:
        return key
    title = "the file holds no API key"
    raise InvalidInput(Problem("P0474", title, Location(path), help="one line of plain characters"))
