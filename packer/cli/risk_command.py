"""``gpu-packer risk``: what a plan can lose or gain before it breaks."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from packer.cli.compare_command import Terms
from packer.cli.console import print_data
from packer.cli.options import FleetFile, InventoryFile, PlanFile, PriceBook


class Format(StrEnum):
    """What ``-o`` may be."""

    TABLE = "table"
    JSON = "json"


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        "risk",
        epilog="Examples: gpu-packer risk plan.json -f fleet.yaml -i inventory.yaml   |   "
        "gpu-packer risk plan.json -f fleet.yaml -i inventory.yaml --out risk.json",
    )(risk)


def risk(
    plan: PlanFile,
    fleet: FleetFile,
    inventory: InventoryFile,
    output: Annotated[Format, typer.Option("--output", "-o", help="Format on stdout.")] = (
        Format.TABLE
    ),
    prices: PriceBook = "",
    terms: Annotated[
        Terms | None, typer.Option(help="Terms of payment the plan was made on.")
    ] = None,
    out: Annotated[
        str, typer.Option("--out", metavar="FILE.json", help="Save the answers here.")
    ] = "",
    time_limit: Annotated[
        float,
        typer.Option(
            min=0.1, max=86400, envvar="GPU_PACKER_TIME_LIMIT", help="Seconds per question."
        ),
    ] = 5.0,
    total: Annotated[
        float, typer.Option(min=0.1, max=86400, help="Seconds for all questions.")
    ] = 300.0,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Seed of the solver.")] = 1,
    workers: Annotated[
        int,
        typer.Option(min=1, max=256, envvar="GPU_PACKER_WORKERS", help="Solver threads."),
    ] = 2,
) -> None:
    """Lose any card, node or zone; grow memory, context and replicas; move prices."""
    from packer import api
    from packer.cli.terminal_width import terminal_width
    from packer.files.single_file import refuse_what_is_no_file, write_file

    if out:
        refuse_what_is_no_file(Path(out))
    planned = api.read_plan(plan)
    found = api.risk(
        api.load(fleet, inventory, prices, currency=planned.currency),
        planned,
        terms=terms.value if terms else "",
        time_limit_seconds=time_limit,
        total_seconds=total,
        seed=seed,
        workers=workers,
    )
    if out:
        write_file(Path(out), api.risk_text(found, "json"))
    print_data(api.risk_text(found, output.value, width=terminal_width()))
