"""Runs of CP-SAT that Ctrl-C ends at once.

CP-SAT's own handler would take the first Ctrl-C for the end of its search alone, and leave the
process with the system's handler, which kills it without a word.
"""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

from ortools.sat.python import cp_model

_PAUSE_SECONDS = 0.05


def run_solver(
    solver: cp_model.CpSolver,
    model: cp_model.CpModel,
    callback: cp_model.CpSolverSolutionCallback | None = None,
) -> cp_model.CpSolverStatus:
    """Status of a run; it stops, and the interrupt goes on, when there is one.

    Raises:
        KeyboardInterrupt: Ctrl-C, once the run has ended.
    """
    solver.parameters.catch_sigint_signal = False
    has_begun, is_over, is_called_off = Event(), Event(), Event()

    def run() -> cp_model.CpSolverStatus:
        has_begun.set()
        try:
            return cp_model.UNKNOWN if is_called_off.is_set() else solver.solve(model, callback)
        finally:
            is_over.set()

    # The thread that signals arrive in must be free to take them.
    with ThreadPoolExecutor(1) as thread:
        try:
            # An interrupt may come before the run is even handed over: then it must not begin.
            return thread.submit(run).result()
        except KeyboardInterrupt:
            is_called_off.set()
            while has_begun.is_set() and not is_over.is_set():
                # Before the search itself has begun there is nothing to stop yet.
                solver.stop_search()
                is_over.wait(_PAUSE_SECONDS)
            raise
