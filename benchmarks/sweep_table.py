"""Two hundred scenarios on one process, on two, on Ray and on Dask: times, and one table.

Method: the fleet and the inventories of ``examples/05-growth-sweep`` at 25 prices, two floors and
two demands, into fresh folders; wall time of the whole call, starting of processes included. The
machine may be busy with other work: one and two processes alternate, the best of each counts, and
beside each round stands what two processes of bare arithmetic gain in the same minute. Where even
that is less than 1.9, wall time says nothing of us, and processor time is judged instead: what one
process used, over half of what two used, both with their starting.
Clusters are started before the clock.
"""

import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from packer import api
from packer.plan.sweep import Sweep
from tests.clusters import dask_cluster, ray_cluster

EXAMPLE = Path("examples/05-growth-sweep").resolve()
ROUNDS = 3
_SPINS = 6_000_000
LEAST_SPEED_UP = 1.7
QUIET = 1.9
"""What two processes of bare arithmetic gain on a machine that has nothing else to do."""

Start = Callable[[Path], AbstractContextManager[str]]


def write_scenarios(folder: Path) -> Path:
    """A sweep file of 200 scenarios that have nothing in common but the fleet; its path."""
    prices = [f"{{name: x{percent}, factor: {percent / 100}}}" for percent in range(76, 126, 2)]
    path = folder / "sweep.yaml"
    path.write_text(
        f"""
apiVersion: gpu-packer/v1
kind: Sweep
metadata: {{name: two-hundred}}
fleet: {EXAMPLE}/fleet.yaml
grid:
  inventories: [{EXAMPLE}/own.yaml, {EXAMPLE}/cloud.yaml]
  prices: [{", ".join(prices)}]
  quantizationFloors: [any, Q6_K]
  demands: [1, 2]
""",
        encoding="utf-8",
    )
    return path


def spin(count: int) -> int:
    """Bare arithmetic."""
    total = 0
    for number in range(count):
        total += number * number
    return total


def machine_speed_up() -> float:
    """How much faster two processes do twice the arithmetic than one does, here and now."""
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(spin, [1000, 1000]))
        best: dict[int, float] = {}
        for count in (1, 2, 1, 2, 1, 2):
            started = time.perf_counter()
            list(pool.map(spin, [_SPINS] * count))
            best[count] = min(time.perf_counter() - started, best.get(count, 1e9))
    return 2 * best[1] / best[2]


def content(folder: Path) -> str:
    """The JSON of a sweep without its run."""
    values = json.loads((folder / "sweep.json").read_text(encoding="utf-8"))
    del values["run"]
    return json.dumps(values)


@dataclass(frozen=True)
class Timed:
    """Wall time and processor time of the processes [s], and the table."""

    seconds: float
    processor_seconds: float
    table: str


def timed(name: str, run: Callable[[Path], Sweep], folder: Path) -> Timed:
    """One sweep."""
    out, before = folder / name, _children_seconds()
    done = run(out)
    used = _children_seconds() - before
    words = f"{done.run.computed} computed, processors {used:.1f} s"
    print(f"{name:14} {done.run.seconds:7.1f} s, {words}", flush=True)
    return Timed(done.run.seconds, used, content(out))


def _children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> int:
    """Print the times; exit 1 where a table differs or two processes gain too little."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        path = write_scenarios(folder)
        runs: dict[int, list[Timed]] = {1: [], 2: []}
        gains = []
        for turn in range(ROUNDS):
            for count, done in runs.items():
                run = partial(api.sweep, path, processes=count)
                done.append(timed(f"{count}-process-{turn}", run, folder))
            gains.append(machine_speed_up())
            print(f"bare arithmetic gains {gains[-1]:.2f}", flush=True)
        tables = {one.table for done in runs.values() for one in done}
        tables |= set(_on_clusters(path, folder))
    wall = _ratio(runs, lambda one: one.seconds)
    processors = 2 * _ratio(runs, lambda one: one.processor_seconds)
    print(f"two processes gain {wall:.2f} by the clock, {processors:.2f} by processor time")
    print(f"{len(tables)} different tables")
    judged = wall if max(gains) >= QUIET else processors
    return int(len(tables) > 1 or judged < LEAST_SPEED_UP)


def _ratio(runs: dict[int, list[Timed]], figure: Callable[[Timed], float]) -> float:
    """Best of one process over best of two."""
    return min(map(figure, runs[1])) / min(map(figure, runs[2]))


def _on_clusters(path: Path, folder: Path) -> Iterator[str]:
    starts: dict[str, Start] = {"ray": ray_cluster, "dask": dask_cluster}
    for engine, start in starts.items():
        with start(folder) as address:
            run = partial(api.sweep, path, engine=engine, address=address)
            yield timed(f"on-{engine}", run, folder).table


if __name__ == "__main__":
    sys.exit(main())
