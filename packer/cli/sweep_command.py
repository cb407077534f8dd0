"""``gpu-packer sweep``: many scenarios of one fleet, as a table with pictures."""

from enum import StrEnum
from typing import Annotated

import typer

from packer.cli import exit_status
from packer.cli.console import print_data, say
from packer.cli.options import OutFolder
from packer.cli.progress import SweepLine


class EngineName(StrEnum):
    """What ``--engine`` may be."""

    PROCESSES = "processes"
    RAY = "ray"
    DASK = "dask"


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        "sweep",
        epilog="Examples: gpu-packer sweep sweep.yaml --out build/sweep   |   "
        "gpu-packer sweep sweep.yaml --out build/sweep --engine dask --address tcp://host:8786",
    )(sweep)


def sweep(
    scenarios: Annotated[
        str, typer.Argument(metavar="SWEEP.yaml", help="Sweep file; - reads standard input.")
    ],
    out: OutFolder,
    engine: Annotated[
        EngineName, typer.Option(help="Processes of this machine, or a running cluster.")
    ] = EngineName.PROCESSES,
    address: Annotated[str, typer.Option(metavar="HOST:PORT", help="Address of the cluster.")] = "",
    processes: Annotated[
        int, typer.Option(min=0, max=1024, help="Processes at once; 0 is one per processor.")
    ] = 0,
    effort: Annotated[
        float,
        typer.Option(
            min=0.001,
            max=1000,
            help="Solver work for each scenario, alike on every machine; 1 is about a minute.",
        ),
    ] = 0.2,
    time_limit: Annotated[
        float,
        typer.Option(
            min=0.1,
            max=86400,
            envvar="GPU_PACKER_TIME_LIMIT",
            help="Most seconds for the solver, for each scenario.",
        ),
    ] = 600.0,
    gap: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Stop at this proven gap; 0.01 is 1 %.")
    ] = 0.0,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Seed of the solver.")] = 1,
    threads: Annotated[
        int, typer.Option(min=1, max=256, help="Solver threads of each scenario.")
    ] = 1,
) -> int:
    """Plan a fleet under many circumstances; interrupted, it goes on where it was."""
    from packer import api
    from packer.cli.terminal_width import terminal_width

    with SweepLine() as line:
        result = api.sweep(
            scenarios,
            out,
            engine=engine.value,
            address=address,
            processes=processes,
            effort=effort,
            time_limit_seconds=time_limit,
            gap=gap,
            seed=seed,
            threads=threads,
            progress=line,
        )
    print_data(api.sweep_table(result, width=terminal_width()))
    run = result.run
    say(
        f"{run.computed} computed, {run.kept} kept from earlier, {run.seconds:.1f} s on "
        f"{run.engine}; wrote {out}/index.html, sweep.md, sweep.csv, sweep.json"
    )
    is_complete = all(row.answer and row.answer.outcome.is_answer for row in result.rows)
    return exit_status.DONE if is_complete else exit_status.NO
