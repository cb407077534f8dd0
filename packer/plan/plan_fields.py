"""Which fields of a plan are written: later ones only where they say something.

A plan of a fleet that uses none of a newer feature keeps its bytes, and with them its hash.
"""

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from types import MappingProxyType
from typing import Any

LEFT_OUT: Mapping[str, bool] = MappingProxyType({"left_out_at_default": True})
"""Metadata of a field that is not written where it has its default."""


def plain_values(value: Any) -> Any:
    """Dataclasses as mappings, lists for tuples; what is left out at its default is."""
    if isinstance(value, str | int):
        return value
    if isinstance(value, tuple | list):
        return [plain_values(item) for item in value]
    if isinstance(value, dict):
        return {key: plain_values(item) for key, item in value.items()}
    if not is_dataclass(value):
        return value
    return {name: plain_values(getattr(value, name)) for name in written_fields(value)}


def written_fields(value: Any) -> list[str]:
    """Names of the fields of a dataclass that are written."""
    return [field.name for field in fields(value) if not _is_left_out(field, value)]


def _is_left_out(field: Field[Any], value: Any) -> bool:
    if "left_out_at_default" not in field.metadata or field.default is MISSING:
        return False
    return bool(getattr(value, field.name) == field.default)
