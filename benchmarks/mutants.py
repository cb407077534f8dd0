"""Would the tests notice? Mutants of the floors that matter most, each tried against its tests.

``python -m benchmarks.mutants units certificate --sample 400``: a seeded sample of all mutants of
each part (0: all of them), made by cosmic-ray's operators. A mutant meets only the tests that
reach it, quickest first; one that no test reaches survives. Everything runs in a clone of the
committed files. Survivors are printed as differences. Exits 1 when fewer than 90 % of a part's
mutants are killed.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.mutation.campaign import Campaign, chosen
from benchmarks.mutation.part import PARTS
from benchmarks.mutation.result import Result, write_survivors
from benchmarks.mutation.warm import import_heavy_libraries

ROOT = Path(__file__).parents[1]
_BAR = 0.9


def try_part(name: str, checkout: Path, size: int, seed: int) -> Result:
    """Try a sample of one part's mutants."""
    part, log = PARTS[name], checkout.parent / f"{name}.log"
    trials, number = chosen(part.files(checkout), size, seed, checkout)
    report = os.fdopen(os.dup(2), "w", 1)
    campaign = Campaign(checkout, trials, log, lambda text: print(f"{name}: {text}", file=report))
    return Result(name, number, trials, campaign.survivors(part))


def main() -> int:
    """Read the command line and try each part."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("parts", nargs="*", metavar="|".join(PARTS))
    arguments.add_argument("--sample", type=int, default=400)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--write", type=Path, help="page that lists the survivors")
    arguments.add_argument("--here", action="store_true", help="in this checkout, without a clone")
    given = arguments.parse_args()
    if not given.here:
        return in_a_clone()
    import_heavy_libraries()
    results = [try_part(n, Path.cwd(), given.sample, given.seed) for n in given.parts or PARTS]
    for result in results:
        print(*result.differences(), sep="\n")
    for result in results:
        print(result.summary())
    if given.write:
        write_survivors(given.write, results)
    return int(not all(result.share >= _BAR for result in results))


def in_a_clone() -> int:
    """This command again, in a clone of the committed files."""
    scratch = Path(tempfile.mkdtemp(prefix="mutants-")).resolve()
    checkout = scratch / "checkout"
    try:
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(checkout)], check=True)
        again = [sys.executable, "-m", "benchmarks.mutants", "--here", *sys.argv[1:]]
        environment = {
            **os.environ,
            "PYTHONPATH": str(checkout),
            "PYTHONHASHSEED": "0",
            "OPENBLAS_NUM_THREADS": "1",
        }
        return subprocess.run(again, cwd=checkout, env=environment).returncode
    finally:
        shutil.rmtree(scratch)


if __name__ == "__main__":
    sys.exit(main())
