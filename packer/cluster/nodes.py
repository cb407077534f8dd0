"""Nodes as the API server describes them: room for pods, labels, and why pods may not go there."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from packer.cluster.connection import Json
from packer.cluster.pods import GPU
from packer.units import parse_quantity

_ZONE = "topology.kubernetes.io/zone"
_KEPT_ANNOTATIONS = ("hami.io/node-nvidia-register",)
_CORDONED = "node.kubernetes.io/unschedulable"


@dataclass(frozen=True)
class Node:
    """One node, as far as GPUs and room for pods are concerned.

    Attributes:
        memory_bytes: Allocatable memory [bytes].
        resources: Every ``nvidia.com/…`` amount the device plugin offers, such as MIG slices.
        labels: Those of GPU feature discovery.
        refusal: Why new pods may not go there, in words; empty if they may.
        is_ready: Whether its kubelet says that it runs pods.
    """

    name: str
    zone: str
    memory_bytes: int
    resources: Mapping[str, int]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    refusal: str
    is_ready: bool = True

    @property
    def gpus(self) -> int:
        """Cards the device plugin offers."""
        return self.resources.get(GPU, 0)


def node_of(item: Json) -> Node:
    """The node of an API object."""
    meta, status = item["metadata"], item.get("status") or {}
    labels = meta.get("labels") or {}
    annotations = meta.get("annotations") or {}
    allocatable = status.get("allocatable") or {}
    return Node(
        name=meta["name"],
        zone=labels.get(_ZONE, ""),
        memory_bytes=int(parse_quantity(str(allocatable.get("memory", "0")))),
        resources={
            name: int(parse_quantity(str(amount)))
            for name, amount in allocatable.items()
            if name.startswith("nvidia.com/")
        },
        labels={name: text for name, text in labels.items() if name.startswith("nvidia.com/")},
        annotations={name: annotations[name] for name in _KEPT_ANNOTATIONS if name in annotations},
        refusal=", ".join(_refusals(item)),
        is_ready=_is_ready(status),
    )


def _refusals(item: Json) -> Iterator[str]:
    spec, status = item.get("spec") or {}, item.get("status") or {}
    if spec.get("unschedulable"):
        yield "cordoned"
    for taint in spec.get("taints") or ():
        if not _tolerated(taint):
            value = f"={taint['value']}" if taint.get("value") else ""
            yield f"tainted {taint['key']}{value}:{taint['effect']}"
    if not _is_ready(status):
        yield "not ready"


def _is_ready(status: Json) -> bool:
    conditions = status.get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _tolerated(taint: Json) -> bool:
    """Whether pods we render stay in spite of a taint; a cordon is named once, not as its taint."""
    key, effect = str(taint["key"]), str(taint["effect"])
    is_ours = key == GPU and effect == "NoSchedule"
    return is_ours or key == _CORDONED or effect == "PreferNoSchedule"
