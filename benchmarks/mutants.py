"""Would the tests notice? Mutants of the floors that matter most, each tried against its tests.

``python -m benchmarks.mutants units certificate --sample 200``: a seeded sample of all mutants of
each part, made by cosmic-ray in a copy of the checkout. Survivors are printed as differences.
Exits 1 when fewer than 90 % of a part's sample are killed.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
_BAR = 0.9
_SECONDS = 120


@dataclass(frozen=True)
class Part:
    """Modules to change, and the tests that must notice."""

    modules: tuple[str, ...]
    tests: str


PARTS = {
    "units": Part(
        ("packer/units.py",), "tests/unit/test_units.py tests/properties/test_units_properties.py"
    ),
    "certificate": Part(("packer/solver/certificate_*.py",), "tests/unit/solver/certificate"),
    "audit": Part(("packer/plan/audit*.py",), "tests/unit/plan/test_audit.py"),
    "rollout": Part(
        ("packer/plan/rollout/*.py",),
        "tests/unit/plan/test_rollout_order.py tests/properties/test_rollout_properties.py",
    ),
    "arguments": Part(
        ("packer/llamacpp/arguments.py", "packer/llamacpp/gathered.py", "packer/llamacpp/s*.py"),
        "tests/unit/llamacpp/test_llamacpp_arguments.py tests/llamacpp/test_parser_agreement.py",
    ),
    "bounds": Part(
        ("packer/solver/bound.py", "packer/solver/dual_feasible.py", "packer/solver/relaxation.py"),
        "tests/unit/solver tests/properties/test_solver_optimality.py",
    ),
    "memory": Part(
        ("packer/memory/*.py",), "tests/unit/memory tests/properties/test_memory_properties.py"
    ),
}


def copied_checkout(scratch: Path) -> Path:
    """The committed files, where they may be changed."""
    copy = scratch / "checkout"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(copy)], check=True)
    return copy


def configuration(checkout: Path, modules: list[str], tests: str) -> str:
    """cosmic-ray's configuration."""
    command = f"{sys.executable} -m pytest -x -q -p no:cacheprovider {tests}"
    paths = ", ".join(f'"{checkout / module}"' for module in modules)
    return (
        f"[cosmic-ray]\nmodule-path = [{paths}]\ntimeout = {_SECONDS}.0\n"
        f'test-command = "{command}"\nexcluded-modules = []\n'
        '[cosmic-ray.distributor]\nname = "local"\n'
    )


def keep_a_sample(session: Path, size: int, seed: int) -> int:
    """Mark all but ``size`` mutants as skipped; the number of all."""
    from cosmic_ray.work_db import WorkDB, use_db
    from cosmic_ray.work_item import WorkerOutcome, WorkResult

    with use_db(str(session), WorkDB.Mode.open) as database:
        jobs = sorted(
            (str(one.mutations[0].module_path), one.mutations[0].start_pos, one.job_id)
            for one in database.work_items
        )
        kept = set(random.Random(seed).sample(jobs, min(size, len(jobs))))
        skipped = WorkResult(worker_outcome=WorkerOutcome.SKIPPED)
        for job in jobs:
            if job not in kept:
                database.set_result(job[2], skipped)
    return len(jobs)


def outcome(session: Path) -> tuple[int, list[str]]:
    """Mutants that were tried, and the differences of those that survived."""
    from cosmic_ray.work_db import WorkDB, use_db
    from cosmic_ray.work_item import WorkerOutcome

    tried, survivors = 0, []
    with use_db(str(session), WorkDB.Mode.open) as database:
        for _, result in database.results:
            if result.worker_outcome is not WorkerOutcome.SKIPPED:
                tried += 1
                if not result.is_killed:
                    survivors.append(result.diff or "")
    return tried, survivors


def try_part(name: str, part: Part, sample: int, seed: int) -> bool:
    """Try a sample of one part's mutants; whether enough were killed."""
    scratch = Path(tempfile.mkdtemp(prefix="mutants-"))
    try:
        checkout = copied_checkout(scratch)
        modules = [
            str(path.relative_to(checkout))
            for pattern in part.modules
            for path in sorted(checkout.glob(pattern))
        ]
        settings, session = scratch / "mutants.toml", scratch / "mutants.sqlite"
        settings.write_text(configuration(checkout, modules, part.tests))
        environment = {**os.environ, "PYTHONPATH": str(checkout), "PYTHONDONTWRITEBYTECODE": "1"}
        # Unchanged code must pass, or every mutant would count as killed.
        passed = [sys.executable, "-m", "pytest", "-x", "-q", *part.tests.split()]
        subprocess.run(passed, cwd=checkout, env=environment, check=True, capture_output=True)
        tool = str(Path(sys.executable).with_name("cosmic-ray"))
        for verb in ("init", "exec"):
            command = [tool, verb, str(settings), str(session)]
            subprocess.run(command, cwd=checkout, env=environment, check=True, capture_output=True)
            if verb == "init":
                number = keep_a_sample(session, sample, seed)
        tried, survivors = outcome(session)
    finally:
        shutil.rmtree(scratch)
    killed = tried - len(survivors)
    for difference in survivors:
        print(difference)
    share = killed / max(1, tried)
    print(f"{name}: {killed} of {tried} tried mutants killed ({share:.1%}), {number} in all")
    return tried > 0 and share >= _BAR


def main() -> int:
    """Read the command line and try each part."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("parts", nargs="*", metavar="|".join(PARTS))
    arguments.add_argument("--sample", type=int, default=100)
    arguments.add_argument("--seed", type=int, default=1)
    given = arguments.parse_args()
    names = given.parts or list(PARTS)
    return int(not all([try_part(n, PARTS[n], given.sample, given.seed) for n in names]))


if __name__ == "__main__":
    sys.exit(main())
