"""Separating dual feasible functions: rows the relaxation violates, added until none helps."""

from collections.abc import Callable

import numpy as np

from packer.solver.columns import Columns
from packer.solver.dual_feasible import candidate_functions
from packer.solver.relaxation import Relaxation
from packer.solver.relaxation_result import FunctionRow, RelaxationResult


def add_functions(
    relaxation: Relaxation,
    result: RelaxationResult,
    rounds: int,
    may_go_on: Callable[[], bool],
) -> RelaxationResult:
    """Separate violated dual feasible functions, at most one per type and dimension a round."""
    for _ in range(rounds):
        if not may_go_on():
            break
        violated = _violated_functions(relaxation, result)
        if not violated:
            break
        for row in violated:
            relaxation.add_function(row)
        before = result.objective
        better = relaxation.solve()
        if better is None:
            break
        result = better
        if result.objective < before + 1e-6 * max(1.0, before):
            break
    return result


def _violated_functions(relaxation: Relaxation, result: RelaxationResult) -> list[FunctionRow]:
    columns, found = relaxation.columns, []
    active = np.flatnonzero(result.x > 1e-9)
    known = set(relaxation.functions)
    for t, node_type in enumerate(relaxation.instance.node_types):
        opened = sum(
            y for y, one in zip(result.y, relaxation.classes, strict=True) if one.node_type == t
        )
        chosen = active[columns.node_type[active] == t]
        if opened < 1e-9 or not len(chosen):
            continue
        for d in range(len(relaxation.instance.dims)):
            capacity = max(caps[d] for caps in node_type.capacities)
            row = _most_violated(columns, chosen, result, t, d, capacity, opened)
            if row is not None and row not in known:
                found.append(row)
    return found


def _most_violated(
    columns: Columns,
    chosen: "np.ndarray[tuple[int], np.dtype[np.int64]]",
    result: RelaxationResult,
    t: int,
    d: int,
    capacity: int,
    opened: float,
) -> FunctionRow | None:
    shares = columns.shares[chosen, :, d]
    best: FunctionRow | None = None
    most = opened * (1 + 1e-6) + 1e-9
    for function in candidate_functions(shares, capacity, 40):
        if function.denominator <= 0:
            continue
        used = (
            float((function.numerators(shares).sum(axis=1) * result.x[chosen]).sum())
            / function.denominator
        )
        if used > most:
            best, most = FunctionRow(t, d, function), used
    return best
