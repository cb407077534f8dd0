"""Two hundred scenarios on one process, on two, on Ray and on Dask: times, and one table.

Method: the fleet and the inventories of ``examples/05-growth-sweep`` at 25 prices, two floors and
two demands, into fresh folders; wall time of the whole call, starting of processes included. The
machine may be busy with other work: one and two processes alternate, the best of each counts, and
beside each round stands what two processes of bare arithmetic gain in the same minute.
Clusters are started before the clock.
"""

import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory

from packer import api
from packer.plan.sweep import Sweep
from tests.clusters import dask_cluster, ray_cluster

EXAMPLE = Path("examples/05-growth-sweep").resolve()
ROUNDS = 3
_SPINS = 6_000_000
LEAST_SPEED_UP = 1.7

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


def timed(name: str, run: Callable[[Path], Sweep], folder: Path) -> tuple[float, str]:
    """Wall time [s] and table of one sweep."""
    out = folder / name
    done = run(out)
    print(
        f"{name:14} {done.run.seconds:7.1f} s, {done.run.computed} computed, "
        f"{done.run.scenario_seconds:7.1f} s of scenarios",
        flush=True,
    )
    return done.run.seconds, content(out)


def main() -> int:
    """Print the times; exit 1 where a table differs or two processes gain too little."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        path = write_scenarios(folder)
        seconds: dict[int, list[float]] = {1: [], 2: []}
        tables = set()
        for turn in range(ROUNDS):
            for processes, times in seconds.items():
                took, table = timed(
                    f"{processes}-process-{turn}",
                    lambda out, count=processes: api.sweep(path, out, processes=count),  # type: ignore[misc]
                    folder,
                )
                times.append(took)
                tables.add(table)
            print(f"bare arithmetic gains {machine_speed_up():.2f}", flush=True)
        clusters: dict[str, Start] = {"ray": ray_cluster, "dask": dask_cluster}
        for engine, start in clusters.items():
            with start(folder) as address:
                _, table = timed(
                    engine,
                    lambda out, e=engine, a=address: api.sweep(path, out, engine=e, address=a),  # type: ignore[misc]
                    folder,
                )
                tables.add(table)
    ratio = min(seconds[1]) / min(seconds[2])
    print(f"two processes are {ratio:.2f} times as fast as one; {len(tables)} different tables")
    return int(len(tables) > 1 or ratio < LEAST_SPEED_UP)


if __name__ == "__main__":
    sys.exit(main())
