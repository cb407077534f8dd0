"""One CP-SAT run: deterministic for a seed unless the wall limit is truly reached."""

from collections.abc import Callable
from dataclasses import dataclass

from ortools.sat.python import cp_model

from packer.solver.exact import ExactModel
from packer.solver.exact_spots import Expression
from packer.solver.instance import Placed
from packer.solver.interruptible import run_solver
from packer.solver.stopping import Clock


@dataclass(frozen=True)
class Search:
    """What one run found.

    Attributes:
        placed: Best placements of the model's replicas; None without any.
        value: Their value of what was minimised.
        bound: Proven lower bound of it; trusted only where the certificate is a search.
        finished: Whether the answer is proven, optimal or infeasible.
    """

    placed: list[Placed] | None
    value: int
    bound: int
    finished: bool
    infeasible: bool = False


class _Incumbents(cp_model.CpSolverSolutionCallback):
    def __init__(self, report: Callable[[int], None]) -> None:
        super().__init__()
        self._report = report

    def on_solution_callback(self) -> None:
        self._report(round(self.objective_value))


def run_search(
    exact: ExactModel,
    minimise: Expression | None,
    clock: Clock,
    *,
    effort: float,
    stop_at: int | None = None,
    seconds: float | None = None,
    presolve: bool = True,
    interleave: bool = True,
    report: Callable[[int], None] | None = None,
) -> Search:
    """Minimise an expression (or find any placement) within a deterministic effort.

    Args:
        exact: The model with its constraints.
        minimise: What to minimise.
        clock: Wall time left.
        effort: Deterministic time of CP-SAT.
        stop_at: A value known to be the least possible; reaching it ends the run.
        seconds: Wall time of this run, if less than the clock's.
        presolve: Off where the answer itself is the proof.
        interleave: Take turns among strategies; off gives up equal results for equal seeds where
            threads are several, and takes one strategy where there is one.
        report: Told about each better value.
    """
    solver = cp_model.CpSolver()
    parameters = solver.parameters
    parameters.random_seed = clock.limits.seed
    parameters.num_workers = clock.limits.workers
    # One thread takes turns too: a single strategy often proves nothing.
    parameters.interleave_search = interleave
    parameters.max_deterministic_time = max(1e-3, effort)
    parameters.max_time_in_seconds = min(clock.left, seconds or clock.left)
    parameters.cp_model_presolve = presolve
    exact.model.clear_objective()  # type: ignore[no-untyped-call]
    if minimise is not None and not isinstance(minimise, int):
        exact.model.minimize(minimise)
        if stop_at is not None:
            exact.model.add(minimise >= stop_at)
    callback = None if report is None or minimise is None else _Incumbents(report)
    status = run_solver(solver, exact.model, callback)
    if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        constant = minimise if isinstance(minimise, int) else 0
        value = (
            constant
            if minimise is None or isinstance(minimise, int)
            else round(solver.objective_value)
        )
        bound = value if status == cp_model.OPTIMAL else round(solver.best_objective_bound)
        return Search(exact.read(solver), value, bound, status == cp_model.OPTIMAL)
    if status == cp_model.MODEL_INVALID:
        raise AssertionError(f"our model is invalid: {exact.model.validate()}")
    infeasible = status == cp_model.INFEASIBLE
    return Search(None, 0, 0, infeasible, infeasible)
