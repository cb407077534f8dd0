"""The packing engine on fresh instances of its classes: three seeds each, or those named.

``python -m benchmarks.solver_fresh [CLASS …]``; seeds can be set by ``SEEDS=4,5,6``.
"""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.solver_instances import Document, fleet, perfect_cut, triplets, uniform
from packer.solver.certificate_check import verify_solution
from packer.solver.instance_document import parse_instance
from packer.solver.outcome import Progress, Solution
from packer.solver.solution_document import format_solution
from packer.solver.solve import solve
from packer.solver.stopping import Limits


@dataclass(frozen=True)
class FreshClass:
    """One class: how to draw it, its time limit [s] and the gap asked for at that time."""

    draw: Callable[[int], Document]
    seconds: float
    gap: float


CLASSES = {
    "20": FreshClass(lambda s: fleet(s, 20, 60, 32), 0.5, 0.0),
    "50-price": FreshClass(lambda s: fleet(s, 50, 150, 104, objective="gpu_price"), 10, 0.015),
    "100": FreshClass(lambda s: fleet(s, 100, 300, 220), 10, 0.015),
    "100-price": FreshClass(lambda s: fleet(s, 100, 300, 220, objective="gpu_price"), 10, 0.015),
    "100-multi": FreshClass(lambda s: fleet(s, 100, 300, 200, multi=True, spread=True), 60, 0.03),
    "80-rules": FreshClass(
        lambda s: fleet(s, 80, 300, 170, multi=True, spread=True, zones=True, constraints=True),
        10,
        0.05,
    ),
    "60-node-price": FreshClass(
        lambda s: fleet(s, 60, 200, 130, objective="node_price", multi=True), 10, 0.05
    ),
    "500": FreshClass(lambda s: fleet(s, 500, 2000, 1600), 30, 0.01),
    "500-multi": FreshClass(
        lambda s: fleet(s, 500, 2000, 1500, multi=True, spread=True, zones=True), 60, 0.03
    ),
    "2000": FreshClass(lambda s: fleet(s, 2000, 9000, 10_000), 120, 0.025),
    "2000-20k": FreshClass(lambda s: fleet(s, 2000, 18_000, 20_000), 60, 0.015),
    "2000-20k-multi-price": FreshClass(
        lambda s: fleet(s, 2000, 18_000, 20_000, multi=True, objective="gpu_price"), 300, 0.06
    ),
    "cut-64": FreshClass(lambda s: perfect_cut(s, (3, 5)), 10, 0.015),
    "cut-512": FreshClass(lambda s: perfect_cut(s, (20, 44), decoys=16), 60, 0.015),
    "cut-512-price": FreshClass(
        lambda s: perfect_cut(s, (40, 24), decoys=16, objective="gpu_price"), 60, 0.015
    ),
    "triplet-60": FreshClass(lambda s: triplets(s, 60), 60, 0.05),
    "triplet-249": FreshClass(lambda s: triplets(s, 249), 60, 0.012),
    "triplet-501": FreshClass(lambda s: triplets(s, 501), 60, 0.006),
    "uniform-250": FreshClass(lambda s: uniform(s, 250), 30, 0.0),
    "uniform-1000": FreshClass(lambda s: uniform(s, 1000), 30, 0.0),
}


def main() -> int:
    """Print a line per class and seed; 1 where a gap of more than one GPU is missed."""
    seeds = [int(seed) for seed in os.environ.get("SEEDS", "1,2,3").split(",")]
    missed = 0
    for name in sys.argv[1:] or CLASSES:
        for seed in seeds:
            missed += _is_missed(name, seed)
    print(f"{missed} gaps missed")
    return 1 if missed else 0


def _is_missed(name: str, seed: int) -> bool:
    one = CLASSES[name]
    document = one.draw(seed)
    told: list[Progress] = []
    # What is asked for must be ready before its time is over, and half the gap is enough.
    limits = Limits(time_seconds=0.97 * one.seconds, gap=one.gap / 2)
    solution = solve(parse_instance(document), limits, told.append)
    verify_solution(document, json.loads(json.dumps(format_solution(solution))))
    missed = _too_wide(solution, one)
    first = next((p.seconds for p in told if p.objective is not None), None)
    gap = "-" if solution.gap is None else f"{solution.gap:.2%}"
    print(
        f"{name:22} {seed:3} {solution.status:10} {solution.objective!s:>8} {solution.bound!s:>8} "
        f"{gap:>7} first {first or 0.0:6.2f} s, all {solution.seconds:7.2f} s"
        f"{'  missed' if missed else ''}",
        flush=True,
    )
    return missed


def _too_wide(solution: Solution, one: FreshClass) -> bool:
    if solution.objective is None or solution.bound is None:
        return solution.status != "infeasible"
    return (
        solution.objective - solution.bound > max(1, one.gap * solution.objective)
        or solution.seconds > one.seconds
    )


if __name__ == "__main__":
    sys.exit(main())
