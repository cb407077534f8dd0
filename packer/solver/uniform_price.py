"""One price per unit of one dimension on every GPU: the quickest price vector that proves a bound.

It is the dual of a fractional knapsack over all GPUs at once and equals the whole relaxation
wherever a single dimension is scarce, at any size, in milliseconds.
"""

import numpy as np
from numpy.typing import NDArray

from packer.solver.card_classes import CardClass
from packer.solver.columns import Columns
from packer.solver.relaxation_result import RowPrices


def uniform_prices(
    columns: Columns,
    counts: NDArray[np.float64],
    classes: tuple[CardClass, ...],
    types: int,
) -> RowPrices:
    """The best such prices for these replicas on these GPUs; all zero where nothing is paid.

    Args:
        columns: Ways to place, sorted by item.
        counts: Replicas to place per item.
        classes: GPUs that may be used.
        types: Number of node types.
    """
    best_value, best_dim, best_price = 0.0, 0, 0.0
    for dim in range(columns.load.shape[1] if len(columns) else 0):
        volume = _least_volume(columns, counts, dim)
        for price in {one.cost / one.capacity[dim] for one in classes if one.capacity[dim]}:
            earned = sum(
                min(0.0, one.cost - price * one.capacity[dim]) * one.count for one in classes
            )
            if price * volume + earned > best_value:
                best_value, best_dim, best_price = price * volume + earned, dim, price
    capacity = np.zeros((types, columns.load.shape[1]))
    if capacity.size:
        capacity[:, best_dim] = best_price
    nothing = np.zeros(types)
    return RowPrices(
        capacity, np.zeros((types, columns.node.shape[1])), nothing, nothing, np.zeros(0)
    )


def _least_volume(columns: Columns, counts: NDArray[np.float64], dim: int) -> float:
    present, starts = np.unique(columns.item, return_index=True)
    least = np.minimum.reduceat(columns.load[:, dim].astype(float), starts)
    return float((least * counts[present]).sum())
