"""``gpu-packer catalogue``: what is built in."""

import json
from enum import StrEnum
from typing import Annotated

import typer

from packer.cli.catalogue_tables import catalogue_table, row_name
from packer.cli.console import print_data
from packer.cli.options import PriceBook


class Shelf(StrEnum):
    """Parts of the catalogue."""

    GPUS = "gpus"
    MODELS = "models"
    PRICES = "prices"


class Format(StrEnum):
    """What ``-o`` may be."""

    TABLE = "table"
    NAME = "name"
    JSON = "json"


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        "catalogue",
        epilog="Examples: gpu-packer catalogue models qwen3   |   "
        "gpu-packer catalogue prices --gpu L40S --region 'eu-*'",
    )(catalogue)


def catalogue(
    shelf: Annotated[Shelf, typer.Argument(help="Which part.")],
    word: Annotated[str, typer.Argument(help="Rows with this in their name only.")] = "",
    output: Annotated[Format, typer.Option("--output", "-o", help="Format on stdout.")] = (
        Format.TABLE
    ),
    gpu: Annotated[str, typer.Option(help="This GPU or family only.")] = "",
    region: Annotated[str, typer.Option(help="Prices of these regions only, such as eu-*.")] = "",
    prices: PriceBook = "",
) -> None:
    """List the GPUs, models or prices that are built in, with their sources."""
    from packer import api

    found = api.catalogue(shelf.value, gpu=gpu, region=region, prices=prices)
    rows = [row for row in found if word.casefold() in row_name(row).casefold()]
    if output is Format.JSON:
        print_data(json.dumps(rows, indent=2, ensure_ascii=False))
    elif output is Format.NAME:
        print_data("\n".join(map(row_name, rows)))
    else:
        print_data(catalogue_table(shelf.value, rows))
