"""The report as JSON for programs: every figure of the page, and what each is computed from.

Money and ratios are strings with their exact decimals; bytes are whole numbers. The keys are the
attributes of ``packer.report.document.Report``; ``apiVersion`` changes when their meaning does.
"""

import json
from dataclasses import fields, is_dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING

from packer.plan.plan import Plan
from packer.report.beside import NOTHING, Beside
from packer.report.document import report

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def render_json(plan: Plan, beside: Beside = NOTHING) -> str:
    """The report of one plan; only its ``run`` block differs between equal plans."""
    return document_json(report(plan, beside))


def document_json(document: "DataclassInstance") -> str:
    """A dataclass as a JSON document: what it is first, facts of its run last."""
    names = [one.name for one in fields(document)]
    ordered = sorted(names, key=lambda name: (name not in {"apiVersion", "kind"}, name == "run"))
    values = {name: _plain(getattr(document, name)) for name in ordered}
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"


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
    if isinstance(value, date):
        return value.isoformat()
    return value
