"""``gpu-packer render``: Kubernetes manifests of a plan."""

from typing import Annotated

import typer

from packer.cli.console import say
from packer.cli.options import OutFolder, PlanFile
from packer.domain.node import Sharing


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        "render",
        epilog="Examples: gpu-packer render plan.json --out manifests   |   "
        "gpu-packer render plan.json --out manifests --namespace llm --sharing whole",
    )(render)


def render(
    plan: PlanFile,
    out: OutFolder,
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", help="Namespace of every object.")
    ] = "llm",
    sharing: Annotated[
        Sharing | None, typer.Option(help="How cards are shared; overrides the pools' own.")
    ] = None,
    allow_host_path: Annotated[
        bool,
        typer.Option(
            "--allow-host-path",
            help="Mount file:// models from the node; gives up Pod Security 'restricted'.",
        ),
    ] = False,
) -> None:
    """Write the manifests that start every llama-server of a plan."""
    from packer import api

    saved = api.read_plan(plan)
    written = api.render(
        saved, out, namespace=namespace, sharing=sharing, allow_host_path=allow_host_path
    )
    say(f"{len(written)} files in {out}; apply them with: kubectl apply -k {out}")
    for line in api.guarantees(saved, sharing=sharing):
        say(f"  {line}")
