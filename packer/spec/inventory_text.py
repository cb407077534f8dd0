"""An inventory as the text of an Inventory file, with remarks as comments. Read back, it is equal.

Prices are not written: whoever writes a file from a cluster does not know them.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping

from packer.domain.gpu import GpuProduct
from packer.domain.node import Inventory, NodePool
from packer.plan.plan import API_VERSION
from packer.units import format_quantity

_WIDTH = 100


def format_inventory(
    inventory: Inventory,
    *,
    notes: Iterable[str] = (),
    pool_notes: Mapping[str, Iterable[str]] | None = None,
    by_hand: Collection[str] = (),
) -> str:
    """Text of an inventory file.

    Args:
        inventory: Pools of nodes that exist.
        notes: Comments at the head of the file.
        pool_notes: Pool name → comments above it.
        by_hand: Names of products to describe in the file, because no catalogue has them.
    """
    lines = [
        *(f"# {_comment(note)}" for note in notes),
        f"apiVersion: {API_VERSION}",
        "kind: Inventory",
        f"metadata: {{name: {_scalar(inventory.name)}}}",
        "nodePools:" if inventory.pools else "nodePools: []",
    ]
    for pool in inventory.pools:
        lines += [f"# {_comment(note)}" for note in (pool_notes or {}).get(pool.name, ())]
        lines += _pool(pool, is_by_hand=pool.gpu.name in by_hand)
    return "\n".join(lines) + "\n"


def _comment(text: str) -> str:
    """One line without anything that could end the comment."""
    return " ".join(part for part in text.split() if part.isprintable())


def _pool(pool: NodePool, *, is_by_hand: bool) -> Iterator[str]:
    yield f"- name: {pool.name}"
    yield f"  gpu: {_flow(_by_hand(pool.gpu)) if is_by_hand else _scalar(pool.gpu.name)}"
    yield f"  gpusPerNode: {pool.gpus_per_node}"
    yield f"  {'maxNodes' if pool.is_rentable else 'nodes'}: {pool.nodes}"
    yield f"  hostMemory: {format_quantity(pool.host_memory_bytes)}"
    if pool.zones:
        yield f"  zones: {_flow(pool.zones)}"
    if pool.link_groups:
        yield f"  linkGroups: {json.dumps(pool.link_groups)}"
    yield f"  sharing: {pool.sharing.value}"
    yield from _list("nodeNames", pool.node_names)
    yield from _by_node("gpuUuids", {n: json.dumps(list(u)) for n, u in pool.gpu_uuids.items()})
    yield from _by_node("taken", {node: _flow(_held(pool, node)) for node in pool.taken})
    yield from _by_node("hostTaken", {n: format_quantity(c) for n, c in pool.host_taken.items()})
    yield from _list("unavailable", pool.unavailable)


def _by_hand(gpu: GpuProduct) -> dict[str, str]:
    return {
        "name": gpu.name,
        "memory": format_quantity(gpu.nominal_bytes),
        "allocatable": format_quantity(gpu.allocatable_bytes),
        "bandwidth": format_quantity(gpu.bandwidth_bytes_per_second),
        "computeCapability": gpu.compute_capability,
        "label": gpu.label,
    }


def _held(pool: NodePool, node: str) -> dict[str, str]:
    return {f"gpu{card}": format_quantity(held) for card, held in sorted(pool.taken[node].items())}


def _list(key: str, items: Collection[str]) -> Iterator[str]:
    if items:
        yield f"  {key}:"
        yield from (f"  - {_scalar(item)}" for item in items)


def _by_node(key: str, values: Mapping[str, str]) -> Iterator[str]:
    if values:
        yield f"  {key}:"
        yield from (f"    {_scalar(node)}: {value}" for node, value in values.items())


def _flow(mapping: Mapping[str, str | int]) -> str:
    """A mapping on one line."""
    items = (f"{_scalar(key)}: {_scalar(value)}" for key, value in mapping.items())
    return f"{{{', '.join(items)}}}"


def _scalar(value: str | int) -> str:
    """A value that reads back as itself: quoted unless it is clearly a word."""
    if isinstance(value, int):
        return str(value)
    is_word = all(c.isalnum() or c in "-. " for c in value) and value[:1].isalpha()
    is_safe = value.isascii() and value.lower() not in ("true", "false", "null", "yes", "no")
    is_plain = is_word and is_safe and value[-1:].isalnum()
    return value if is_plain and value.lower() not in ("on", "off", "y", "n") else json.dumps(value)
