"""``gpu-packer inventory``: what a live cluster offers, as an Inventory file."""

from pathlib import Path
from typing import Annotated

import typer

from packer.cli.console import print_data, say
from packer.cli.options import Context, Kubeconfig
from packer.domain.node import Sharing


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        "inventory",
        epilog="Examples: gpu-packer inventory --out inventory.yaml   |   "
        "gpu-packer inventory --context production --replace company > inventory.yaml",
    )(inventory)


def inventory(
    context: Context = "",
    kubeconfig: Kubeconfig = "",
    name: Annotated[
        str, typer.Option(metavar="NAME", help="Name of the inventory. Default: the context's.")
    ] = "",
    sharing: Annotated[
        Sharing | None,
        typer.Option(help="How cards are to be shared. Default: the best each node serves."),
    ] = None,
    replace: Annotated[
        str,
        typer.Option(
            metavar="PLAN", help="Plan whose own pods count as free: it is to be planned anew."
        ),
    ] = "",
    out: Annotated[
        str, typer.Option(metavar="FILE", help="File to write. Default: standard output.")
    ] = "",
) -> None:
    """Read GPU nodes, free cards and free memory of a cluster; nothing in it is changed."""
    from packer import api

    found = api.live_inventory(
        context=context, kubeconfig=kubeconfig, name=name, sharing=sharing, replaced=replace
    )
    if out:
        from packer.files.single_file import write_file

        write_file(Path(out), found.text)
        pools, cards = len(found.inventory.pools), found.inventory.gpu_count
        say(f"{out}: {pools} pools, {cards} cards, {len(found.notes)} remarks in its head")
    else:
        print_data(found.text)
