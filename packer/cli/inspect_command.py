"""``gpu-packer inspect``: what a model file holds, from its header alone."""

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from packer.cli.console import print_data
from packer.errors import UnsupportedModel

if TYPE_CHECKING:
    from packer.memory.cache_cost import CacheCost


class Format(StrEnum):
    """What ``-o`` may be."""

    TABLE = "table"
    JSON = "json"


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        "inspect",
        epilog="Examples: gpu-packer inspect model-00001-of-00003.gguf --gpu L40S   |   "
        "gpu-packer inspect catalogue:qwen3-8b:Q4_K_M --gpus 24Gi,24Gi -o json",
    )(inspect)


def inspect(
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="A file, https:// or hf:// address, or catalogue:."),
    ],
    gpus: Annotated[
        str,
        typer.Option(metavar="24Gi,24Gi", help="Say the largest context on cards of these sizes."),
    ] = "",
    gpu: Annotated[
        list[str] | None,
        typer.Option("--gpu", metavar="L40S[:n]", help="The same for cards of the catalogue."),
    ] = None,
    output: Annotated[Format, typer.Option("--output", "-o", help="Format on stdout.")] = (
        Format.TABLE
    ),
) -> None:
    """Show shapes, tensor types, KV bytes per token and recurrent state of a model."""
    from packer import api
    from packer.api.cards import cards_by_name, cards_by_size
    from packer.cli.inspection_text import inspection_document, inspection_text

    by_name = cards_by_name(gpu or [])
    cards = (*(cards_by_size(gpus) if gpus else ()), *by_name.cards)
    inspection, notes = api.inspect(model), list(by_name.notes)
    costs: tuple[CacheCost, ...] = ()
    try:
        costs = api.cache_costs(model)
    except UnsupportedModel as error:
        notes += [f"{problem.title}: what context costs is not known" for problem in error.problems]
    largest = {
        cost.cache_type: api.largest_context(model, cards, cache_type=cost.cache_type)
        for cost in (costs if cards else ())
    }
    document = inspection_document(inspection, costs, cards, largest) | {"notes": notes}
    if output is Format.JSON:
        print_data(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        print_data(inspection_text(document))
