"""Runs of CP-SAT that Ctrl-C ends at once.

CP-SAT's own handler would take the first Ctrl-C for the end of its search alone, and leave the
process with the system's handler, which kills it without a word.
"""

from concurrent.futures import ThreadPoolExecutor, wait

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
    # The thread that signals arrive in must be free to take them.
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(solver.solve, model, callback)
        try:
            return running.result()
        except KeyboardInterrupt:
            while not running.done():
                # Before the run has begun there is nothing to stop yet.
                solver.stop_search()
                wait((running,), _PAUSE_SECONDS)
            raise
