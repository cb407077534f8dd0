"""A hash of everything a plan decides."""

import json
from decimal import Decimal
from hashlib import sha256

from packer.plan.plan import Plan
from packer.plan.plan_fields import plain_values


def plan_sha256(plan: Plan) -> str:
    """SHA-256 of the plan without its ``run`` block, which holds the clock and the machine."""
    decided = {key: value for key, value in plain_values(plan).items() if key != "run"}
    text = json.dumps(decided, sort_keys=True, separators=(",", ":"), default=_plain)
    return sha256(text.encode()).hexdigest()


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"a plan holds a {type(value).__name__}")
