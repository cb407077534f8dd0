"""``gpu-packer apply``: change what runs into what is planned, in a safe order."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer

from packer.cli import exit_status
from packer.cli.console import print_data, say
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
        "apply",
        epilog="Examples: gpu-packer apply plan.json   |   "
        "gpu-packer apply plan.json --dry-run=server   |   "
        "gpu-packer apply plan.json --yes --out change.json",
    )(apply)


def apply(
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
    dry_run: Annotated[
        Literal["none", "server"],
        typer.Option(help="server: the API server checks every object, nothing is kept."),
    ] = "none",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Delete what the plan has no more.")
    ] = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="Apply although the cluster changed since the plan was made."),
    ] = False,
    below_minimum: Annotated[
        bool,
        typer.Option("--below-minimum", help="Go below minAvailable where no order keeps it."),
    ] = False,
    patience: Annotated[
        float, typer.Option(min=1.0, help="Longest wait for one server to get ready [s].")
    ] = 1800.0,
    out: Annotated[
        str,
        typer.Option(
            metavar="CHANGE.json",
            help="Keep steps, peaks, gaps and the ending here; report --with shows them.",
        ),
    ] = "",
) -> int:
    """Show the steps, ask, and carry them out; interrupted anywhere, run it again."""
    from packer import api
    from packer.files.single_file import refuse_what_is_no_file

    if out:
        refuse_what_is_no_file(Path(out))
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
    if not force:
        api.check_fits(found)
    rollout = api.order_of(found, prune=prune)
    print_data(f"{found.text}\n{api.rollout_text(found, rollout)}")
    kept = api.KeptChange(api.change_record(found, rollout), out)
    if found.is_empty:
        return exit_status.DONE
    if rollout.shortfalls and not below_minimum:
        say("minAvailable cannot be kept; --below-minimum goes on nevertheless")
        return exit_status.NO
    is_real = dry_run == "none"
    if is_real and not yes and not _agreed():
        return exit_status.NO
    with kept, _told_to_go_on():
        written = api.apply(
            found, rollout, prune=prune, dry_run=not is_real, patience_seconds=patience, told=say
        )
        kept.done(written, is_dry_run=not is_real)
    done = "written or deleted" if is_real else "checked by the server; nothing is kept"
    say(f"{len(written)} objects {done}")
    return exit_status.DONE


@contextmanager
def _told_to_go_on() -> Iterator[None]:
    """Say after Ctrl-C what the cluster is left with."""
    try:
        yield
    except KeyboardInterrupt:
        say("what is done stays done; run the same command again to finish")
        raise


def _agreed() -> bool:
    """Whether the user says yes; without anybody to ask, the answer is no."""
    try:
        return typer.confirm("Carry this out?", err=True)
    except typer.Abort as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        say("nobody answers; --yes goes on without asking")
        return False
