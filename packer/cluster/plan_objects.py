"""Everything of one plan that is in a namespace, and what of it others own."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from packer.cluster.connection import Connection, Json
from packer.cluster.listing import listed
from packer.cluster.object_kinds import (
    BUILT_IN,
    KINDS,
    POD,
    Key,
    Kind,
    key_of,
    kind_of,
)
from packer.cluster.ownership import MANAGED_BY, MANAGER, PART_OF
from packer.cluster.refusals import FORBIDDEN, NOT_FOUND, Refused
from packer.cluster.requirements import unserved
from packer.cluster.servers import INSTANCE, LEAVING, Server, is_server, leaving_server, server_of
from packer.cluster.versions import server_version
from packer.errors import InvalidInput, Problem


@dataclass(frozen=True)
class LivePlan:
    """Objects of a plan in a namespace.

    Attributes:
        objects: Kind and name → object; Deployments too.
        servers: Name → running server; pods that outlived their Deployment too.
    """

    namespace: str
    objects: Mapping[Key, Json]
    servers: Mapping[str, Server]


def read_plan_objects(
    cluster: Connection,
    plan: str,
    namespace: str,
    rendered: Iterable[Json] = (),
    lost_nodes: frozenset[str] = frozenset(),
) -> LivePlan:
    """What is there of a plan.

    Args:
        cluster: Where to look.
        plan: Name of the plan.
        namespace: Where its objects are.
        rendered: Objects of the new plan; their kinds must be there and may be read.
        lost_nodes: Nodes that do not run pods any more.

    Raises:
        InvalidInput: P1027 the namespace is missing or goes away; P1026, P1033 the cluster does
            not know a rendered kind; or RBAC rules are missing.
        Unreachable: The cluster does not answer.
    """
    _check_namespace(cluster, namespace)
    wanted = set(map(kind_of, rendered))
    query = {"labelSelector": f"{PART_OF}={plan},{MANAGED_BY}={MANAGER}"}
    objects: dict[Key, Json] = {}
    refused: list[Problem] = []
    for kind in KINDS.values():
        try:
            found = listed(cluster, kind.collection(namespace), _kept, query)
        except Refused as error:
            refused += _absent(cluster, kind, error, is_needed=kind in wanted)
            continue
        # Items of a list do not say what they are.
        typed = ({"apiVersion": kind.api, "kind": kind.name, **one} for one in found)
        objects.update((key_of(one), one) for one in typed)
    if refused:
        raise InvalidInput(refused)
    servers = {
        body["metadata"]["name"]: server_of(body, lost_nodes=lost_nodes)
        for body in objects.values()
        if is_server(body)
    }
    leaving = {"labelSelector": f"{query['labelSelector']},{LEAVING}"}
    for pod in listed(cluster, POD.collection(namespace), _kept, leaving):
        # Marked, but still its Deployment's: the change was interrupted before it let go.
        if not _has_deployment(pod, servers):
            server = leaving_server(pod)
            servers[server.name] = server
    return LivePlan(namespace, objects, servers)


def _absent(
    cluster: Connection, kind: Kind, error: Refused, *, is_needed: bool
) -> Sequence[Problem]:
    """Problems of a kind that the cluster does not know, or does not show to us."""
    if error.status == NOT_FOUND:
        return [unserved(server_version(cluster), kind)] if is_needed else []
    if error.status != FORBIDDEN:
        raise error
    return error.problems if is_needed or kind in BUILT_IN else []


def _has_deployment(pod: Json, servers: Mapping[str, Server]) -> bool:
    labels = pod["metadata"]["labels"]
    server = servers.get(labels[LEAVING])
    return server is not None and server.instance == labels.get(INSTANCE)


def find_object(cluster: Connection, kind: Kind, namespace: str, name: str) -> Json | None:
    """One object; None if there is none of that name."""
    try:
        return cluster.get(f"{kind.collection(namespace)}/{name}")
    except Refused as error:
        if error.status == NOT_FOUND:
            return None
        raise


def _kept(item: Json) -> Json | None:
    """An object without what nobody reads; claims that a pod's template made belong to the pod."""
    meta = item["metadata"]
    if any(owner["kind"] == POD.name for owner in meta.get("ownerReferences") or ()):
        return None
    meta.pop("managedFields", None)
    return item


def _check_namespace(cluster: Connection, namespace: str) -> None:
    try:
        found = cluster.get(f"/api/v1/namespaces/{namespace}")
    except Refused as error:
        if error.status != NOT_FOUND:
            raise
        help_ = f"kubectl create namespace {namespace}"
        title = f"there is no namespace {namespace}"
        raise InvalidInput(Problem("P1027", title, help=help_)) from error
    if found.get("status", {}).get("phase") == "Terminating":
        title = f"the namespace {namespace} is being deleted"
        help_ = "wait until it is gone, create it again, then apply"
        raise InvalidInput(Problem("P1027", title, None, "nothing can be created in it", help_))
