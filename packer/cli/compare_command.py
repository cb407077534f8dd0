"""``gpu-packer compare``: one fleet on several inventories and terms of payment, by money."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from packer.cli import exit_status
from packer.cli.console import print_data, say
from packer.cli.options import FleetFile, PriceBook
from packer.cli.progress import ScenarioProgress

if TYPE_CHECKING:
    from packer.api.comparing import Compared


class Format(StrEnum):
    """What ``-o`` may be."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"


class Terms(StrEnum):
    """How rentable nodes are paid."""

    ON_DEMAND = "on-demand"
    SPOT = "spot"
    RESERVED_1Y = "reserved-1y"
    RESERVED_3Y = "reserved-3y"


class Key(StrEnum):
    """What workloads share a card's price by."""

    MEMORY = "memory"
    LOAD = "load"
    BOTH = "both"


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        "compare",
        epilog="Examples: gpu-packer compare -f fleet.yaml -i ours.yaml -i rented.yaml   |   "
        "gpu-packer compare -f fleet.yaml -i rented.yaml --terms on-demand --terms spot "
        "--prices book.yaml --out comparison.json",
    )(compare)


def compare(
    fleet: FleetFile,
    inventory: Annotated[
        list[str],
        typer.Option("--inventory", "-i", metavar="FILE", help="Inventory file; may be repeated."),
    ],
    output: Annotated[Format, typer.Option("--output", "-o", help="Format on stdout.")] = (
        Format.TABLE
    ),
    prices: PriceBook = "",
    terms: Annotated[
        list[Terms] | None,
        typer.Option(help="How rentable nodes are paid: a scenario each; may be repeated."),
    ] = None,
    each_type: Annotated[
        bool, typer.Option("--each-type", help="Also every rentable instance type alone.")
    ] = False,
    currency: Annotated[str, typer.Option(metavar="EUR", help="Currency of the result.")] = "",
    rate: Annotated[
        list[str] | None,
        typer.Option(
            metavar="USD=0.92", help="What one unit is in that currency; @DATE may follow."
        ),
    ] = None,
    key: Annotated[Key, typer.Option(help="What divides the chosen bill.")] = Key.MEMORY,
    time_limit: Annotated[
        float,
        typer.Option(
            min=0.1, max=86400, envvar="GPU_PACKER_TIME_LIMIT", help="Seconds per scenario."
        ),
    ] = 60.0,
    gap: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Stop at this proven gap; 0.01 is 1 %.")
    ] = 0.0,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Seed of the solver.")] = 1,
    workers: Annotated[
        int,
        typer.Option(min=1, max=256, envvar="GPU_PACKER_WORKERS", help="Solver threads."),
    ] = 2,
    out: Annotated[
        str, typer.Option("--out", metavar="FILE.json", help="Save the comparison here.")
    ] = "",
    plan_out: Annotated[
        str, typer.Option("--plan-out", metavar="PLAN.json", help="Save the chosen plan here.")
    ] = "",
) -> int:
    """Rank inventories and terms of payment by money, with idle money, bound and gap of each."""
    from datetime import UTC, datetime

    from packer import api
    from packer.files.single_file import refuse_what_is_no_file, write_file

    for path in filter(None, (out, plan_out)):
        refuse_what_is_no_file(Path(path))  # before minutes of solving, not after them
    with ScenarioProgress() as progress:
        found = api.compare(
            fleet,
            inventory,
            prices=prices,
            terms=[one.value for one in terms or ()],
            each_type=each_type,
            currency=currency,
            rates=rate or (),
            key=key.value,
            time_limit_seconds=time_limit,
            gap=gap,
            seed=seed,
            workers=workers,
            progress=progress,
        )
    if out:
        write_file(Path(out), api.comparison_text(found.comparison))
    if plan_out and found.chosen_plan:
        api.save(found.chosen_plan, plan_out)
    print_data(_shown(found, output))
    for warning in api.price_warnings(found.comparison, datetime.now(UTC).date()):
        say(f"warning: {warning}")
    return exit_status.DONE if found.plans else exit_status.NO


def _shown(found: "Compared", output: Format) -> str:
    from packer import api
    from packer.cli.terminal_width import terminal_width

    if output is Format.JSON:
        return api.comparison_text(found.comparison)
    return api.comparison_shown(found.comparison, output.value, width=terminal_width())
