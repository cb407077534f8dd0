"""``gpu-packer inspect``: what a model file holds, from its header alone."""

import json
from enum import StrEnum
from typing import Annotated

import typer

from packer.cli.console import print_data
from packer.cli.inspection_text import inspection_document, inspection_text


class Format(StrEnum):
    """What ``-o`` may be."""

    TABLE = "table"
    JSON = "json"


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        "inspect",
        epilog="Examples: gpu-packer inspect model-00001-of-00003.gguf --gpu L40S   |   "
        "gpu-packer inspect catalogue:qwen3-8b:Q4_K_M -o json",
    )(inspect)


def inspect(
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="A file, https:// or hf:// address, or catalogue:."),
    ],
    gpu: Annotated[
        str, typer.Option(help="Say the largest context on one card of this product.")
    ] = "",
    output: Annotated[Format, typer.Option("--output", "-o", help="Format on stdout.")] = (
        Format.TABLE
    ),
) -> None:
    """Show shapes, tensor types, KV bytes per token and recurrent state of a model."""
    from packer import api

    document = inspection_document(api.inspect(model), api.cache_costs(model))
    if gpu:
        from packer.catalogue.gpus import find_gpu

        product = find_gpu(gpu)
        document["largest_context"] = {
            cache_type: api.largest_context(model, product, cache_type=cache_type)
            for cache_type in ("f16", "q8_0")
        }
        document["gpu"] = product.name
    if output is Format.JSON:
        print_data(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        print_data(inspection_text(document))
