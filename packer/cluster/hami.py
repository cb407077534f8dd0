"""Cards of a node as HAMi's device plugin registers them in an annotation.

Source:
    HAMi, docs of the device protocol: a JSON array, zero values left out, ``devmem`` in MiB.
"""

import json

from packer.cluster.live_cards import CardKind, LiveCard
from packer.cluster.nodes import Node
from packer.units import MIB

_REGISTER = "hami.io/node-nvidia-register"


def registered_cards(node: Node) -> tuple[LiveCard, ...]:
    """Cards of a node by their index; none if HAMi has registered nothing readable."""
    text = node.annotations.get(_REGISTER, "")
    try:
        entries = json.loads(text) if text else []
        ordered = sorted(entries, key=lambda entry: int(entry.get("index", 0)))
        return tuple(
            LiveCard(
                CardKind(_product(str(entry["type"])), int(entry["devmem"]) * MIB),
                uuid=str(entry["id"]),
                is_held_whole=not entry.get("health", False),
            )
            for entry in ordered
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return ()


def _product(kind: str) -> str:
    """Product name; HAMi writes the vendor in front of it, which may name it too."""
    return kind.removeprefix("NVIDIA-")
