"""``gpu-packer calibrate``: process overhead and speed learnt on the user's own cards."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from packer.cli.console import print_data, say
from packer.errors import InvalidInput, Problem
from packer.units import format_bytes

if TYPE_CHECKING:
    from packer.api.measurements import Calibration
    from packer.api.speed_calibrating import MeasuredServer


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        "calibrate",
        context_settings={"allow_interspersed_args": False},
        epilog="Examples: gpu-packer calibrate --log server.log --nvidia-smi smi.csv --out "
        "calibration.json   |   gpu-packer calibrate --speeds bench.json --add calibration.json "
        "--out calibration.json   |   gpu-packer calibrate --speeds answers.jsonl --gpu L40S "
        "--build b11434 -- llama-server -m model.gguf -c 32768 -np 4",
    )(calibrate)


def calibrate(
    command: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="-- llama-server …",
            help="With --speeds: the literal command line that was measured.",
        ),
    ] = None,
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
    speeds: Annotated[
        list[str] | None,
        typer.Option(
            "--speeds",
            metavar="FILE",
            help="Output of llama-bench -o json or llama-batched-bench, answers of llama-server "
            "with timings, its log, or its /metrics; may be repeated.",
        ),
    ] = None,
    gpu: Annotated[
        list[str] | None,
        typer.Option("--gpu", metavar="L40S[:n]", help="Cards of --speeds; none is the CPU."),
    ] = None,
    model: Annotated[
        str, typer.Option("--model", metavar="FILE", help="Model file of --speeds.")
    ] = "",
    models: Annotated[
        str, typer.Option("--models", metavar="DIR", help="Where relative model paths start.")
    ] = ".",
    build: Annotated[
        str, typer.Option(metavar="b11434", help="llama.cpp build of --speeds, if they do not say.")
    ] = "",
    slots: Annotated[
        int | None, typer.Option(min=1, help="Slots at work, if --speeds do not say; else 1.")
    ] = None,
    depth: Annotated[
        int | None, typer.Option(min=0, help="Tokens in a slot on average, for /metrics.")
    ] = None,
    host_bandwidth: Annotated[
        str, typer.Option(metavar="76.8G", help="Memory bandwidth of the host [bytes/s].")
    ] = "",
    add: Annotated[
        str, typer.Option("--add", metavar="FILE", help="Keep the measurements of this file too.")
    ] = "",
    out: Annotated[
        str,
        typer.Option("--out", metavar="FILE", help="Write the calibration here, not to stdout."),
    ] = "",
) -> None:
    """Learn what a llama-server takes of a card beyond its buffers, and how fast models are."""
    from packer import api
    from packer.api.cards import memory_bytes
    from packer.files.single_file import write_file
    from packer.files.text import read_text

    if not log and not speeds:
        help_ = "start the server with -lv 4, and give what it prints with --log"
        raise InvalidInput(Problem("P0497", "no server log is given", help=help_))
    found = api.read_calibration(add) if add else None
    if log:
        smi = read_text(nvidia_smi) if nvidia_smi else None
        names = (log, nvidia_smi)
        found = api.calibrate(read_text(log), smi, pid=pid, previous=found, names=names)
    server = api.MeasuredServer(
        argv=tuple(command or ()),
        model=model,
        gpus=tuple(part.strip() for one in gpu or () for part in one.split(",")),
        models=models,
        build=build,
        slots=slots,
        depth=depth,
        host_bandwidth=(
            memory_bytes(host_bandwidth, "--host-bandwidth") if host_bandwidth else None
        ),
    )
    found = _with_speeds(speeds or [], server, found)
    _say(found)
    text = api.calibration_text(found)
    if out:
        write_file(Path(out), text)
    else:
        print_data(text)


def _with_speeds(
    files: list[str], server: "MeasuredServer", found: "Calibration | None"
) -> "Calibration":
    """What was known, and the speeds of every file."""
    from packer import api
    from packer.files.text import read_text

    for file in files:
        found = api.calibrate_speed(read_text(file), server, previous=found, name=file)
    return found or api.Calibration()


def _say(calibration: "Calibration") -> None:
    """One line for each thing that was learnt, on stderr."""
    from packer.api.speed_calibrating import speeds_said

    for product, part, count in calibration.learnt():
        say(
            f"{product}: {format_bytes(part.bytes)} beyond the buffers, "
            f"{format_bytes(part.low)} to {format_bytes(part.high)} ({count} measured)"
        )
    for line in speeds_said(calibration):
        say(line)
