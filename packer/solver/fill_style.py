"""How a guided fill chooses, and what it works on."""

from dataclasses import dataclass, field
from random import Random

import numpy as np
from numpy.typing import NDArray

from packer.solver.columns import Columns
from packer.solver.packing import Packing


@dataclass(frozen=True)
class FillStyle:
    """How a fill chooses.

    Attributes:
        sample: Replicas drawn over all sizes and offered to one GPU.
        largest: How many of the largest that fit are offered before them.
        smallest_type_first: Among types the prices want equally full.
        spread_out: Take the first GPU of every node before the second of any.
        urgent_from: Replicas left per node ahead from which an item with a limit per node is
            placed at every chance.
        balance_from: Use of another dimension by what is left, as a share of where it must go,
            from which replicas rich in it are preferred.
        finest: Units a GPU's room is divided into.
        tolerance: Share of a GPU given up for a better balance.
        seed: Of the sampling.
    """

    sample: int = 40
    largest: int = 12
    smallest_type_first: bool = False
    spread_out: bool = False
    urgent_from: float = 0.8
    balance_from: float = 0.7
    finest: int = 4000
    tolerance: float = 0.002
    seed: int = 0


@dataclass
class FillState:
    """A packing being filled.

    Attributes:
        left: Replicas still to place, per item.
        watched: Whether a rule speaks about an item.
    """

    packing: Packing
    columns: Columns
    style: FillStyle
    left: NDArray[np.int64] = field(init=False)
    watched: NDArray[np.bool_] = field(init=False)
    random: Random = field(init=False)

    def __post_init__(self) -> None:
        items = self.packing.instance.items
        self.left = np.zeros(len(items), dtype=np.int64)
        for i, missing in self.packing.missing().items():
            self.left[i] = missing
        self.watched = np.array([self.packing.is_watched(one.name) for one in items], dtype=bool)
        self.random = Random(self.style.seed)  # noqa: S311 — not for secrets

    def allows(self, i: int, node: int, gpu: int) -> bool:
        """Whether the rules let one more replica of an item onto a GPU."""
        name = self.packing.instance.items[i].name
        return not self.watched[i] or self.packing.allows(name, node, (gpu,))
