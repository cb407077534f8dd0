"""Start-up time of the command line, beside that of loading the solver it must not load.

    python benchmarks/start_up.py

Runs ``gpu-packer --help`` and ``import ortools.sat.python.cp_model`` in turn, five times each in
processes of their own, and compares the best of each. Exit status 1 when the ratio is over 0.4.
"""

import subprocess
import sys
import time

ROUNDS = 5
MOST_RATIO = 0.4
HELP = [sys.executable, "-m", "packer", "--help"]
SOLVER = [sys.executable, "-c", "import ortools.sat.python.cp_model"]


def seconds(command: list[str]) -> float:
    """Wall time of one process [s]."""
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> int:
    """Measure, print, and judge."""
    rounds = [(seconds(HELP), seconds(SOLVER)) for _ in range(ROUNDS)]
    ours, solver = (min(times) for times in zip(*rounds, strict=True))
    ratio = ours / solver
    print(f"gpu-packer --help  {ours:.2f} s, best of {ROUNDS}")
    print(f"import cp_model    {solver:.2f} s, best of {ROUNDS}")
    print(f"ratio              {ratio:.2f}, at most {MOST_RATIO} is allowed")
    return int(ratio > MOST_RATIO)


if __name__ == "__main__":
    sys.exit(main())
