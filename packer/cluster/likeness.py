"""Whether an object in the cluster is as rendered: every rendered field has the rendered value.

The API server adds defaults and a status; fields that are not rendered are nobody's business here.
"""

from collections.abc import Iterator
from typing import Any

from packer.cluster.connection import Json
from packer.units import InvalidQuantity, parse_quantity

_NO_REASON = frozenset(("gpu-packer/plan-sha256", "startupProbe", "progressDeadlineSeconds"))
"""Fields that alone are no reason to write an object again, and so to start a pod again: the name
of the plan, and the time a start may take, which depends on the neighbours' models."""
_LONGEST = 5


def unlike(rendered: Json, live: Json) -> tuple[str, ...]:
    """Fields, as dotted paths, whose live value is not the rendered one; the first few."""
    found: list[str] = []
    for path in _unlike(rendered, live, ""):
        found.append(path)
        if len(found) == _LONGEST:
            break
    return tuple(found)


def _unlike(rendered: Any, live: Any, path: str) -> Iterator[str]:
    if isinstance(rendered, dict):
        there = live if isinstance(live, dict) else {}
        for key, value in rendered.items():
            if key not in _NO_REASON:
                yield from _unlike(value, there.get(key), f"{path}.{key}" if path else key)
    elif isinstance(rendered, list | tuple):
        items = live if isinstance(live, list) else []
        if len(items) != len(rendered):
            yield path
            return
        for index, (one, other) in enumerate(zip(rendered, items, strict=True)):
            yield from _unlike(one, other, f"{path}[{index}]")
    elif not _is_same(rendered, live):
        yield path


def _is_same(rendered: Any, live: Any) -> bool:
    """Equal values; an empty one and a missing one; two spellings of one quantity."""
    if rendered == live or (not rendered and live is None):
        return True
    try:
        return parse_quantity(str(rendered)) == parse_quantity(str(live))
    except InvalidQuantity:
        return False
