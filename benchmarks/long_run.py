"""A cluster over months in minutes: hundreds of random events, a new plan after each.

``python -m benchmarks.long_run --events 500`` on the 512-card fleet; every plan is verified by the
certificate checker, moves are counted, and the drift is measured against the proven bound of the
same state, so it overstates the distance to a fresh optimum. Exits 1 when a plan is invalid, the
mean drift is above 3 %, or the level of memory in the last quarter is more than 5 % off that in the
second. Levels are medians: single events leave the allocator with a few percent more or less.
"""

import argparse
import gzip
import json
import os
import random
import statistics
import sys
import time
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

from packer import api

INSTANCES = Path(__file__).parents[1] / "tests" / "data" / "packing"
_MOST_DRIFT = 0.03
_MOST_GROWTH = 0.05

Instance = dict[str, Any]


def lose_a_node(instance: Instance, draw: random.Random) -> str:
    """A node fails."""
    types = [
        one for one in instance["node_types"] if len(one.get("unavailable", ())) < one["count"]
    ]
    node_type = draw.choice(types)
    down = set(node_type.get("unavailable", ()))
    node = draw.choice([index for index in range(node_type["count"]) if index not in down])
    node_type["unavailable"] = sorted({*down, node})
    return f"{node_type['name']} node {node} fails"


def regain_a_node(instance: Instance, draw: random.Random) -> str:
    """A failed node returns."""
    types = [one for one in instance["node_types"] if one.get("unavailable")]
    if not types:
        return lose_a_node(instance, draw)
    node_type = draw.choice(types)
    node = draw.choice(node_type["unavailable"])
    node_type["unavailable"] = [index for index in node_type["unavailable"] if index != node]
    return f"{node_type['name']} node {node} returns"


def change_a_demand(instance: Instance, draw: random.Random) -> str:
    """One model needs more memory or less."""
    item = draw.choice(instance["items"])
    factor = draw.choice((0.85, 0.9, 0.95, 1.05, 1.1))
    for alternative in item["alts"]:
        for share in alternative["shares"]:
            share[0] = max(1, round(share[0] * factor))
    return f"{item['name']} × {factor}"


def change_a_count(instance: Instance, draw: random.Random) -> str:
    """One model gets a replica more or one fewer."""
    item = draw.choice(instance["items"])
    step = draw.choice((-1, 1))
    item["count"] = max(1, item["count"] + step)
    return f"{item['name']} has {item['count']} replicas"


EVENTS: tuple[Callable[[Instance, random.Random], str], ...] = (
    lose_a_node,
    regain_a_node,
    regain_a_node,
    change_a_demand,
    change_a_demand,
    change_a_count,
    change_a_count,
)


def surviving(instance: Instance, placed: list[Any]) -> list[Any]:
    """Replicas that still run: their node is there, their count is wanted."""
    down = [set(one.get("unavailable", ())) for one in instance["node_types"]]
    wanted = {item["name"]: item["count"] for item in instance["items"]}
    kept = []
    for one in placed:
        node_type, node = one["node"]
        if node not in down[node_type] and wanted[one["item"]] > 0:
            wanted[one["item"]] -= 1
            kept.append(one)
    return kept


def resident_bytes() -> int:
    """Memory of this process [bytes]."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def run(name: str, events: int, seconds: float, seed: int) -> int:
    """Carry out the events; 1 if a bar is missed."""
    instance = json.loads(gzip.decompress((INSTANCES / f"{name}.json.gz").read_bytes()))
    instance.pop("current", None)
    instance.pop("known", None)
    draw = random.Random(seed)
    solution = api.solve(instance, time_limit_seconds=4 * seconds, seed=seed)
    drifts, moves, resident, refused = [], [], [], 0
    begun = time.perf_counter()
    for number in range(events):
        before = deepcopy(instance)
        event = draw.choice(EVENTS)(instance, draw)
        placed = surviving(instance, solution["placed"])
        cost = {item["name"]: 1 for item in instance["items"]}
        instance["current"] = {"placed": placed, "move_cost": cost, "event": event}
        found = api.solve(instance, time_limit_seconds=seconds, seed=seed)
        api.verify(instance, found)
        if found["status"] == "infeasible":
            # An answer, not a fault: the event is taken back and the cluster stays as it was.
            refused += 1
            instance = before
            continue
        solution = found
        drifts.append((found["objective"] - found["bound"]) / found["objective"])
        moves.append(found["moves"])
        resident.append(resident_bytes())
        if (number + 1) % 25 == 0:
            print(
                f"{number + 1:4} events · {found['objective']} · drift {drifts[-1]:.2%} · moves "
                f"{statistics.mean(moves):.1f} on average · {resident[-1] / 2**20:.0f} MiB",
                flush=True,
            )
    quarter = max(1, len(resident) // 4)
    settled = statistics.median(resident[quarter : 2 * quarter] or resident)
    growth = statistics.median(resident[-quarter:]) / settled - 1
    highest = max(resident[quarter:] or resident) / settled - 1
    drift = statistics.mean(drifts)
    print(
        f"{events} events on {name} in {time.perf_counter() - begun:.0f} s: every plan verified, "
        f"{refused} refused as infeasible; drift {drift:.2%} on average, {max(drifts):.2%} at "
        f"most; {statistics.mean(moves):.1f} moves on average; memory {growth:+.1%}, at most "
        f"{highest:+.1%}; {time.process_time():.0f} s of processor time"
    )
    return int(drift > _MOST_DRIFT or abs(growth) > _MOST_GROWTH)


def main() -> int:
    """Read the command line and run."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--instance", default="fleet-d500-512")
    arguments.add_argument("--events", type=int, default=500)
    arguments.add_argument("--seconds", type=float, default=5.0)
    arguments.add_argument("--seed", type=int, default=1)
    given = arguments.parse_args()
    return run(given.instance, given.events, given.seconds, given.seed)


if __name__ == "__main__":
    sys.exit(main())
