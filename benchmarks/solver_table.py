"""The packing engine against its bars: one row per instance, exit 1 where a bar is missed.

``CLASSES=small`` runs the classes up to 100 models. Every instance is solved once with the longest
time of its bars; what was known at each earlier time is read from the progress of that run.
Every certificate is checked by the independent judge, outside of the time. A fixed piece of work
is timed beside every row (``load``, 1.0 on the machine that is otherwise idle): on a busy machine
seconds are longer by that factor, processor seconds (``cpu``) hardly.
"""

import gzip
import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packer.solver.certificate_check import Refused, verify_solution
from packer.solver.exact import ExactModel
from packer.solver.first_fit import first_fit_decreasing
from packer.solver.geometry import build_geometry
from packer.solver.instance import Instance
from packer.solver.instance_document import parse_instance
from packer.solver.outcome import Progress, Solution, Status
from packer.solver.packing import Packing
from packer.solver.search import run_search
from packer.solver.solution_document import format_solution
from packer.solver.solve import solve
from packer.solver.stopping import Clock, Limits

INSTANCES = Path(__file__).parents[1] / "tests" / "data" / "packing"
FFD_GPUS = 2_000
"""GPUs up to which first-fit-decreasing is run for comparison; it takes minutes beyond."""
PLAIN_SPOTS = 150_000
"""Alternatives times GPUs up to which the plain CP-SAT model can be built."""


CALIBRATION_SECONDS = 0.15
"""Wall time of the fixed piece of work on the idle machine of docs/packing.md."""


@dataclass(frozen=True)
class Bar:
    """What must be known after some seconds: a gap, or a distance of one GPU."""

    seconds: float
    gap: float
    one_gpu: bool = False


@dataclass(frozen=True)
class Row:
    """One instance with its bars."""

    name: str
    bound_seconds: float
    bars: tuple[Bar, ...] = ()
    optimal_seconds: float | None = None
    small: bool = False
    plain_seconds: float = 0.0
    infeasible: bool = False
    most_moves: float | None = None

    @property
    def seconds(self) -> float:
        """Time limit of the run."""
        return max([bar.seconds for bar in self.bars] + [self.optimal_seconds or 1.0])


ROWS = (
    Row("fleet-d20-8", 0.5, optimal_seconds=0.5, small=True, plain_seconds=5),
    Row("fleet-d50-64-price", 0.5, (Bar(1, 0.03), Bar(10, 0.015)), small=True, plain_seconds=60),
    Row(
        "fleet-d100-64",
        0.5,
        (Bar(1, 0.03, True), Bar(10, 0.015, True)),
        small=True,
        plain_seconds=60,
    ),
    Row("fleet-d100-64-multi-host-anti", 5, (Bar(60, 0.03),), small=True),
    Row("fleet-d500-512", 2, (Bar(30, 0.01),)),
    Row("fleet-d500-512-multi-host-anti-zones", 5, (Bar(60, 0.03),)),
    Row("fleet-d2000-4096", 5, (Bar(120, 0.025),)),
    Row("fleet-d2000-20k-10k", 5, (Bar(60, 0.015), Bar(300, 0.008))),
    Row("fleet-d2000-20k-10k-multi-host-price", 30, (Bar(300, 0.06),)),
    Row("cut-d64-alts", 10, (Bar(10, 0.015),), small=True),
    Row("cut-d64-multi-host-anti", 10, (Bar(10, 0.015),), small=True),
    Row("cut-d512-multi-host", 60, (Bar(60, 0.015),)),
    Row("cut-d512-price", 60, (Bar(60, 0.015),)),
    Row("cut-d4096", 120, (Bar(120, 0.015),)),
    Row("cut-d10k-multi", 300, (Bar(300, 0.015),)),
    Row("fleet-d60-node-price", 2, (Bar(10, 0.05),), small=True),
    Row("fleet-d80-constraints", 2, (Bar(10, 0.05),), small=True),
    Row("bpp-triplet-d60", 60, (Bar(60, 0.0, True),)),
    Row("bpp-triplet-d249", 60, (Bar(60, 0.0, True),)),
    Row("bpp-triplet-d501", 60, (Bar(60, 0.0, True),)),
    Row("bpp-uniform-d250", 30, optimal_seconds=30, small=True),
    Row("bpp-uniform-d1000", 30, optimal_seconds=30, small=True),
    Row("planner-company", 5, optimal_seconds=10, small=True, plain_seconds=10),
    Row("inf-d-antiaff", 1, infeasible=True, small=True),
    Row("inf-d-host", 1, infeasible=True, small=True),
    Row("inf-d-joint", 1, infeasible=True, small=True),
    Row("inf-d-pair", 1, infeasible=True, small=True),
    Row("inf-d-toobig", 1, infeasible=True, small=True),
    Row("inf-d-types", 1, infeasible=True, small=True),
    Row("inf-d-types-500", 5, infeasible=True),
    Row("replan-d500-512", 2, (Bar(60, 0.03),), most_moves=0.08),
)
CORE = ("count", "antiaff", "constraint", "types")


