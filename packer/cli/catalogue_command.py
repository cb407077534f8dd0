"""``gpu-packer catalogue``: what is built in."""

from enum import StrEnum
from typing import Annotated

import typer

from packer.cli.console import print_data


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
        epilog="Examples: gpu-packer catalogue gpus   |   "
        "gpu-packer catalogue prices --gpu L40S --region 'eu-*'",
    )(catalogue)


def catalogue(
    shelf: Annotated[Shelf, typer.Argument(help="Which part.")],
    output: Annotated[Format, typer.Option("--output", "-o", help="Format on stdout.")] = (
        Format.TABLE
    ),
    gpu: Annotated[str, typer.Option(help="Prices of this GPU only.")] = "",
    region: Annotated[str, typer.Option(help="Prices of these regions only, such as eu-*.")] = "",
) -> None:
    """List the GPUs, models or prices that are built in, with their sources."""
    from packer import api

    rows = api.catalogue(shelf.value, gpu=gpu, region=region)
    print_data(api.catalogue_text(rows, output.value))
