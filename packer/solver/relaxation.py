"""The compact linear relaxation: how much of each alternative goes to each node type, by GLOP.

Variables: x[column] replicas, y[class] GPUs opened, z[type] nodes used. Rows: the demand, and what
limits them. Columns are priced in as they are needed, so an instance with a hundred thousand of
them is solved over a few thousand.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from ortools.linear_solver import pywraplp

from packer.solver.card_classes import card_classes, cost_of_everything, node_cost
from packer.solver.columns import Columns, build_columns
from packer.solver.instance import Instance
from packer.solver.relaxation_result import FunctionRow, RelaxationResult, RowPrices
from packer.solver.relaxation_rows import RelaxationRows

Floats = NDArray[np.float64]


class Relaxation:
    """The linear program of one instance, kept warm between solves with changed bounds or rows."""

    def __init__(
        self, instance: Instance, columns: Columns | None = None, *, prepare: bool = True
    ) -> None:
        self.instance = instance
        self.columns = build_columns(instance) if columns is None else columns
        self.classes = card_classes(instance)
        self._solver: Any = pywraplp.Solver.CreateSolver("GLOP")  # type: ignore[no-untyped-call]
        self._rows = RelaxationRows(instance, self.columns, self.classes, self._solver)
        self._in_program: dict[int, Any] = {}
        self._unserved_cost = 4.0 * cost_of_everything(instance) + 4.0
        if prepare:
            self._build()

    @property
    def functions(self) -> list[FunctionRow]:
        """Dual feasible functions that have a row."""
        return self._rows.functions

    @property
    def numerators(self) -> list[NDArray[np.int64]]:
        """What each column takes of them, on its node type."""
        return self._rows.numerators

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
        self._rows.build(self._y, self._z)
        for column in self._first_columns():
            self._add_column(int(column))

    def _first_columns(self) -> NDArray[np.int64]:
        """Per item and type the alternative that is smallest where each dimension counts alone."""
        columns, types = self.columns, self.instance.node_types
        if not len(columns):
            return np.zeros(0, dtype=np.int64)
        scale = np.array(
            [
                [self._rows.scale(t, d) for d in range(len(self.instance.dims))]
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
        variable = self._solver.NumVar(0, self._solver.infinity(), "")
        self._in_program[c] = variable
        self._demand[int(self.columns.item[c])].SetCoefficient(variable, 1)
        self._rows.add_column(c, variable)

    def add_function(self, one: FunctionRow) -> None:
        """Add a dual feasible function as a row over its node type."""
        self._rows.add_function(one, self._in_program)

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
        reduced = self.use_prices(self._rows.prices()) - demand[columns.item]
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
            self._rows.prices(),
        )
