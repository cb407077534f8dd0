"""Bound certificates: integer row prices per leaf of a branching, evaluated in exact arithmetic.

For any nonnegative integer prices the value of a leaf is a valid bound (weak duality), so
rounding the prices of a floating-point solver loses a little strength and no truth:

    value = Σ count·π + Σ_classes min_y (rest_y·y) + Σ_types min_z (rest_z·z)

with π the cheapest way to pay for one replica, and the rests what a GPU or node costs beyond the
prices it earns, y and z within the leaf's limits. All numbers are scaled by ``scale``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from packer.solver.card_classes import card_classes, node_cost
from packer.solver.columns import Columns
from packer.solver.instance import Instance
from packer.solver.relaxation import Relaxation
from packer.solver.relaxation_result import FunctionRow, RowPrices

Limits = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class IntegerPrices:
    """Row prices as integers, scaled; the fields are those of RowPrices."""

    capacity: tuple[tuple[int, ...], ...]
    node: tuple[tuple[int, ...], ...]
    gpu_node: tuple[int, ...]
    node_gpu: tuple[int, ...]
    functions: tuple[int, ...]
    spread_gpu: Mapping[tuple[int, int], int]
    spread_node: Mapping[tuple[int, int], int]

    def times(self, factor: int) -> "IntegerPrices":
        """All prices raised by one factor."""
        return IntegerPrices(
            tuple(tuple(factor * price for price in row) for row in self.capacity),
            tuple(tuple(factor * price for price in row) for row in self.node),
            tuple(factor * price for price in self.gpu_node),
            tuple(factor * price for price in self.node_gpu),
            tuple(factor * price for price in self.functions),
            {key: factor * price for key, price in self.spread_gpu.items()},
            {key: factor * price for key, price in self.spread_node.items()},
        )


@dataclass(frozen=True)
class Leaf:
    """One part of the branching: limits of y and z, prices, and what they prove."""

    y: Limits
    z: Limits
    prices: IntegerPrices
    demand: tuple[int, ...]
    value: int


@dataclass(frozen=True)
class Split:
    """A branching on one variable: at most ``at`` to the left, more to the right."""

    variable: str
    position: int
    at: int
    left: "Split | Leaf"
    right: "Split | Leaf"


@dataclass(frozen=True)
class LinearCertificate:
    """A proven bound: a tree of leaves, each with its prices."""

    scale: int
    functions: tuple[FunctionRow, ...]
    tree: Split | Leaf
    bound: int
    extra: Mapping[str, Any] = field(default_factory=dict)


def price_scale(instance: Instance) -> int:
    """Power of ten that leaves prices six digits and more after rounding."""
    largest = max(
        [1]
        + [c for one in instance.node_types for caps in one.capacities for c in caps]
        + [c for one in instance.node_types for c in one.node_cap]
    )
    return int(10 ** (len(str(largest)) + 6))


def round_prices(prices: RowPrices, scale: int) -> IntegerPrices:
    """Prices times scale, to integers."""

    def whole(value: float) -> int:
        return max(0, round(float(value) * scale))

    return IntegerPrices(
        tuple(tuple(map(whole, row)) for row in prices.capacity),
        tuple(tuple(map(whole, row)) for row in prices.node),
        tuple(map(whole, prices.gpu_node)),
        tuple(map(whole, prices.node_gpu)),
        tuple(map(whole, prices.functions)),
        {key: whole(value) for key, value in prices.spread_gpu.items() if whole(value)},
        {key: whole(value) for key, value in prices.spread_node.items() if whole(value)},
    )


def evaluate_leaf(
    relaxation: Relaxation, prices: IntegerPrices, scale: int, y: Limits, z: Limits
) -> Leaf:
    """The exact value of a leaf."""
    instance = relaxation.instance
    demand = _demand_prices(relaxation, prices)
    value = sum(item.count * price for item, price in zip(instance.items, demand, strict=True))
    for one, (low, high) in zip(card_classes(instance), y, strict=True):
        t = one.node_type
        rest = one.cost * scale + prices.gpu_node[t] - prices.node_gpu[t]
        rest -= sum(p * c for p, c in zip(prices.capacity[t], one.capacity, strict=True))
        rest -= sum(
            price * row.function.denominator
            for price, row in zip(prices.functions, relaxation.functions, strict=True)
            if row.node_type == t
        )
        rest -= sum(
            price * (instance.items[i].max_per_gpu or 0)
            for (i, at), price in prices.spread_gpu.items()
            if at == t
        )
        value += rest * (low if rest > 0 else high)
    for t, (low, high) in enumerate(z):
        node_type = instance.node_types[t]
        rest = node_cost(instance, t) * scale + prices.node_gpu[t]
        rest -= node_type.gpus * prices.gpu_node[t]
        rest -= sum(p * c for p, c in zip(prices.node[t], node_type.node_cap, strict=True))
        rest -= sum(
            price * (instance.items[i].max_per_node or 0)
            for (i, at), price in prices.spread_node.items()
            if at == t
        )
        value += rest * (low if rest > 0 else high)
    return Leaf(y, z, prices, demand, value)


def _demand_prices(relaxation: Relaxation, prices: IntegerPrices) -> tuple[int, ...]:
    """Cheapest payment for one replica per item. Exact: Python integers throughout."""
    columns: Columns = relaxation.columns
    if not len(columns):
        return (0,) * len(relaxation.instance.items)
    t = columns.node_type
    kind: type = np.int64 if fits_machine_integers(relaxation, prices) else object
    capacity: NDArray[Any] = np.array(prices.capacity, dtype=kind)
    node: NDArray[Any] = np.array(prices.node, dtype=kind).reshape(len(prices.capacity), -1)
    paid = (columns.load.astype(kind) * capacity[t]).sum(axis=1)
    if node.shape[1]:
        paid = paid + (columns.node.astype(kind) * node[t]).sum(axis=1)
    for price, numerators in zip(prices.functions, relaxation.numerators, strict=True):
        if price:
            paid = paid + numerators.astype(kind) * price
    for (i, at), price in prices.spread_gpu.items():
        chosen = (columns.item == i) & (t == at)
        paid[chosen] += price * columns.width[chosen].astype(kind)
    for (i, at), price in prices.spread_node.items():
        paid[(columns.item == i) & (t == at)] += price
    starts = np.searchsorted(columns.item, np.arange(len(relaxation.instance.items) + 1))
    return tuple(
        int(paid[a:b].min()) if b > a else 0
        for a, b in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)
    )


def fits_machine_integers(relaxation: Relaxation, prices: IntegerPrices) -> bool:
    """Whether no replica can pay 2**62 or more: the dearest of every row together stay below."""
    columns = relaxation.columns
    most = sum(
        int(columns.load[:, d].max()) * max(row[d] for row in prices.capacity)
        for d in range(columns.load.shape[1])
    )
    most += sum(
        int(columns.node[:, e].max()) * max(row[e] for row in prices.node)
        for e in range(columns.node.shape[1])
    )
    most += sum(
        price * int(numerators.max())
        for price, numerators in zip(prices.functions, relaxation.numerators, strict=True)
    )
    widest = int(columns.width.max())
    most += sum(price * widest for price in prices.spread_gpu.values())
    return most + sum(prices.spread_node.values()) < 2**62
