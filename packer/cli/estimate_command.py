"""``gpu-packer estimate``: memory of a literal llama-server command line."""

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
    from packer.memory.result import MemoryEstimate


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
    host_memory: Annotated[
        str, typer.Option(metavar="64Gi", help="Memory of the host; not checked if left out.")
    ] = "",
    models: Annotated[
        str, typer.Option("--models", metavar="DIR", help="Where relative model paths start.")
    ] = ".",
    build: Annotated[str, typer.Option(help="llama.cpp build of the program.")] = "b11434",
    calibration: Annotated[
        str, typer.Option(metavar="FILE", help="Process overheads that calibrate measured.")
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
    """Say what a command line takes of every card and of the host; exit 1 when it does not fit."""
    from packer import api
    from packer.api.cards import cards_by_name, cards_by_size, memory_bytes

    _refuse_contradictions(command, batch, output, alone=bool(gpus or gpu or oracle))
    host_bytes = memory_bytes(host_memory, "--host-memory") if host_memory else None
    learnt = api.read_calibration(calibration) if calibration else None
    if batch:
        return _batch(batch, models, build, host_bytes, learnt)
    by_size = cards_by_size(gpus) if gpus else ()
    by_name = cards_by_name(gpu or [])
    question: dict[str, Any] = {
        "models": models,
        "environment": {k: v for k, v in os.environ.items() if k.startswith("LLAMA_")},
        "build": build,
    }
    cards = (*by_size, *by_name.cards)
    answer = api.estimate_process(
        command or [],
        cards,
        host_bytes=host_bytes,
        calibration=learnt,
        notes=by_name.notes,
        **question,
    )
    extra = api.ask_oracle(command or [], cards, **question) if oracle else None
    print_data(_shown(answer, extra, output or Format.TABLE))
    return exit_status.DONE if answer.fits else exit_status.NO


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
        help_ = "leave out the command line, --gpus, --gpu and --oracle"
        problems.append(Problem("P0495", title, why=why, help=help_))
    if output not in (None, Format.JSONL):
        why = "its answers are one JSON object per line"
        problems.append(Problem("P0495", f"a batch is no {output}", why=why, help="write -o jsonl"))
    if problems:
        raise InvalidInput(problems)


def _shown(answer: "MemoryEstimate", asked: Any, output: Format) -> str:
    """The estimate, and the oracle's answer beside it if it was asked."""
    from packer.report.estimate_document import estimate_document
    from packer.report.estimate_table import estimate_table
    from packer.report.oracle_comparison import oracle_document, oracle_table

    if output is Format.TABLE:
        table = estimate_table(answer)
        return f"{table}\n\n{oracle_table(asked)}" if asked else table
    document = estimate_document(answer) | ({"oracle": oracle_document(asked)} if asked else {})
    return json.dumps(document, indent=2 if output is Format.JSON else None, ensure_ascii=False)


def _batch(
    path: str, models: str, build: str, host_bytes: int | None, learnt: "Calibration | None"
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
    )
    for answer in answers:
        print_data(json.dumps(answer, ensure_ascii=False, separators=(",", ":")))
    return exit_status.DONE
