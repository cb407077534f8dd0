"""The Python API: what the command line does, as functions; wires the floors together.

::

    from packer import api
    inputs = api.load("fleet.yaml", "inventory.yaml")
    plan = api.plan(inputs)
    print(api.plan_table(plan))
    api.render(plan, "build/manifests")
    api.report(plan, "build/report")
"""

import hashlib
import os
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from packer import __version__
from packer.domain.node import Inventory, Sharing
from packer.domain.workload import Fleet
from packer.errors import InvalidInput, Location, Problem

if TYPE_CHECKING:
    from packer.plan.plan import Plan
    from packer.solver.outcome import Progress


@dataclass(frozen=True)
class Input:
    """A fleet and an inventory that were read and found sound, with the hashes of their texts."""

    fleet: Fleet
    inventory: Inventory
    fleet_sha256: str
    inventory_sha256: str


def load(fleet: str | Path, inventory: str | Path) -> Input:
    """Fleet and inventory of two YAML files; ``-`` is standard input.

    Raises:
        InvalidInput: Everything that is wrong with either file, at once.
    """
    from packer.files.text import read_text
    from packer.spec.fleet_file import read_fleet
    from packer.spec.inventory_file import read_inventory

    problems: list[Problem] = []
    read: list[Fleet | Inventory] = []
    hashes = []
    for path, reader in ((fleet, read_fleet), (inventory, read_inventory)):
        try:
            text = read_text(path)
            hashes.append(hashlib.sha256(text.encode()).hexdigest())
            read.append(reader(text, str(path), _lookups()))
        except InvalidInput as error:
            problems += error.problems
    if problems:
        raise InvalidInput(problems)
    one, other = read
    assert isinstance(one, Fleet)  # noqa: S101 — the readers' own types, in this order
    assert isinstance(other, Inventory)  # noqa: S101
    return Input(one, other, *hashes)
