"""``gpu-packer report``: the page, the pull-request text and the data behind them."""

from typing import Annotated

import typer

from packer.cli.console import print_data, say
from packer.cli.options import PlanFile
from packer.errors import InvalidInput, Problem


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        "report",
        epilog="Examples: gpu-packer report plan.json --out report   |   "
        "gpu-packer report --diff old.json new.json",
    )(report)


def report(
    plan: PlanFile,
    out: Annotated[
        str, typer.Option("--out", metavar="DIR", help="Folder to write; made if it is missing.")
    ] = "",
    formats: Annotated[
        str, typer.Option("--format", help="Any of html,markdown,json,csv, with commas between.")
    ] = "html,markdown,json",
    beside: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            metavar="FILE.json",
            help="Also show what compare, risk, sweep or apply saved; may be repeated.",
        ),
    ] = None,
    diff: Annotated[
        str, typer.Option("--diff", metavar="OLD.json", help="What changes against this plan.")
    ] = "",
) -> None:
    """Write what a plan costs and why, or what changes between two plans, in money."""
    from packer import api

    chosen = tuple(dict.fromkeys(part.strip() for part in formats.split(",") if part.strip()))
    if not diff and not out:
        title = "a report needs a folder to be written to"
        raise InvalidInput(Problem("P0472", title, help="add --out DIR"))
    if not diff:
        planned = api.read_plan(plan)
        shown = api.read_beside(planned, beside or ())
        written = api.report(planned, out, formats=chosen, beside=shown)
    elif out:
        written = api.report_difference(
            api.read_plan(diff), api.read_plan(plan), out, formats=chosen
        )
    else:
        print_data(api.difference_text(api.read_plan(diff), api.read_plan(plan)))
        return
    say(f"wrote {', '.join(written)} in {out}")
