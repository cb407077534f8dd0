"""The compact linear relaxation: how much of each alternative goes to each node type, by GLOP.

Variables: x[column] replicas, y[class] GPUs opened, z[type] nodes used. Rows, all of the form
``use - room <= 0`` except the demand: capacity and dual feasible functions per type, node
capacity, y <= gpus·z, z <= y, and spread limits. Columns are priced in as they are needed, so
an instance with a hundred thousand of them is solved over a few thousand.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from ortools.linear_solver import pywraplp

from packer.solver.card_classes import card_classes, cost_of_everything, node_cost
from packer.solver.columns import Columns, build_columns
from packer.solver.instance import Instance
from packer.solver.relaxation_result import FunctionRow, RelaxationResult, RowPrices

Floats = NDArray[np.float64]


class Relaxation:
    """The linear program of one instance, kept warm between solves with changed bounds or rows."""

    def __init__(
        self, instance: Instance, columns: Columns | None = None, *, prepare: bool = True
    ) -> None:
        self.instance = instance
        self.columns = build_columns(instance) if columns is None else columns
        self.classes = card_classes(instance)
        self.functions: list[FunctionRow] = []
        self.numerators: list[NDArray[np.int64]] = []
        self._solver: Any = pywraplp.Solver.CreateSolver("GLOP")  # type: ignore[no-untyped-call]
        self._in_program: dict[int, Any] = {}
        self._function_rows: list[Any] = []
        self._unserved_cost = 4.0 * cost_of_everything(instance) + 4.0
        if prepare:
            self._build()

    def _build(self) -> None:
        solver, instance = self._solver, self.instance
        infinity = solver.infinity()
        minimised = solver.Objective()
        minimised.SetMinimization()
        self._demand = [solver.Constraint(item.count, infinity) for item in instance.items]
        self._unserved = []
        for row in self._demand:
            variable = solver.NumVar(0, infinity, "")
            minimised.SetCoefficient(variable, self._unserved_cost)
            row.SetCoefficient(variable, 1)
            self._unserved.append(variable)
        self._y = [solver.NumVar(0, one.count, "") for one in self.classes]
        for variable, one in zip(self._y, self.classes, strict=True):
            minimised.SetCoefficient(variable, one.cost)
        self._z = []
        for position, node_type in enumerate(instance.node_types):
            variable = solver.NumVar(0, len(node_type.available), "")
            minimised.SetCoefficient(variable, node_cost(instance, position))
            self._z.append(variable)
        self._build_rows(infinity)
        for column in self._first_columns():
            self._add_column(int(column))

    def _build_rows(self, infinity: float) -> None:
        solver, instance = self._solver, self.instance
        types = range(len(instance.node_types))
        self._capacity = [[solver.Constraint(-infinity, 0) for _ in instance.dims] for _ in types]
        self._node = [[solver.Constraint(-infinity, 0) for _ in instance.node_dims] for _ in types]
        self._gpu_node = [solver.Constraint(-infinity, 0) for _ in types]
        self._node_gpu = [solver.Constraint(-infinity, 0) for _ in types]
        for variable, one in zip(self._y, self.classes, strict=True):
            for d, row in enumerate(self._capacity[one.node_type]):
                row.SetCoefficient(variable, -one.capacity[d] / self._scale(one.node_type, d))
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

    def _scale(self, node_type: int, dim: int) -> int:
        """Rows are divided by a capacity so that their numbers are near one."""
        return max(
            1, *(capacity[dim] for capacity in self.instance.node_types[node_type].capacities)
        )

    def _node_scale(self, node_type: int, dim: int) -> int:
        return max(1, self.instance.node_types[node_type].node_cap[dim])

    def _first_columns(self) -> NDArray[np.int64]:
        """Per item and type the alternative that is smallest where each dimension counts alone."""
        columns, types = self.columns, self.instance.node_types
        if not len(columns):
            return np.zeros(0, dtype=np.int64)
        scale = np.array(
            [
                [self._scale(t, d) for d in range(len(self.instance.dims))]
                for t in range(len(types))
            ],
            dtype=float,
        )
        relative = columns.load / scale[columns.node_type]
        group = columns.item * len(types) + columns.node_type
        chosen = []
        for weight in (relative.sum(axis=1), *relative.T[:2]):
            order = np.lexsort((weight, group))
            first = np.r_[True, group[order][1:] != group[order][:-1]]
            chosen.append(order[first])
        return np.unique(np.concatenate(chosen))

    def _add_column(self, c: int) -> None:
        columns = self.columns
        i, t = int(columns.item[c]), int(columns.node_type[c])
        variable = self._solver.NumVar(0, self._solver.infinity(), "")
        self._in_program[c] = variable
        self._demand[i].SetCoefficient(variable, 1)
        for d, row in enumerate(self._capacity[t]):
            load = int(columns.load[c, d])
            if load:
                row.SetCoefficient(variable, load / self._scale(t, d))
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

    def add_function(self, one: FunctionRow) -> None:
        """Add a dual feasible function as a row over its node type."""
        of_type = self.columns.node_type == one.node_type
        numerators = one.function.numerators(self.columns.shares[:, :, one.dim]).sum(axis=1)
        numerators = np.where(of_type, numerators, 0)
        row = self._solver.Constraint(-self._solver.infinity(), 0)
        for variable, card in zip(self._y, self.classes, strict=True):
            if card.node_type == one.node_type:
                row.SetCoefficient(variable, -1)
        for c, variable in self._in_program.items():
            if numerators[c]:
                row.SetCoefficient(variable, numerators[c] / one.function.denominator)
        self.functions.append(one)
        self.numerators.append(numerators)
        self._function_rows.append(row)

    def limit_time(self, seconds: float) -> None:
        """Give up a solve that takes longer than this [s]."""
        self._solver.SetTimeLimit(max(1, min(2**31 - 1, int(1000 * seconds))))

    def set_bounds(self, y: list[tuple[int, int]], z: list[tuple[int, int]]) -> None:
        """Restrict GPUs per class and nodes per type, for branching."""
        for variable, (low, high) in zip(self._y, y, strict=True):
            variable.SetBounds(low, high)
        for variable, (low, high) in zip(self._z, z, strict=True):
            variable.SetBounds(low, high)

    def solve(self, most_rounds: int = 50) -> RelaxationResult | None:
        """The optimum over all columns, pricing in the missing ones round by round.

        None where the simplex method gave up, which it does on rare bases even from scratch.
        """
        for left in reversed(range(most_rounds)):
            optimal = pywraplp.Solver.OPTIMAL
            is_solved = self._solver.Solve() == optimal
            if not is_solved and self._solver.Solve(self._from_scratch()) != optimal:
                return None
            # Columns added after the last solve would have no values to read.
            if not left or not self._price_columns():
                break
        return self._result()

    def _from_scratch(self) -> Any:
        """Parameters that forget the basis of the last solve."""
        parameters: Any = pywraplp.MPSolverParameters()
        parameters.SetIntegerParam(
            pywraplp.MPSolverParameters.INCREMENTALITY,
            pywraplp.MPSolverParameters.INCREMENTALITY_OFF,
        )
        return parameters

    def idle(self) -> RelaxationResult:
        """Nothing served at no price: a valid starting point that proves a bound of zero."""
        instance = self.instance
        types = len(instance.node_types)
        prices = RowPrices(
            np.zeros((types, len(instance.dims))),
            np.zeros((types, len(instance.node_dims))),
            np.zeros(types),
            np.zeros(types),
            np.zeros(len(self.functions)),
        )
        unserved = np.array([float(item.count) for item in instance.items])
        nothing = np.zeros(len(self.columns))
        return RelaxationResult(
            0.0, nothing, np.zeros(len(self.classes)), np.zeros(types), unserved, prices
        )

    def _price_columns(self) -> bool:
        """Add columns of negative reduced cost, the best per item and type; whether any was."""
        columns = self.columns
        demand = np.array([row.dual_value() for row in self._demand])
        reduced = self.use_prices(self._prices()) - demand[columns.item]
        group = columns.item * len(self.instance.node_types) + columns.node_type
        candidates = np.flatnonzero(
            reduced < -1e-7 * max(1.0, float(np.abs(demand).max(initial=0)))
        )
        candidates = candidates[np.lexsort((reduced[candidates], group[candidates]))]
        if not len(candidates):
            return False
        first = np.r_[True, group[candidates][1:] != group[candidates][:-1]]
        new = [int(c) for c in candidates[first] if int(c) not in self._in_program]
        for c in new:
            self._add_column(c)
        return bool(new)

    def use_prices(self, prices: RowPrices) -> Floats:
        """What one replica of each column pays for the capacity it takes."""
        columns, t = self.columns, self.columns.node_type
        paid = (columns.load * prices.capacity[t]).sum(axis=1)
        paid += (columns.node * prices.node[t]).sum(axis=1)
        for price, numerators in zip(prices.functions, self.numerators, strict=True):
            paid += price * numerators
        for (i, node_type), price in prices.spread_gpu.items():
            chosen = (columns.item == i) & (t == node_type)
            paid[chosen] += price * columns.width[chosen]
        for (i, node_type), price in prices.spread_node.items():
            paid[(columns.item == i) & (t == node_type)] += price
        return np.asarray(paid)

    def _prices(self) -> RowPrices:
        types = range(len(self.instance.node_types))

        def price(row: Any, scale: float = 1.0) -> float:
            return max(0.0, -float(row.dual_value())) / scale

        return RowPrices(
            np.array(
                [
                    [price(r, self._scale(t, d)) for d, r in enumerate(self._capacity[t])]
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

    def _result(self) -> RelaxationResult:
        x = np.zeros(len(self.columns))
        for c, variable in self._in_program.items():
            x[c] = variable.solution_value()
        return RelaxationResult(
            float(self._solver.Objective().Value()),
            x,
            np.array([variable.solution_value() for variable in self._y]),
            np.array([variable.solution_value() for variable in self._z]),
            np.array([variable.solution_value() for variable in self._unserved]),
            self._prices(),
        )
