"""One look at a live cluster: nodes, devices, claims and pods, and what could not be told."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from packer.cluster.claims import Claim, claim_of
from packer.cluster.connection import Connection
from packer.cluster.devices import Device, HalfPool, Slice, complete_devices, slice_of
from packer.cluster.listing import listed, served
from packer.cluster.live_cards import LiveNode, Undescribed
from packer.cluster.live_nodes import Observed, describe_nodes
from packer.cluster.nodes import node_of
from packer.cluster.pods import Pod, pod_of
from packer.cluster.refusals import FORBIDDEN, Refused
from packer.errors import InvalidInput, Problem

CORE = "/api/v1"
RESOURCE_API = "/apis/resource.k8s.io/v1"
_LIVING_PODS = {"fieldSelector": "status.phase!=Succeeded,status.phase!=Failed"}
Read = TypeVar("Read")


@dataclass(frozen=True)
class LiveCluster:
    """What a cluster offers to a plan.

    Attributes:
        name: Context it was read through. version: Of its API server, such as ``v1.37.1``.
        nodes: GPU nodes whose cards are known. left_out: Those whose are not.
        notes: What could not be told, for people.
    """

    name: str
    version: str
    serves_claims: bool
    nodes: tuple[LiveNode, ...]
    left_out: tuple[Undescribed, ...]
    notes: tuple[str, ...]


def read_cluster(cluster: Connection, *, replaced: str = "") -> LiveCluster:
    """A cluster's GPU nodes, less what runs there.

    Args:
        cluster: Where to ask.
        replaced: Plan whose own pods and claims do not count: it is to be planned anew.

    Raises:
        InvalidInput: The server refuses, with every RBAC rule that is missing.
        Unreachable: It does not answer.
    """
    version = str(cluster.get("/version").get("gitVersion", "unknown"))
    serves_claims = served(cluster, RESOURCE_API)
    refused: list[Problem] = []
    nodes = _allowed(refused, lambda: listed(cluster, f"{CORE}/nodes", node_of))
    pods = _allowed(refused, lambda: listed(cluster, f"{CORE}/pods", pod_of, _LIVING_PODS))
    slices: list[Slice] = []
    claims: list[Claim] = []
    if serves_claims:
        path = f"{RESOURCE_API}/resourceslices"
        slices = _allowed(refused, lambda: listed(cluster, path, slice_of))
        path = f"{RESOURCE_API}/resourceclaims"
        claims = _allowed(refused, lambda: listed(cluster, path, claim_of))
    if refused:
        raise InvalidInput(refused)
    devices, half = complete_devices(slices)
    theirs = [pod for pod in pods if not replaced or pod.plan != replaced]
    observed = Observed(
        nodes=tuple(sorted(nodes, key=lambda node: node.name)),
        devices=_by_node(devices),
        half_pools={pool.node: pool for pool in half if pool.node},
        claims=_claims_of_others(claims, pods, replaced),
        pods=_by_node(theirs),
    )
    described, left_out = describe_nodes(observed)
    notes = (
        *_version_notes(version, serves_claims),
        *_device_notes(devices, half),
        *_pod_notes(theirs),
    )
    return LiveCluster(
        cluster.name, version, serves_claims, tuple(described), tuple(left_out), notes
    )


def lost_nodes_of(cluster: Connection) -> frozenset[str]:
    """Nodes that do not run pods any more: their kubelet is silent or says that it is not ready.

    A node that is only cordoned still runs what it has.

    Raises:
        InvalidInput: The server refuses. Unreachable: It does not answer.
    """
    nodes = listed(cluster, f"{CORE}/nodes", node_of)
    return frozenset(node.name for node in nodes if not node.is_ready)


def _allowed(refused: list[Problem], read: Callable[[], list[Read]]) -> list[Read]:
    """What may be read; a missing permission is noted, so that all of them are told at once."""
    try:
        return read()
    except Refused as error:
        if error.status != FORBIDDEN:
            raise
        refused += error.problems
        return []


Placed = TypeVar("Placed", Device, Pod)


def _by_node(items: Sequence[Placed]) -> Mapping[str, Sequence[Placed]]:
    found: dict[str, list[Placed]] = {}
    for item in items:
        if item.node:
            found.setdefault(item.node, []).append(item)
    return found


def _claims_of_others(
    claims: Sequence[Claim], pods: Sequence[Pod], replaced: str
) -> tuple[Claim, ...]:
    """Claims that a new plan must respect: not those of the plan it replaces, nor of its pods."""
    ours = {pod.uid for pod in pods if replaced and pod.plan == replaced}
    return tuple(
        claim
        for claim in claims
        if not (replaced and claim.plan == replaced)
        and not (claim.pods and ours.issuperset(claim.pods))
    )


def _version_notes(version: str, serves_claims: bool) -> list[str]:
    if serves_claims:
        return []
    return [
        f"Kubernetes {version} serves no resource.k8s.io/v1 (1.34 does): cards come from labels"
    ]


def _device_notes(devices: Sequence[Device], half: Sequence[HalfPool]) -> list[str]:
    homeless = sorted({one.id.pool for one in devices if not one.node})
    homeless += sorted(pool.pool for pool in half if not pool.node)
    return [f"the device pool {pool} names no node; left out" for pool in homeless]


def _pod_notes(pods: Sequence[Pod]) -> list[str]:
    waiting = sum(1 for pod in pods if not pod.node and pod.resources)
    plans = sorted({pod.plan for pod in pods if pod.plan and pod.node})
    notes = [f"{waiting} pods that ask for GPUs wait for a node; not counted"] if waiting else []
    return notes + [
        f"pods of the plan {plan} run here and count as taken; --replace {plan} plans them anew"
        for plan in plans
    ]
