"""``gpu-packer validate``: every problem of the files at once, and nothing else."""

import typer

from packer.cli.console import say
from packer.cli.options import FleetFile, InventoryFile, PriceBook


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        "validate",
        epilog="Examples: gpu-packer validate -f fleet.yaml -i inventory.yaml   |   "
        "cat fleet.yaml | gpu-packer validate -f - -i inventory.yaml",
    )(validate)


def validate(fleet: FleetFile, inventory: InventoryFile, prices: PriceBook = "") -> None:
    """Check a fleet and an inventory; print every problem with its place and a fix."""
    from packer import api

    inputs = api.load(fleet, inventory, prices)
    workloads, pools = len(inputs.fleet.workloads), len(inputs.inventory.pools)
    say(
        f"{fleet} and {inventory} are valid: {workloads} workloads, {pools} pools, "
        f"{inputs.inventory.gpu_count} cards"
    )
