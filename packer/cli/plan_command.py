"""``gpu-packer plan``: the placement, proven or with its gap."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from packer.cli import exit_status
from packer.cli.console import print_data, say
from packer.cli.options import FleetFile, InventoryFile, PriceBook
from packer.cli.progress import SolverProgress

if TYPE_CHECKING:
    from packer.plan.plan import Plan


class Format(StrEnum):
    """What ``-o`` may be."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        "plan",
        epilog="Examples: gpu-packer plan -f fleet.yaml -i inventory.yaml --out plan.json   |   "
        "gpu-packer plan -f fleet.yaml -i inventory.yaml -o json --max-cost 12/h",
    )(plan)


def plan(
    fleet: FleetFile,
    inventory: InventoryFile,
    output: Annotated[Format, typer.Option("--output", "-o", help="Format on stdout.")] = (
        Format.TABLE
    ),
    out: Annotated[
        str, typer.Option("--out", metavar="PLAN.json", help="Save the plan here.")
    ] = "",
    time_limit: Annotated[
        float,
        typer.Option(
            min=0.1, max=86400, envvar="GPU_PACKER_TIME_LIMIT", help="Seconds for the solver."
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
    current: Annotated[
        str, typer.Option("--from", metavar="PLAN.json", help="The plan that runs now.")
    ] = "",
    max_moves: Annotated[
        int | None, typer.Option(min=0, help="With --from: most replicas that may move.")
    ] = None,
    move_weight: Annotated[
        float | None,
        typer.Option(
            min=0.0, help="With --from: cards (or money per hour) one GiB moved is worth."
        ),
    ] = None,
    calibration: Annotated[
        str,
        typer.Option(metavar="FILE", help="What calibrate measured on your cards; the plan says."),
    ] = "",
    max_cost: Annotated[
        str, typer.Option(metavar="12/h", help="Exit 1 when the plan costs more.")
    ] = "",
    prices: PriceBook = "",
    min_headroom: Annotated[
        str, typer.Option(metavar="10%", help="Exit 1 when a used card keeps less free.")
    ] = "",
) -> int:
    """Place every replica on the fewest cards, or the least money, and prove it."""
    from packer import api
    from packer.cli.policy import parse_cost, parse_headroom, policy_violations
    from packer.files.single_file import refuse_what_is_no_file

    cost_limit = parse_cost(max_cost) if max_cost else None
    headroom_limit = parse_headroom(min_headroom) if min_headroom else None
    if out:
        refuse_what_is_no_file(Path(out))  # before a minute of solving, not after it
    inputs = api.load(fleet, inventory, prices)
    running = api.read_plan(current) if current else None
    measured = api.read_calibration(calibration) if calibration else None
    with SolverProgress() as progress:
        result = api.plan(
            inputs,
            time_limit_seconds=time_limit,
            gap=gap,
            seed=seed,
            workers=workers,
            progress=progress,
            current=running,
            max_moves=max_moves,
            move_weight=move_weight,
            calibration=measured,
        )
    if out:
        api.save(result, out)
    print_data(_shown(result, output))
    if result.moves is not None:
        say(api.moves_text(result))
    violations = policy_violations(result, cost_limit, headroom_limit)
    for violation in violations:
        say(f"policy: {violation}")
    return exit_status.NO if violations else exit_status.DONE


def _shown(plan: "Plan", output: Format) -> str:
    from packer import api
    from packer.cli.terminal_width import terminal_width

    if output is Format.JSON:
        return api.plan_text(plan)
    if output is Format.YAML:
        return api.plan_yaml(plan)
    return api.plan_table(plan, wide=output is Format.WIDE, width=terminal_width())
