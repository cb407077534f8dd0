"""The same inputs give the same bytes, whatever the interpreter, the place and the clock say."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FLEET = ROOT / "examples" / "01-four-models-one-card" / "fleet.yaml"
INVENTORY = ROOT / "inventories" / "one-l40s.yaml"

_SCRIPT = """
import sys
from pathlib import Path
from packer import api
from packer.spec.plan_file import format_plan
from dataclasses import replace
made = api.plan(api.load(sys.argv[1], sys.argv[2]), workers=int(sys.argv[3]))
empty = replace(made.run, solver_seconds=0.0, total_seconds=0.0, created="", processors=0)
sys.stdout.write(format_plan(replace(made, run=empty)))
for path, text in sorted(api.manifests(made).items()):
    sys.stdout.write(path + text)
"""


def _output(
    fleet: Path, inventory: Path, workers: int = 2, environment: Mapping[str, str] | None = None
) -> str:
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(fleet), str(inventory), str(workers)],
        env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
        capture_output=True,
        check=True,
        text=True,
        encoding="utf-8",
    )
    return done.stdout


@pytest.fixture(scope="module")
def usual() -> str:
    """Output in the environment as it is."""
    return _output(FLEET, INVENTORY)


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONHASHSEED": "1", "TZ": "Pacific/Kiritimati", "LC_ALL": "C"},
        {"PYTHONHASHSEED": "4242", "TZ": "America/St_Johns", "LC_ALL": "C.UTF-8"},
    ],
    ids=["seed 1", "seed 4242"],
)
def test_hash_seed_locale_and_time_zone_change_no_byte(
    usual: str, environment: dict[str, str]
) -> None:
    assert _output(FLEET, INVENTORY, environment=environment) == usual


def test_the_number_of_threads_changes_no_byte(usual: str) -> None:
    assert _output(FLEET, INVENTORY, workers=1) == usual


_SOLVE = """
import gzip, json, os, sys
from packer import api
if sys.argv[2] == "one":
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
instance = json.loads(gzip.decompress(open(sys.argv[1], "rb").read()))
found = api.solve(instance, workers=2, time_limit_seconds=600)
found.pop("seconds")
sys.stdout.write(json.dumps(found))
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores cannot be taken away here")
def test_the_number_of_cores_changes_no_byte_of_a_solution() -> None:
    """A search of several phases on one core and on all: its limits are deterministic."""
    instance = ROOT / "tests" / "data" / "packing" / "fleet-d20-8.json.gz"
    found = [
        subprocess.run(
            [sys.executable, "-c", _SOLVE, str(instance), cores],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            check=True,
        ).stdout
        for cores in ("one", "all")
    ]
    assert json.loads(found[0])["placed"]
    assert found[0] == found[1]


def test_the_order_of_keys_in_a_file_changes_only_its_hash(usual: str, tmp_path: Path) -> None:
    shuffled = [tmp_path / "fleet.yaml", tmp_path / "inventory.yaml"]
    for source, target in zip((FLEET, INVENTORY), shuffled, strict=True):
        document = _shuffled(yaml.safe_load(source.read_text()), random.Random(7))
        target.write_text(yaml.safe_dump(document, sort_keys=False))
    assert _decided(_output(shuffled[0], shuffled[1])) == _decided(usual)


def _shuffled(value: Any, order: random.Random) -> Any:
    if isinstance(value, dict):
        keys = list(value)
        order.shuffle(keys)
        return {key: _shuffled(value[key], order) for key in keys}
    return [_shuffled(one, order) for one in value] if isinstance(value, list) else value


def _decided(text: str) -> dict[str, Any]:
    plan, _ = json.JSONDecoder().raw_decode(text)
    assert isinstance(plan, dict)
    return {key: value for key, value in plan.items() if key != "inputs"}
