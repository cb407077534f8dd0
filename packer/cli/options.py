"""Options several commands share, worded once."""

from typing import Annotated

import typer

FleetFile = Annotated[
    str,
    typer.Option("--fleet", "-f", metavar="FILE", help="Fleet file; - reads standard input."),
]
InventoryFile = Annotated[
    str,
    typer.Option("--inventory", "-i", metavar="FILE", help="Inventory file."),
]
PriceBook = Annotated[
    str,
    typer.Option(
        "--prices",
        metavar="BOOK",
        envvar="GPU_PACKER_PRICES",
        help="Price book, YAML or CSV; comes before all other prices.",
    ),
]
PlanFile = Annotated[
    str, typer.Argument(metavar="PLAN.json", help="A saved plan; - reads standard input.")
]
OutFolder = Annotated[
    str, typer.Option("--out", metavar="DIR", help="Folder to write; made if it is missing.")
]
Context = Annotated[
    str, typer.Option(metavar="NAME", help="Context of the kubeconfig. Default: the current.")
]
Kubeconfig = Annotated[
    str, typer.Option(metavar="FILE", help="Default: KUBECONFIG, then ~/.kube/config.")
]
