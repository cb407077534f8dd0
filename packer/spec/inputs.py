"""A fleet and an inventory read together, so that all problems of both are told at once."""

from dataclasses import dataclass

from packer.domain.node import Inventory
from packer.domain.workload import Fleet, Objective
from packer.errors import InvalidInput, Location, Problem
from packer.spec.fleet_file import read_fleet
from packer.spec.inventory_file import read_inventory
from packer.spec.lookups import Lookups


@dataclass(frozen=True)
class Source:
    """Content of a file and what the user called it."""

    text: str | bytes
    file: str


def read_inputs(fleet: Source, inventory: Source, lookups: Lookups) -> tuple[Fleet, Inventory]:
    """The fleet and the inventory; one file may hold both.

    Cards that the inventory describes by hand may be named by the fleet.

    Raises:
        InvalidInput: With every problem of both files.
    """
    problems: list[Problem] = []
    read: Inventory | None = None
    try:
        read = read_inventory(inventory.text, inventory.file, lookups)
        lookups = lookups.knowing(pool.gpu for pool in read.pools)
    except InvalidInput as error:
        problems += error.problems
    try:
        products = {pool.gpu.name: pool.gpu for pool in read.pools} if read else {}
        asked = read_fleet(fleet.text, fleet.file, lookups, tuple(products.values()))
    except InvalidInput as error:
        raise InvalidInput([*error.problems, *problems]) from error
    if read is None:
        raise InvalidInput(problems)
    _check_prices(asked, read, fleet, inventory)
    return asked, read


def _check_prices(asked: Fleet, read: Inventory, fleet: Source, inventory: Source) -> None:
    unpriced = [pool.name for pool in read.pools if pool.price_per_hour is None]
    if asked.objective is not Objective.PRICE or not unpriced:
        return
    raise InvalidInput(
        Problem(
            "P0211",
            "objective: price needs the price of every pool",
            Location(inventory.file),
            f"no pricePerHour (onDemand) in {', '.join(unpriced)}",
            f"add it, or write objective: cards in {fleet.file}",
        )
    )
