"""``gpu-packer estimate``: memory and speed of a literal llama-server command line."""

import json
import os
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from packer.cli import exit_status
from packer.cli.console import print_data
from packer.errors import InvalidInput, Problem

if TYPE_CHECKING:
    from packer.api.measurements import Calibration
    from packer.api.process_speed import ServerEstimate, SpeedQuestion


class Format(StrEnum):
    """What ``-o`` may be."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        "estimate",
        # What follows the first word of the command line belongs to it, even without --.
        context_settings={"allow_interspersed_args": False},
        epilog="Examples: gpu-packer estimate --gpu L40S -- llama-server -m model.gguf -c 32768 "
        "-np 4   |   gpu-packer estimate --batch lines.tsv --models DIR -o jsonl",
    )(estimate)


def estimate(
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="-- llama-server …", help="The literal command line."),
    ] = None,
    gpus: Annotated[
        str,
        typer.Option(
            "--gpus",
            metavar="80Gi,24Gi",
            help="Allocatable memory of each card; 24Gi:20Gi if less is free.",
        ),
    ] = "",
    gpu: Annotated[
        list[str] | None,
        typer.Option("--gpu", metavar="L40S[:n]", help="Cards of the catalogue; may be repeated."),
    ] = None,
    left: Annotated[
        str,
        typer.Option(metavar="20Gi,18Gi", help="What others leave of each card; all by default."),
    ] = "",
    host_memory: Annotated[
        str, typer.Option(metavar="64Gi", help="Memory of the host; not checked if left out.")
    ] = "",
    models: Annotated[
        str, typer.Option("--models", metavar="DIR", help="Where relative model paths start.")
    ] = ".",
    build: Annotated[str, typer.Option(help="llama.cpp build of the program.")] = "b11434",
    calibration: Annotated[
        str, typer.Option(metavar="FILE", help="What calibrate measured on your cards.")
    ] = "",
    depth: Annotated[
        int | None,
        typer.Option("--depth", min=0, help="Tokens in each slot, for the speed; 512 if left out."),
    ] = None,
    slots: Annotated[
        int | None,
        typer.Option("--slots", min=1, help="Slots that decode at once; all if left out."),
    ] = None,
    host_bandwidth: Annotated[
        str, typer.Option(metavar="76.8G", help="Memory bandwidth of the host [bytes/s].")
    ] = "",
    oracle: Annotated[
        bool, typer.Option("--oracle", help="Ask an installed llama.cpp too, and show both.")
    ] = False,
    batch: Annotated[
        str, typer.Option("--batch", metavar="FILE", help="Lines GPUS<TAB>command; - is stdin.")
    ] = "",
    output: Annotated[
        Format | None,
        typer.Option("--output", "-o", help="Format on stdout: table, or jsonl for a batch."),
    ] = None,
) -> int:
    """Say what a command line takes of cards and host, and its speed; exit 1 if it does not fit."""
    from packer import api
    from packer.api.cards import cards_by_name, cards_by_size, memory_bytes, with_left

    _refuse_contradictions(command, batch, output, alone=bool(gpus or gpu or left or oracle))
    host_bytes = memory_bytes(host_memory, "--host-memory") if host_memory else None
    learnt = api.read_calibration(calibration) if calibration else None
    rate = memory_bytes(host_bandwidth, "--host-bandwidth") if host_bandwidth else None
    speed = api.SpeedQuestion(depth, slots, rate)
    if batch:
        return _batch(batch, models, build, host_bytes, learnt, speed)
    by_size = cards_by_size(gpus) if gpus else ()
    by_name = cards_by_name(gpu or [])
    question: dict[str, Any] = {
        "models": models,
        "environment": {k: v for k, v in os.environ.items() if k.startswith("LLAMA_")},
        "build": build,
    }
    cards = (*by_size, *by_name.cards)
    cards = with_left(cards, left) if left else cards
    answer = api.estimate_server(
        command or [],
        cards,
        host_bytes=host_bytes,
        calibration=learnt,
        notes=by_name.notes,
        speed=speed,
        **question,
    )
    extra = api.ask_oracle(command or [], cards, **question) if oracle else None
    print_data(_shown(answer, extra, output or Format.TABLE))
    return exit_status.DONE if answer.memory.fits else exit_status.NO


def _refuse_contradictions(
    command: list[str] | None, batch: str, output: Format | None, *, alone: bool
) -> None:
    """Refuse options that have no meaning together.

    Raises:
        InvalidInput: P0485 or P0495.
    """
    if not batch and not command:
        help_ = "put it after --: gpu-packer estimate --gpus 24Gi -- llama-server -m model.gguf"
        raise InvalidInput(Problem("P0485", "no command line is given", help=help_))
    if not batch:
        return
    problems = []
    if command or alone:
        why = "every line of a batch names its own cards and command line"
        title = "--batch stands alone"
        help_ = "leave out the command line, --gpus, --gpu, --left and --oracle"
        problems.append(Problem("P0495", title, why=why, help=help_))
    if output not in (None, Format.JSONL):
        why = "its answers are one JSON object per line"
        problems.append(Problem("P0495", f"a batch is no {output}", why=why, help="write -o jsonl"))
    if problems:
        raise InvalidInput(problems)


def _shown(answer: "ServerEstimate", asked: Any, output: Format) -> str:
    """The estimate, and the oracle's answer beside it if it was asked."""
    from packer.report.estimate_document import estimate_document
    from packer.report.estimate_table import estimate_table
    from packer.report.oracle_comparison import oracle_document, oracle_table

    if output is Format.TABLE:
        table = estimate_table(answer.memory, answer.speed, answer.speed_notes)
        return f"{table}\n\n{oracle_table(asked)}" if asked else table
    document = estimate_document(answer.memory, answer.speed, answer.speed_notes)
    document |= {"oracle": oracle_document(asked)} if asked else {}
    return json.dumps(document, indent=2 if output is Format.JSON else None, ensure_ascii=False)


def _batch(
    path: str,
    models: str,
    build: str,
    host_bytes: int | None,
    learnt: "Calibration | None",
    speed: "SpeedQuestion",
) -> int:
    """One JSON line per line of the file; a line without an answer is no failure of the batch."""
    from packer import api
    from packer.files.text import read_text

    answers = api.estimate_batch(
        read_text(path),
        models=models,
        build=build,
        file=path,
        host_bytes=host_bytes,
        calibration=learnt,
        speed=speed,
    )
    for answer in answers:
        print_data(json.dumps(answer, ensure_ascii=False, separators=(",", ":")))
    return exit_status.DONE
