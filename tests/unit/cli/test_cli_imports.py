"""What quick commands load: neither the solver, the cluster client nor the graph library."""

import subprocess
import sys

import pytest

from tests.planned import ROOT

_HEAVY = ("ortools", "kubernetes", "networkx", "numpy", "pandas", "jinja2", "ray", "distributed")
_PROGRAM = """
import sys
from packer.cli.main import run
status = run({arguments!r})
heavy = [name for name in {heavy!r} if name in sys.modules]
assert status in (0, None), status
assert not heavy, heavy
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["plan", "--help"],
        ["sweep", "--help"],
        ["help", "exit-status"],
        ["schema", "fleet"],
        ["catalogue", "gpus"],
        ["catalogue", "models"],
        ["catalogue", "prices", "--gpu", "L40S"],
        [
            "validate",
            "-f",
            "examples/02-company-fleet/fleet.yaml",
            "-i",
            "inventories/eu-cluster.yaml",
        ],
    ],
)
def test_quick_commands_load_nothing_heavy(arguments: list[str]) -> None:
    program = _PROGRAM.format(arguments=arguments, heavy=_HEAVY)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
