"""Cards of a node from its labels: what GPU feature discovery writes, if it agrees with itself.

One set of labels describes the whole node. Labels that contradict each other or the device plugin
come from mixed cards, a changed card or a feature discovery that no longer runs; they are refused.
"""

import re
from collections.abc import Mapping

from packer.cluster.live_cards import CardKind
from packer.cluster.nodes import Node
from packer.cluster.pods import GPU
from packer.units import MIB

PREFIX = "nvidia.com/gpu."
_MIG_RESOURCE = re.compile(r"nvidia\.com/mig-(?P<profile>\d+g\.\d+gb(?:\.me)?)")
_SUFFIX = re.compile(r"-(?:SHARED|MIG-(?P<profile>.+))$")
_DUPLICATED = ("time-slicing", "mps")


class Unclear(Exception):
    """The labels do not say what the cards are; the message says why."""


def labelled_cards(node: Node) -> tuple[CardKind, int] | None:
    """Kind and number of a node's cards, or of its MIG slices; None without any GPU resource.

    Raises:
        Unclear: Labels are missing or contradict each other.
    """
    mig = {name: count for name, count in node.resources.items() if _MIG_RESOURCE.match(name)}
    mig = {name: count for name, count in mig.items() if count}
    if not node.gpus and not mig:
        return None
    product = node.labels.get(f"{PREFIX}product", "")
    if not product:
        raise Unclear(
            f"it offers {_offered(node)}, but has no label {PREFIX}product "
            "(GPU feature discovery) and no ResourceSlice"
        )
    capability = _capability(node.labels)
    if mig:
        return _mig(node, _SUFFIX.sub("", product), capability, mig)
    suffix = _SUFFIX.search(product)
    profile = (suffix["profile"] or "") if suffix else ""
    memory_bytes = _number(node, "memory") * MIB
    return CardKind(_SUFFIX.sub("", product), memory_bytes, capability, profile), _count(
        node, product
    )


def _count(node: Node, product: str) -> int:
    """Cards, once labels and device plugin agree; shared cards are offered several times."""
    replicas = max(1, _number(node, "replicas", missing=1))
    count = _number(node, "count", missing=node.gpus)
    if count * replicas != node.gpus:
        offered = f"the device plugin offers {node.gpus}"
        times = f" × {replicas} replicas" if replicas > 1 else ""
        raise Unclear(f"labels tell {count} cards{times}, {offered}: mixed cards or stale labels")
    strategy = node.labels.get(f"{PREFIX}sharing-strategy", "none")
    if replicas > 1 or product.endswith("-SHARED") or strategy in _DUPLICATED:
        raise Unclear(
            f"the device plugin offers each card {replicas} times ({strategy}); nobody knows which "
            "card a pod gets"
        )
    return count


def _mig(
    node: Node, product: str, capability: str, resources: Mapping[str, int]
) -> tuple[CardKind, int]:
    """MIG slices of one profile; the device plugin's names tell their nominal size only."""
    if len(resources) > 1 or node.gpus:
        names = ", ".join(sorted(resources)) + (f", {GPU}" if node.gpus else "")
        raise Unclear(f"it offers slices of several sizes ({names}); one pool holds equal cards")
    ((name, count),) = resources.items()
    profile = name.removeprefix("nvidia.com/mig-")
    memory = node.labels.get(f"{name}.memory", "")
    if not memory.isdecimal():
        raise Unclear(f"no label {name}.memory tells the memory of its slices")
    return CardKind(product, int(memory) * MIB, capability, profile), count


def _number(node: Node, name: str, missing: int | None = None) -> int:
    text = node.labels.get(PREFIX + name, "")
    if text.isascii() and text.isdecimal():
        return int(text)
    if not text and missing is not None:
        return missing
    raise Unclear(f"the label {PREFIX}{name} is {text!r}" if text else f"no label {PREFIX}{name}")


def _capability(labels: Mapping[str, str]) -> str:
    major, minor = (labels.get(f"{PREFIX}compute.{part}", "") for part in ("major", "minor"))
    return f"{major}.{minor}" if major and minor else ""


def _offered(node: Node) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(node.resources.items()) if count)
