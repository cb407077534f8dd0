"""``gpu-packer schema``: JSON Schemas for editors and pipelines."""

from enum import StrEnum
from typing import Annotated

import typer

from packer.cli.console import print_data


class Document(StrEnum):
    """Documents that have a schema."""

    FLEET = "fleet"
    INVENTORY = "inventory"
    PLAN = "plan"
    PRICE_BOOK = "price-book"
    SWEEP = "sweep"


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        "schema",
        epilog="Examples: gpu-packer schema fleet > fleet.schema.json   |   "
        "gpu-packer schema plan | jq .properties",
    )(schema)


def schema(
    document: Annotated[Document, typer.Argument(help="Which document.")],
) -> None:
    """Print the JSON Schema of a document."""
    from packer import api

    print_data(api.schema_text(document.value))
