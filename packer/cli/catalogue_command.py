"""``gpu-packer catalogue``: what is built in."""

import json
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

import typer

from packer.cli.catalogue_tables import Row, gpu_rows, model_rows, price_rows, text_table
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
    rows = list(_rows(shelf, gpu, region))
    if output is Format.JSON:
        print_data(json.dumps(rows, indent=2, ensure_ascii=False))
    elif output is Format.NAME:
        print_data("\n".join(str(row["name"]) for row in rows))
    else:
        print_data(text_table(rows))


def _rows(shelf: Shelf, gpu: str, region: str) -> Iterator[Row]:
    if shelf is Shelf.GPUS:
        from packer.catalogue.gpus import gpu_products

        return gpu_rows(gpu_products())
    if shelf is Shelf.MODELS:
        from packer.catalogue.models import catalogue_models

        return model_rows(catalogue_models())
    from packer.catalogue.prices import prices

    return price_rows(prices(gpu=gpu or None, region=region or None))
