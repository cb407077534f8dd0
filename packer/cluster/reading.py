"""One look at a live cluster: nodes, devices, claims and pods, and what could not be told."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from packer.cluster.claims import Claim, claim_of
from packer.cluster.connection import Connection
from packer.cluster.devices import Device, HalfPool, complete_devices, slice_of
from packer.cluster.listing import listed
from packer.cluster.live_cards import LiveNode, Undescribed
from packer.cluster.live_nodes import Observed, describe_nodes
from packer.cluster.nodes import node_of
from packer.cluster.pods import Pod, pod_of
from packer.cluster.refusals import FORBIDDEN, Refused
from packer.cluster.taint_rules import read_taint_rules, with_rules
from packer.cluster.versions import ServerVersion, served_resources, server_version
from packer.domain.node import Sharing
from packer.errors import InvalidInput, Problem

CORE = "/api/v1"
RESOURCE_API = "/apis/resource.k8s.io/v1"
_LIVING_PODS = {"fieldSelector": "status.phase!=Succeeded,status.phase!=Failed"}
Read = TypeVar("Read")


@dataclass(frozen=True)
class LiveCluster:
    """What a cluster offers to a plan.

    Attributes:
        name: Context it was read through.
        nodes: GPU nodes whose cards are known. left_out: Those whose are not.
        notes: What could not be told, for people.
    """

    name: str
    version: ServerVersion
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
    version = server_version(cluster)
    kinds = served_resources(cluster, RESOURCE_API)
    refused: list[Problem] = []
    nodes = _allowed(refused, lambda: listed(cluster, f"{CORE}/nodes", node_of))
    pods = _allowed(refused, lambda: listed(cluster, f"{CORE}/pods", pod_of, _LIVING_PODS))
    published = _published(cluster, kinds, refused) if kinds else _Published()
    if refused:
        raise InvalidInput(refused)
    theirs = [pod for pod in pods if not replaced or pod.plan != replaced]
    observed = Observed(
        nodes=tuple(sorted(nodes, key=lambda node: node.name)),
        devices=_by_node(published.devices),
        half_pools={pool.node: pool for pool in published.half if pool.node},
        claims=_claims_of_others(published.claims, pods, replaced),
        pods=_by_node(theirs),
    )
    described, left_out = describe_nodes(observed)
    notes = (
        *_version_notes(version, bool(kinds)),
        *published.notes,
        *_label_notes(described),
        *_pod_notes(theirs),
    )
    return LiveCluster(cluster.name, version, bool(kinds), tuple(described), tuple(left_out), notes)


@dataclass(frozen=True)
class _Published:
    """What drivers publish of devices and what is claimed of them."""

    devices: Sequence[Device] = ()
    half: Sequence[HalfPool] = ()
    claims: Sequence[Claim] = ()
    notes: Sequence[str] = ()


def _published(cluster: Connection, kinds: frozenset[str], refused: list[Problem]) -> _Published:
    slices = _allowed(refused, lambda: listed(cluster, f"{RESOURCE_API}/resourceslices", slice_of))
    claims = _allowed(refused, lambda: listed(cluster, f"{RESOURCE_API}/resourceclaims", claim_of))
    rules, notes = read_taint_rules(cluster, kinds)
    devices, half = complete_devices(slices)
    return _Published(
        with_rules(devices, rules), half, claims, (*notes, *_device_notes(devices, half))
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


def _version_notes(version: ServerVersion, serves_claims: bool) -> list[str]:
    if serves_claims:
        return []
    return [
        f"Kubernetes {version} serves no resource.k8s.io/v1 (1.34 does): cards come from labels"
    ]


def _device_notes(devices: Sequence[Device], half: Sequence[HalfPool]) -> list[str]:
    homeless = sorted({one.id.pool for one in devices if not one.node})
    homeless += sorted(pool.pool for pool in half if not pool.node)
    return [f"the device pool {pool} names no node; left out" for pool in homeless]


def _label_notes(nodes: Sequence[LiveNode]) -> list[str]:
    by_labels = sum(Sharing.WHOLE in one.offers for one in nodes)
    why = "labels tell one kind of card per node, another kind beside it would not be seen"
    return [f"nodes described by labels alone: {by_labels}; {why}"] if by_labels else []


def _pod_notes(pods: Sequence[Pod]) -> list[str]:
    waiting = sum(1 for pod in pods if not pod.node and pod.resources)
    plans = sorted({pod.plan for pod in pods if pod.plan and pod.node})
    notes = [f"{waiting} pods that ask for GPUs wait for a node; not counted"] if waiting else []
    return notes + [
        f"pods of the plan {plan} run here and count as taken; --replace {plan} plans them anew"
        for plan in plans
    ]
