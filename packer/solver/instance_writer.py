"""Instances and placements as JSON documents."""

from collections.abc import Iterable
from typing import Any

from packer.solver.instance import SCHEMA, Alternative, Instance, Item, NodeType, Placed


def format_placed(placed: Iterable[Placed]) -> list[dict[str, Any]]:
    """Placements as JSON values."""
    return [
        {
            "item": one.item,
            "alt": one.alternative,
            "node": [one.node_type, one.node],
            "gpus": list(one.gpus),
        }
        for one in placed
    ]


def format_instance(instance: Instance) -> dict[str, Any]:
    """The instance as a JSON document; parsing it again gives an equal instance."""
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "name": instance.name,
        "dims": list(instance.dims),
        "node_dims": list(instance.node_dims),
        "objective": str(instance.objective),
        "node_types": [_node_type_document(node_type) for node_type in instance.node_types],
        "items": [_item_document(item) for item in instance.items],
        "constraints": [
            {"type": str(one.rule), "items": list(one.items), "scope": str(one.scope)}
            for one in instance.constraints
        ],
    }
    if instance.even_headroom:
        document["even_headroom"] = True
    if instance.current is not None:
        document["current"] = {
            "placed": format_placed(instance.current.placed),
            "move_cost": dict(instance.current.move_cost),
            "event": instance.current.event,
        }
    return document


def _node_type_document(node_type: NodeType) -> dict[str, Any]:
    document: dict[str, Any] = {
        "name": node_type.name,
        "gpu_type": node_type.gpu_type,
        "count": node_type.count,
        "gpus": node_type.gpus,
        "gpu_cap": list(node_type.gpu_cap),
        "node_cap": list(node_type.node_cap),
        "gpu_price": node_type.gpu_price,
        "node_price": node_type.node_price,
    }
    if node_type.zones:
        document["zones"] = dict(node_type.zones)
    if node_type.links:
        document["links"] = [list(group) for group in node_type.links]
    if node_type.unavailable:
        document["unavailable"] = sorted(node_type.unavailable)
    if node_type.gpu_caps:
        document["gpu_caps"] = [list(capacity) for capacity in node_type.gpu_caps]
    return document


def _item_document(item: Item) -> dict[str, Any]:
    return {
        "name": item.name,
        "count": item.count,
        "alts": [_alternative_document(alternative) for alternative in item.alternatives],
        "max_per_gpu": item.max_per_gpu,
        "max_per_node": item.max_per_node,
        "max_per_zone": item.max_per_zone,
    }


def _alternative_document(alternative: Alternative) -> dict[str, Any]:
    document: dict[str, Any] = {
        "name": alternative.name,
        "shares": [list(share) for share in alternative.shares],
        "node": list(alternative.node),
        "gpu_types": None if alternative.gpu_types is None else sorted(alternative.gpu_types),
        "one_link": alternative.one_link,
    }
    if alternative.penalty:
        document["penalty"] = alternative.penalty
    return document
