"""``gpu-packer estimate``: memory of a literal llama-server command line."""

import json
import os
import re
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from packer.cli import exit_status
from packer.cli.console import print_data
from packer.errors import InvalidInput, Problem
from packer.units import InvalidQuantity, parse_whole

if TYPE_CHECKING:
    from packer.memory.result import Card

_MOST_CARDS = 16
"""GGML_CUDA_MAX_DEVICES. Source: llama.cpp b11434, ggml/include/ggml-cuda.h."""


class Format(StrEnum):
    """What ``-o`` may be."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        "estimate",
        context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
        epilog="Examples: gpu-packer estimate --gpu L40S -- llama-server -m model.gguf -c 32768 "
        "-np 4   |   gpu-packer estimate --batch lines.tsv --models DIR -o jsonl",
    )(estimate)


def estimate(
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="-- llama-server …", help="The literal command line."),
    ] = None,
    gpus: Annotated[
        str, typer.Option("--gpus", metavar="80Gi,24Gi", help="Allocatable memory of each card.")
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
    batch: Annotated[
        str, typer.Option("--batch", metavar="FILE", help="Lines GPUS<TAB>command; - is stdin.")
    ] = "",
    output: Annotated[Format, typer.Option("--output", "-o", help="Format on stdout.")] = (
        Format.TABLE
    ),
) -> int:
    """Say what a command line takes of every card and of the host; exit 1 when it does not fit."""
    from packer import api
    from packer.report.estimate_document import estimate_document
    from packer.report.estimate_table import estimate_table

    if batch:
        return _batch(batch, models, build)
    if not command:
        raise InvalidInput(
            Problem("P0485", "no command line is given", help="put it after --, llama-server first")
        )
    cards = (*_cards_by_size(gpus), *_cards_by_name(gpu or []))
    answer = api.estimate_process(
        command,
        cards,
        models=models,
        environment={k: v for k, v in os.environ.items() if k.startswith("LLAMA_")},
        build=build,
        host_bytes=_size("--host-memory", host_memory) if host_memory else None,
    )
    if output is Format.TABLE:
        print_data(estimate_table(answer))
    else:
        indent = 2 if output is Format.JSON else None
        print_data(json.dumps(estimate_document(answer), indent=indent, ensure_ascii=False))
    return exit_status.DONE if answer.fits else exit_status.NO


def _batch(path: str, models: str, build: str) -> int:
    """One JSON line per line of the file; a line without an answer is no failure of the batch."""
    from packer import api
    from packer.files.text import read_text

    for answer in api.estimate_batch(read_text(path), models=models, build=build, file=path):
        print_data(json.dumps(answer, ensure_ascii=False, separators=(",", ":")))
    return exit_status.DONE


def _cards_by_size(text: str) -> "tuple[Card, ...]":
    from packer.memory.result import Card

    sizes = [part.strip() for part in text.split(",") if part.strip()]
    return tuple(Card(f"CUDA{i}", _size("--gpus", size)) for i, size in enumerate(sizes))


def _size(option: str, text: str) -> int:
    try:
        size = parse_whole(text)
    except InvalidQuantity as error:
        raise InvalidInput(
            Problem("P0486", f"{option} {text!r} is not a size", help=str(error))
        ) from error
    if size <= 0:
        raise InvalidInput(Problem("P0486", f"{option} {text!r} is no memory", help="such as 24Gi"))
    return size


def _cards_by_name(names: list[str]) -> "tuple[Card, ...]":
    from packer.api.estimating import card_of
    from packer.catalogue.gpus import find_gpu

    cards: list[Card] = []
    for name in (part for text in names for part in text.split(",")):
        product, _, count = name.strip().partition(":")
        if count and not re.fullmatch(r"[1-9][0-9]?", count):
            raise InvalidInput(
                Problem("P0487", f"--gpu {name!r} names no number of cards", help="such as L40S:2")
            )
        cards += [card_of(find_gpu(product))] * int(count or 1)
    if len(cards) > _MOST_CARDS:
        raise InvalidInput(
            Problem("P0487", f"{len(cards)} cards are more than llama.cpp can use: {_MOST_CARDS}")
        )
    return tuple(cards)
