"""Packing problems small enough to be counted by hand, as JSON documents."""

from typing import Any

Document = dict[str, Any]


def node_type(name: str = "a", **changes: Any) -> Document:
    """One node with two cards of ten; a card costs 3, a node 7."""
    return {
        "name": name,
        "gpu_type": name.upper(),
        "count": 1,
        "gpus": 2,
        "gpu_cap": [10],
        "node_cap": [100],
        "gpu_price": 3,
        "node_price": 7,
    } | changes


def alternative(*shares: list[int], **changes: Any) -> Document:
    """A way to run a replica: its share of each card."""
    return {
        "name": "way",
        "shares": list(shares),
        "node": [1],
        "gpu_types": None,
        "one_link": False,
    } | changes


def item(name: str, count: int, *alternatives: Document, **changes: Any) -> Document:
    """Equal replicas."""
    return {
        "name": name,
        "count": count,
        "alts": list(alternatives),
        "max_per_gpu": None,
        "max_per_node": None,
        "max_per_zone": None,
    } | changes


def instance(node_types: list[Document], items: list[Document], **changes: Any) -> Document:
    """A packing problem; the number of cards is what it costs."""
    return {
        "schema": "gpupack/1",
        "name": "tiny",
        "dims": ["memory"],
        "node_dims": ["ram"],
        "objective": "gpus",
        "node_types": node_types,
        "items": items,
        "constraints": [],
    } | changes
