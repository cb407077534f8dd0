"""Whether an object in the cluster is as rendered: every rendered field has the rendered value.

The API server adds defaults and a status; fields that are not rendered are nobody's business here.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from packer.cluster.connection import Json
from packer.units import InvalidQuantity, parse_quantity

_NO_REASON = frozenset(("gpu-packer/plan-sha256", "startupProbe", "progressDeadlineSeconds"))
"""Fields that alone are no reason to write an object again, and so to start a pod again: the name
of the plan, and the time a start may take, which depends on the neighbours' models."""
_LONGEST = 5


def unlike(rendered: Json, live: Json) -> tuple[str, ...]:
    """Fields, as dotted paths, whose live value is not the rendered one; the first few."""
    return tuple(islice(_unlike(rendered, live, ""), _LONGEST))


def _unlike(rendered: Any, live: Any, path: str) -> Iterator[str]:
    """Fields that differ within two values that are not equal as they stand."""
    if isinstance(rendered, dict):
        parts = _fields(rendered, live, path)
    elif isinstance(live, list) and isinstance(rendered, list) and len(live) == len(rendered):
        pairs = enumerate(zip(rendered, live, strict=True))
        parts = ((f"{path}[{index}]", one, other) for index, (one, other) in pairs)
    else:
        if not _is_same(rendered, live):
            yield path
        return
    for where, one, other in parts:
        # Most are equal, and that is quickly said.
        if one != other:
            yield from _unlike(one, other, where)


def _fields(rendered: Json, live: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Path, rendered and live value of every rendered field that counts."""
    there = live if isinstance(live, dict) else {}
    for key, value in rendered.items():
        if key not in _NO_REASON:
            yield f"{path}.{key}" if path else key, value, there.get(key)


def _is_same(rendered: Any, live: Any) -> bool:
    """Equal values; an empty one and a missing one; two spellings of one quantity."""
    if not rendered and live is None:
        return True
    try:
        return parse_quantity(str(rendered)) == parse_quantity(str(live))
    except InvalidQuantity:
        return False
