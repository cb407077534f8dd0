"""``gpu-packer report``: the page, the pull-request text and the data behind them."""

from typing import Annotated

import typer

from packer.cli.console import say
from packer.cli.options import OutFolder, PlanFile


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        "report",
        epilog="Examples: gpu-packer report plan.json --out report   |   "
        "gpu-packer report plan.json --format markdown --out report",
    )(report)


def report(
    plan: PlanFile,
    out: OutFolder,
    formats: Annotated[
        str, typer.Option("--format", help="Any of html,markdown,json,csv, with commas between.")
    ] = "html,markdown,json",
) -> None:
    """Write what a plan costs and why, for people and for programs."""
    from packer import api

    chosen = tuple(dict.fromkeys(part.strip() for part in formats.split(",") if part.strip()))
    written = api.report(api.read_plan(plan), out, formats=chosen)
    say(f"wrote {', '.join(written)} in {out}")