@dataclass
class Run:
    """One solve with everything it reported."""

    solution: Solution
    progress: list[Progress] = field(default_factory=list)
    processor_seconds: float = 0.0

    def known_at(self, seconds: float) -> tuple[int | None, int | None]:
        """Objective and bound known at a time."""
        objective, bound = None, None
        for one in self.progress:
            if one.seconds <= seconds:
                objective, bound = one.objective, one.bound
        if self.solution.seconds <= seconds:
            objective, bound = self.solution.objective, self.solution.bound
        return objective, bound

    def first_at(self) -> str:
        """When the first plan was there [s]."""
        times = [p.seconds for p in self.progress if p.objective is not None]
        return f"{min(times):.2f}" if times else "-"

    def bound_at(self) -> float:
        """When a bound within one percent of the last one was known [s]."""
        final = self.solution.bound or 0
        times = [p.seconds for p in self.progress if (p.bound or 0) >= 0.99 * final]
        return min([*times, self.solution.seconds])


def load(name: str) -> tuple[dict[str, Any], Instance]:
    """An instance as document and parsed."""
    with gzip.open(INSTANCES / f"{name}.json.gz", "rt") as text:
        document = json.load(text)
    return document, parse_instance(document)


def run(instance: Instance, row: Row) -> Run:
    """Solve, keeping the progress; well within the strictest bar is enough."""
    progress: list[Progress] = []
    gap = min([bar.gap for bar in row.bars if row.most_moves is None], default=0.0) * 0.6
    # What a bar asks for must be ready before its time is over.
    limits = Limits(time_seconds=0.97 * row.seconds, gap=gap)
    before = time.process_time()
    solution = solve(instance, limits, progress.append)
    return Run(solution, progress, time.process_time() - before)


def load_factor() -> float:
    """How much longer a fixed piece of work takes than on the idle machine."""
    started = time.perf_counter()
    total, sums = 0, 1
    for number in range(3_200_000):
        total += number * number % 7
    for size in range(300, 900):
        sums |= (sums << size) & ((1 << 200_000) - 1)
    return (time.perf_counter() - started) / CALIBRATION_SECONDS


def missed_bars(row: Row, one: Run, document: dict[str, Any]) -> Iterator[str]:
    """Every bar that is not met, in words."""
    solution = one.solution
    if row.infeasible:
        yield from _missed_conflict(row, one, document)
        return
    if one.bound_at() > row.bound_seconds:
        yield f"bound after {one.bound_at():.2f} s, not {row.bound_seconds:g} s"
    for bar in row.bars:
        objective, bound = one.known_at(bar.seconds)
        if objective is None or bound is None:
            yield f"nothing after {bar.seconds:g} s"
            continue
        near = bar.one_gpu and objective - bound <= 1
        gap = (objective - bound) / objective if objective else 0.0
        if gap > bar.gap and not near:
            yield f"gap {gap:.2%} after {bar.seconds:g} s, not {bar.gap:.1%}"
    if row.optimal_seconds is not None and (
        solution.status is not Status.OPTIMAL or solution.seconds > row.optimal_seconds
    ):
        yield f"{solution.status} after {solution.seconds:.2f} s, not optimal"


def _missed_conflict(row: Row, one: Run, document: dict[str, Any]) -> Iterator[str]:
    known = [
        {name for name in conflict if name.split(":")[0] in CORE}
        for conflict in document["known"]["min_conflicts"]
    ]
    if set(one.solution.conflict) not in known:
        yield f"conflict {one.solution.conflict} is not a known one"
    if one.solution.seconds > row.bound_seconds:
        yield f"conflict after {one.solution.seconds:.2f} s, not {row.bound_seconds:g} s"


