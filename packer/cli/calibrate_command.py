"""``gpu-packer calibrate``: process overhead learnt from a server on the user's own cards."""

from pathlib import Path
from typing import Annotated

import typer

from packer.cli.console import print_data, say
from packer.errors import InvalidInput, Problem
from packer.units import format_bytes


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        "calibrate",
        epilog="Examples: gpu-packer calibrate --log server.log --nvidia-smi smi.csv --out "
        "calibration.json   |   gpu-packer calibrate --log second.log --nvidia-smi second.csv "
        "--add calibration.json --out calibration.json",
    )(calibrate)


def calibrate(
    log: Annotated[
        str, typer.Option("--log", metavar="FILE", help="Log of a llama-server run with -lv 4.")
    ] = "",
    nvidia_smi: Annotated[
        str,
        typer.Option(
            "--nvidia-smi",
            metavar="FILE",
            help="What nvidia-smi printed meanwhile, as CSV; without it the log's own account at "
            "the server's end counts.",
        ),
    ] = "",
    pid: Annotated[
        int | None, typer.Option(min=1, help="The server's process, if several use the cards.")
    ] = None,
    add: Annotated[
        str, typer.Option("--add", metavar="FILE", help="Keep the measurements of this file too.")
    ] = "",
    out: Annotated[
        str,
        typer.Option("--out", metavar="FILE", help="Write the calibration here, not to stdout."),
    ] = "",
) -> None:
    """Learn what a llama-server takes of a card beyond its buffers, for estimate --calibration."""
    from packer import api
    from packer.files.single_file import write_file
    from packer.files.text import read_text

    if not log:
        help_ = "start the server with -lv 4, and give what it prints with --log"
        raise InvalidInput(Problem("P0497", "no server log is given", help=help_))
    calibration = api.calibrate(
        read_text(log),
        read_text(nvidia_smi) if nvidia_smi else None,
        pid=pid,
        previous=api.read_calibration(add) if add else None,
        names=(log, nvidia_smi),
    )
    for product, part, count in calibration.learnt():
        say(
            f"{product}: {format_bytes(part.bytes)} beyond the buffers, "
            f"{format_bytes(part.low)} to {format_bytes(part.high)} ({count} measured)"
        )
    text = api.calibration_text(calibration)
    if out:
        write_file(Path(out), text)
    else:
        print_data(text)
