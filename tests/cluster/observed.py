"""Clusters made of API objects alone, for tests of what is concluded from them."""

from collections.abc import Iterable
from typing import Any

from packer.cluster.claims import claim_of
from packer.cluster.devices import complete_devices, slice_of
from packer.cluster.live_cards import LiveNode, Undescribed
from packer.cluster.live_nodes import Observed, describe_nodes
from packer.cluster.nodes import node_of
from packer.cluster.pods import Pod, pod_of

Json = dict[str, Any]


def described(
    nodes: Iterable[Json],
    slices: Iterable[Json] = (),
    claims: Iterable[Json] = (),
    pods: Iterable[Json] = (),
) -> tuple[list[LiveNode], list[Undescribed]]:
    """What is known of nodes, from the objects an API server would list."""
    devices, half = complete_devices(one for one in map(slice_of, slices) if one)
    living: dict[str, list[Pod]] = {}
    for pod in map(pod_of, pods):
        if pod:
            living.setdefault(pod.node, []).append(pod)
    names = {device.node for device in devices}
    return describe_nodes(
        Observed(
            nodes=tuple(map(node_of, nodes)),
            devices={name: [one for one in devices if one.node == name] for name in names},
            half_pools={pool.node: pool for pool in half},
            claims=tuple(one for one in map(claim_of, claims) if one),
            pods=living,
        )
    )


def pod(node: str, *, memory: str = "", resources: dict[str, str] | None = None) -> Json:
    """A running pod with one container."""
    limits = {**({"memory": memory} if memory else {}), **(resources or {})}
    return {
        "metadata": {"namespace": "others", "name": "job", "uid": "u1"},
        "spec": {"nodeName": node, "containers": [{"name": "a", "resources": {"limits": limits}}]},
        "status": {"phase": "Running"},
    }


def claim(pool: str, device: str, *, memory: str = "", admin: bool = False) -> Json:
    """An allocated claim for one device, or for a part of its memory."""
    consumed = {"shareID": "s", "consumedCapacity": {"memory": memory}} if memory else {}
    result = {
        "request": "gpu",
        "driver": "gpu.nvidia.com",
        "pool": pool,
        "device": device,
        **({"adminAccess": True} if admin else {}),
        **consumed,
    }
    return {
        "metadata": {"namespace": "others", "name": "claim", "uid": "c1"},
        "status": {"allocation": {"devices": {"results": [result]}}},
    }
