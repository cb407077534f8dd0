"""``gpu-packer cost``: who pays for what of a saved plan."""

from enum import StrEnum
from typing import Annotated

import typer

from packer.cli.compare_command import Key
from packer.cli.console import print_data
from packer.cli.options import PlanFile


class Format(StrEnum):
    """What ``-o`` may be."""

    TABLE = "table"
    JSON = "json"


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        "cost",
        epilog="Examples: gpu-packer cost plan.json   |   "
        "gpu-packer cost plan.json --key both --load chat=3 --load embed=1 -o json",
    )(cost)


def cost(
    plan: PlanFile,
    key: Annotated[Key, typer.Option(help="What divides a shared card's price.")] = Key.MEMORY,
    load: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=NUMBER", help="Load of a workload, in any unit; repeatable."),
    ] = None,
    output: Annotated[Format, typer.Option("--output", "-o", help="Format on stdout.")] = (
        Format.TABLE
    ),
) -> None:
    """Divide a plan's bill among its workloads, idle apart; the parts add up to the cent."""
    from packer import api

    share = api.attribution(api.read_plan(plan), key=key.value, loads=load or ())
    print_data(api.attribution_text(share, output.value))
