"""Thousands of random fleets: is every plan sound, does every refusal hold, do bytes come back?

``python -m benchmarks.fleet_campaign --cases 10000``; ``--first`` goes on where another run
stopped, and ``--cases 1 --first N`` asks question N again. Exits 1 if anything is wrong.
"""

import argparse
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

from tests.fleet_campaign import Answer, answer
from tests.random_fleets import write_models

_REPORT_EVERY = 250


def main() -> int:
    """Ask the questions."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--cases", type=int, default=1000)
    arguments.add_argument("--first", type=int, default=0)
    given = arguments.parse_args()
    verdicts: Counter[str] = Counter()
    faulty = 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_models(folder)
        for number in range(given.first, given.first + given.cases):
            try:
                answers = answer(number, folder)
            except Exception:
                answers = (Answer("traceback", (traceback.format_exc(),)),)
            verdicts.update(one.verdict for one in answers)
            faults = [fault for one in answers for fault in one.faults]
            faulty += bool(faults)
            for fault in faults[:3]:
                print(f"question {number}: {fault}", flush=True)
            if (number + 1) % _REPORT_EVERY == 0:
                _tell(number + 1 - given.first, verdicts, faulty)
    _tell(given.cases, verdicts, faulty)
    return int(faulty > 0)


def _tell(cases: int, verdicts: Counter[str], faulty: int) -> None:
    counts = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common())
    seconds = time.process_time()
    print(f"{cases} questions: {counts}; {faulty} faulty; {seconds:.0f} s of processor time")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
