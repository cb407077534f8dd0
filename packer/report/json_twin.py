"""The report as JSON for programs: every figure of the page, and what each is computed from.

Money and ratios are strings with their exact decimals; bytes are whole numbers. The keys are the
attributes of ``packer.report.document.Report``; ``apiVersion`` changes when their meaning does.
"""

import json
from dataclasses import fields, is_dataclass
from decimal import Decimal
from enum import Enum

from packer.plan.plan import Plan
from packer.report.document import report


def render_json(plan: Plan) -> str:
    """The report of one plan; only its ``run`` block differs between equal plans."""
    facts = report(plan)
    names = [one.name for one in fields(facts)]
    ordered = sorted(names, key=lambda name: name not in {"apiVersion", "kind"})
    document = {name: _plain(getattr(facts, name)) for name in ordered}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _plain(value: object) -> object:
    """What JSON knows, from dataclasses, decimals, enumerations and tuples."""
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Decimal):
        return format(value, "f")
    return value