def missed_moves(row: Row, one: Run, instance: Instance) -> Iterator[str]:
    """Bars of re-planning: moves and GPUs against a plan from scratch."""
    if row.most_moves is None or one.solution.moves is None:
        return
    from dataclasses import replace

    from packer.solver.moving import count_moves

    scratch = solve(replace(instance, current=None), Limits(time_seconds=30))
    moves = count_moves(instance, scratch.placed)
    if moves is None or scratch.objective is None or one.solution.objective is None:
        return
    print(
        f"    from scratch: {scratch.objective} GPUs, {moves.moved} moves; "
        f"re-planned: {one.solution.objective} GPUs, {one.solution.moves.moved} moves"
    )
    first = next((p.seconds for p in one.progress if p.objective is not None), 1e9)
    if first > 2:
        yield f"first plan after {first:.2f} s"
    if one.solution.moves.moved > row.most_moves * moves.moved:
        yield f"{one.solution.moves.moved} moves of {moves.moved}"
    if one.solution.objective > 1.02 * scratch.objective:
        yield f"{one.solution.objective} GPUs against {scratch.objective}"


def baselines(row: Row, instance: Instance, plain_seconds: float) -> tuple[str, str, int | None]:
    """First-fit-decreasing and plain CP-SAT, as text; the latter's objective."""
    geometry = build_geometry(instance)
    first_fit = "-"
    if not row.infeasible and len(geometry.gpu_node) <= FFD_GPUS:
        placed = first_fit_decreasing(instance)
        first_fit = "none" if placed is None else str(Packing(geometry, placed).objective)
    spots = sum(len(item.alternatives) for item in instance.items) * len(geometry.gpu_node)
    if not plain_seconds or spots > PLAIN_SPOTS:
        return first_fit, "-", None
    demand = {i: item.count for i, item in enumerate(instance.items)}
    exact = ExactModel(Packing(geometry), demand, range(len(geometry.gpu_node)))
    clock = Clock(Limits(time_seconds=plain_seconds))
    found = run_search(exact, exact.cost(), clock, effort=1e9, interleave=False)
    value = found.value if found.placed is not None else None
    return first_fit, "none" if value is None else str(value), value


def main() -> int:
    """Print the table; 1 where a bar is missed."""
    small = os.environ.get("CLASSES") == "small"
    wanted = sys.argv[1:]
    unknown = set(wanted) - {row.name for row in ROWS}
    if unknown:
        sys.exit(f"no such instance: {', '.join(sorted(unknown))}")
    missed = 0
    print(
        f"{'instance':38} {'status':10} {'objective':>9} {'bound':>9} {'gap':>7} {'first s':>7} "
        f"{'bound s':>7} {'seconds':>7} {'cpu':>6} {'load':>4} {'FFD':>14} {'CP-SAT':>14}  missed"
    )
    for row in ROWS:
        if (small and not row.small) or (wanted and row.name not in wanted):
            continue
        missed += _print_row(row, small)
    print(f"{missed} bars missed" if missed else "all bars met")
    return 1 if missed else 0


def _ratio(solution: Solution, other: str) -> str:
    """What another method reached, and our objective as a part of it."""
    if not other.isdigit() or not solution.objective:
        return other
    return f"{other} ({solution.objective / int(other):.3f})"


def _print_row(row: Row, small: bool) -> int:
    document, instance = load(row.name)
    factor = load_factor()
    one = run(instance, row)
    factor = (factor + load_factor()) / 2
    solution = one.solution
    problems = list(missed_bars(row, one, document))
    problems += missed_moves(row, one, instance)
    try:
        verify_solution(document, json.loads(json.dumps(format_solution(solution))))
    except Refused as refused:
        problems.append(f"certificate refused: {refused}")
    plain_seconds = min(row.plain_seconds, 5.0) if small else row.plain_seconds
    first_fit, plain, value = baselines(row, instance, plain_seconds)
    if value is not None and solution.objective is not None and solution.objective > value:
        problems.append(f"plain CP-SAT found {value}")
    if first_fit.isdigit() and (solution.objective or 0) > int(first_fit):
        problems.append(f"first-fit-decreasing found {first_fit}")
    gap = "-" if solution.gap is None else f"{solution.gap:.2%}"
    print(
        f"{row.name:38} {solution.status:10} {solution.objective or '-':>9} "
        f"{solution.bound or '-':>9} {gap:>7} {one.first_at():>7} {one.bound_at():7.2f} "
        f"{solution.seconds:7.2f} {one.processor_seconds:6.1f} {factor:4.1f} "
        f"{_ratio(solution, first_fit):>14} {_ratio(solution, plain):>14}  {'; '.join(problems)}",
        flush=True,
    )
    return len(problems)


if __name__ == "__main__":
    started = time.perf_counter()
    status = main()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{time.perf_counter() - started:.0f} s, at most {peak} MiB")
    sys.exit(status)
