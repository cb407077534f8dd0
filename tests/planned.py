"""Plans of the examples, made once per test run."""

from functools import cache
from pathlib import Path

from packer import api
from packer.plan.plan import Plan

ROOT = Path(__file__).parents[1]
EXAMPLES = {
    "01-four-models-one-card": "inventories/one-l40s.yaml",
    "02-company-fleet": "inventories/eu-cluster.yaml",
}


@cache
def inputs(example: str) -> api.Input:
    """Fleet and inventory of an example."""
    return api.load(ROOT / "examples" / example / "fleet.yaml", ROOT / EXAMPLES[example])


@cache
def plan(example: str) -> Plan:
    """The plan of an example."""
    return api.plan(inputs(example), time_limit_seconds=600.0)  # a busy machine proves it, too
