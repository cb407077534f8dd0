"""Dataclasses that are a JSON contract, as text: kind first, the run last, money exact."""

from dataclasses import is_dataclass
from datetime import date
from typing import Any

from packer.plan.plan_fields import written_fields
from packer.spec.json_text import format_json

_FIRST = ("apiVersion", "kind")
_LAST = "run"


def format_contract(value: Any) -> str:
    """Text of a contract: same values, same bytes, ``run`` aside."""
    return format_json(_plain(value))


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    if not is_dataclass(value):
        return value
    names = sorted(written_fields(value), key=lambda name: (name not in _FIRST, name == _LAST))
    return {name: _plain(getattr(value, name)) for name in names}
