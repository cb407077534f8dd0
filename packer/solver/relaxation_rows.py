"""Rows of the compact relaxation: what limits its amounts, and what the room in each is worth.

All of the form ``use - room <= 0``: capacity and dual feasible functions per type, node capacity,
y <= gpus·z, z <= y, and spread limits. Capacities are divided so that numbers are near one.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ortools.linear_solver import pywraplp

from packer.solver.card_classes import CardClass
from packer.solver.columns import Columns
from packer.solver.instance import Instance
from packer.solver.relaxation_result import FunctionRow, RowPrices


class RelaxationRows:
    """The rows of one program over GPUs per class (y), nodes per type (z) and placed columns.

    Attributes:
        functions: Dual feasible functions that have a row.
        numerators: What each column takes of them, on its node type.
    """

    def __init__(
        self, instance: Instance, columns: Columns, classes: Sequence[CardClass], solver: Any
    ) -> None:
        """None yet; ``solver`` holds the program."""
        self.instance, self.columns, self.classes = instance, columns, classes
        self.functions: list[FunctionRow] = []
        self.numerators: list[NDArray[np.int64]] = []
        self._solver = solver
        self._function_rows: list[Any] = []

    def build(self, y: Sequence[Any], z: Sequence[Any]) -> None:
        """All rows but those of functions."""
        self._y, self._z = y, z
        infinity = self._solver.infinity()
        solver, instance = self._solver, self.instance
        types = range(len(instance.node_types))
        self._capacity = [[solver.Constraint(-infinity, 0) for _ in instance.dims] for _ in types]
        self._node = [[solver.Constraint(-infinity, 0) for _ in instance.node_dims] for _ in types]
        self._gpu_node = [solver.Constraint(-infinity, 0) for _ in types]
        self._node_gpu = [solver.Constraint(-infinity, 0) for _ in types]
        for variable, one in zip(self._y, self.classes, strict=True):
            for d, row in enumerate(self._capacity[one.node_type]):
                row.SetCoefficient(variable, -one.capacity[d] / self.scale(one.node_type, d))
            self._gpu_node[one.node_type].SetCoefficient(variable, 1)
            self._node_gpu[one.node_type].SetCoefficient(variable, -1)
        for t, node_type in enumerate(instance.node_types):
            for e, row in enumerate(self._node[t]):
                if node_type.node_cap[e]:
                    row.SetCoefficient(self._z[t], -1)
            self._gpu_node[t].SetCoefficient(self._z[t], -node_type.gpus)
            self._node_gpu[t].SetCoefficient(self._z[t], 1)
        self._spread_gpu: dict[tuple[int, int], Any] = {}
        self._spread_node: dict[tuple[int, int], Any] = {}
        for i, t in sorted({*zip(self.columns.item, self.columns.node_type, strict=True)}):
            self._build_spread_rows(int(i), int(t), infinity)

    def _build_spread_rows(self, i: int, t: int, infinity: float) -> None:
        item = self.instance.items[i]
        if item.max_per_gpu is not None and item.count > item.max_per_gpu:
            row = self._spread_gpu[i, t] = self._solver.Constraint(-infinity, 0)
            for variable, one in zip(self._y, self.classes, strict=True):
                if one.node_type == t:
                    row.SetCoefficient(variable, -item.max_per_gpu)
        if item.max_per_node is not None and item.count > item.max_per_node:
            row = self._spread_node[i, t] = self._solver.Constraint(-infinity, 0)
            row.SetCoefficient(self._z[t], -item.max_per_node)

    def scale(self, node_type: int, dim: int) -> int:
        """Rows are divided by a capacity so that their numbers are near one."""
        return max(
            1, *(capacity[dim] for capacity in self.instance.node_types[node_type].capacities)
        )

    def _node_scale(self, node_type: int, dim: int) -> int:
        return max(1, self.instance.node_types[node_type].node_cap[dim])

    def add_column(self, c: int, variable: pywraplp.Variable) -> None:
        """Count a column's amount in every row that it takes room of."""
        columns, t = self.columns, int(self.columns.node_type[c])
        for d, row in enumerate(self._capacity[t]):
            load = int(columns.load[c, d])
            if load:
                row.SetCoefficient(variable, load / self.scale(t, d))
        for e, row in enumerate(self._node[t]):
            need = int(columns.node[c, e])
            if need:
                row.SetCoefficient(variable, need / self._node_scale(t, e))
        self._add_to_spread_rows(c, variable)
        self._add_to_function_rows(c, variable)

    def _add_to_spread_rows(self, c: int, variable: pywraplp.Variable) -> None:
        columns = self.columns
        i, t = int(columns.item[c]), int(columns.node_type[c])
        if (i, t) in self._spread_gpu:
            self._spread_gpu[i, t].SetCoefficient(variable, int(columns.width[c]))
        if (i, t) in self._spread_node:
            self._spread_node[i, t].SetCoefficient(variable, 1)

    def _add_to_function_rows(self, c: int, variable: pywraplp.Variable) -> None:
        for row, one, numerators in zip(
            self._function_rows, self.functions, self.numerators, strict=True
        ):
            if numerators[c]:
                row.SetCoefficient(variable, numerators[c] / one.function.denominator)

    def add_function(self, one: FunctionRow, in_program: Mapping[int, Any]) -> None:
        """Add a dual feasible function as a row over its node type."""
        of_type = self.columns.node_type == one.node_type
        numerators = one.function.numerators(self.columns.shares[:, :, one.dim]).sum(axis=1)
        numerators = np.where(of_type, numerators, 0)
        row = self._solver.Constraint(-self._solver.infinity(), 0)
        for variable, card in zip(self._y, self.classes, strict=True):
            if card.node_type == one.node_type:
                row.SetCoefficient(variable, -1)
        for c, variable in in_program.items():
            if numerators[c]:
                row.SetCoefficient(variable, numerators[c] / one.function.denominator)
        self.functions.append(one)
        self.numerators.append(numerators)
        self._function_rows.append(row)

    def prices(self) -> RowPrices:
        """What the last solve would pay for a little more room in each."""
        types = range(len(self.instance.node_types))

        def price(row: Any, scale: float = 1.0) -> float:
            return max(0.0, -float(row.dual_value())) / scale

        return RowPrices(
            np.array(
                [
                    [price(r, self.scale(t, d)) for d, r in enumerate(self._capacity[t])]
                    for t in types
                ]
            ),
            np.array(
                [
                    [price(r, self._node_scale(t, e)) for e, r in enumerate(self._node[t])]
                    for t in types
                ]
            ).reshape(len(types), -1),
            np.array([price(row) for row in self._gpu_node]),
            np.array([price(row) for row in self._node_gpu]),
            np.array(
                [
                    price(row, one.function.denominator)
                    for row, one in zip(self._function_rows, self.functions, strict=True)
                ]
            ),
            {key: price(row) for key, row in self._spread_gpu.items()},
            {key: price(row) for key, row in self._spread_node.items()},
        )
