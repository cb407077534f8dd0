"""Queueing formulas beside a simulated server; exit 1 where a simulated p95 is over a tenth above.

Generated settings always; the public traces too, where they lie in ../shared (they are not ours to
keep). Run by `make demand-table`.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from packer.spec.traces import read_trace
from tests.queue_settings import Comparison, compare, compare_trace, settings

TRACES = Path(__file__).parents[2] / "shared/data/traces"
REQUESTS = 4000
SLOTS, SERVERS, UTILISATIONS = (4, 8, 16), ("dense", "fast"), (0.5, 0.8)


def main() -> int:
    """Print every comparison and the bars."""
    found = []
    for one in _comparisons():
        found.append(one)
        mark = "" if one.is_safe else "  MISSED"
        print(
            f"{one.name:68} {one.simulated:9.2f} {one.formula:9.2f} "
            f"{one.simulated / one.formula:6.2f} {one.simulated_decode / one.formula_decode:7.2f}"
            f"{mark}",
            flush=True,
        )
    missed = [one for one in found if not one.is_safe]
    ratio = median(one.simulated / one.formula for one in found)
    print(f"{len(found)} settings, {len(missed)} missed; median simulated ÷ formula {ratio:.2f}")
    return 1 if missed or len(found) < 50 else 0


def _comparisons() -> Iterator[Comparison]:
    print(f"{'':68} simulated   formula  ratio  decode")
    for setting in settings():
        yield compare(setting, REQUESTS)
    for path in sorted(TRACES.glob("*.csv")):
        trace = read_trace(path, path.name)
        for server in SERVERS:
            for slots in SLOTS:
                for busy in UTILISATIONS:
                    yield compare_trace(
                        path.stem.removeprefix("trace_sample_"), trace, server, slots, busy
                    )


if __name__ == "__main__":
    sys.exit(main())
