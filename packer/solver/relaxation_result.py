"""What the compact relaxation gives: amounts, and the price of every row."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from packer.solver.dual_feasible import DualFeasibleFunction

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FunctionRow:
    """A dual feasible function used as one more dimension of a node type."""

    node_type: int
    dim: int
    function: DualFeasibleFunction


@dataclass
class RowPrices:
    """Dual value of every capacity row, nonnegative, in the instance's own units.

    Attributes:
        capacity: [types, dims]. node: [types, node dims]. gpu_node, node_gpu: [types].
        functions: One per function row, for a numerator of one.
        spread_gpu, spread_node: By (item, node type).
    """

    capacity: Floats
    node: Floats
    gpu_node: Floats
    node_gpu: Floats
    functions: Floats
    spread_gpu: dict[tuple[int, int], float] = field(default_factory=dict)
    spread_node: dict[tuple[int, int], float] = field(default_factory=dict)


@dataclass(frozen=True)
class RelaxationResult:
    """An optimum of the relaxation.

    Attributes:
        x: Replicas per column of the instance (mostly zero).
        y: GPUs per card class. z: nodes per type.
        unserved: Replicas that found no room, per item.
    """

    objective: float
    x: Floats
    y: Floats
    z: Floats
    unserved: Floats
    prices: RowPrices
