"""``gpu-packer explain``: why a workload runs where it does, and what was refused."""

from typing import Annotated

import typer

from packer.cli.console import print_data
from packer.cli.options import PlanFile


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        "explain",
        epilog="Examples: gpu-packer explain plan.json chat   |   "
        "gpu-packer plan -f f.yaml -i i.yaml -o json | gpu-packer explain - chat",
    )(explain)


def explain(
    plan: PlanFile,
    workload: Annotated[str, typer.Argument(help="Name of a workload of the plan.")],
) -> None:
    """Say why a workload is where it is, which candidates were refused, and why."""
    from packer import api

    print_data(api.explain(api.read_plan(plan), workload))
