"""Puts simulated machines into a cluster and takes everything out again."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from packer.cluster.connection import Connection
from packer.cluster.versions import served_resources
from tests.cluster.control_plane import ControlPlane
from tests.cluster.hardware import (
    A100,
    Machine,
    device_classes,
    hami_node,
    labelled_node,
    node,
    published_slice,
    sliced_node,
    sliced_slice,
)

Json = dict[str, Any]
_CORE, _APPS, _RESOURCE = "/api/v1", "/apis/apps/v1", "/apis/resource.k8s.io/v1"
_PATHS = {
    "Node": f"{_CORE}/nodes",
    "ResourceSlice": f"{_RESOURCE}/resourceslices",
    "DeviceClass": f"{_RESOURCE}/deviceclasses",
}
_AT_ONCE = 8


@contextmanager
def furnished(
    plane: ControlPlane, machines: Iterable[Machine], sharing: str
) -> Iterator[ControlPlane]:
    """The cluster with machines whose stack serves one way of sharing; empty again afterwards."""
    create_all(plane, furniture(machines, sharing))
    try:
        yield plane
    finally:
        empty(plane)


def furniture(machines: Iterable[Machine], sharing: str) -> list[Json]:
    """Objects of machines.

    Args:
        machines: The machines.
        sharing: ``dra``, ``dra-memory``, ``whole``, ``hami``; A100 cut into slices, the others not,
            with ``mig`` behind the device plugin, with ``mig-claims`` behind the DRA driver.
    """
    if sharing in _BY_NODES:
        return [_BY_NODES[sharing](machine) for machine in machines]
    objects = device_classes()
    for machine in machines:
        if sharing == "mig-claims" and machine.card == A100:
            published = sliced_slice(machine)
        else:
            published = published_slice(machine, shares=sharing == "dra-memory")
        objects += [node(machine), published]
    return objects


def _partly_sliced(machine: Machine) -> Json:
    return sliced_node(machine) if machine.card == A100 else labelled_node(machine)


_BY_NODES: Mapping[str, Callable[[Machine], Json]] = {
    "whole": labelled_node,
    "hami": hami_node,
    "mig": _partly_sliced,
}
"""Ways of sharing that nodes alone tell."""


def create_all(plane: ControlPlane, objects: Iterable[Json]) -> None:
    """Create cluster-wide objects, nodes with their status."""
    cluster = plane.connection()
    with ThreadPoolExecutor(_AT_ONCE) as workers:
        list(workers.map(lambda one: create(cluster, one), objects))
    plane.wait_until(lambda: not _unready(cluster), "nodes without their first taint")


def _unready(cluster: Connection) -> bool:
    """Whether a node has the taint it is born with; a controller takes it off ready nodes."""
    taint = "node.kubernetes.io/not-ready"
    nodes = cluster.get(_PATHS["Node"])["items"]
    return any(one["key"] == taint for node in nodes for one in node["spec"].get("taints") or ())


def create(cluster: Connection, item: Json) -> None:
    """Create one cluster-wide object; a node gets its status in a second request."""
    path = _PATHS[item["kind"]]
    cluster.send("POST", path, body=item)
    if item["kind"] == "Node":
        status = {"status": item["status"]}
        name = item["metadata"]["name"]
        kind = "application/strategic-merge-patch+json"
        cluster.send("PATCH", f"{path}/{name}/status", body=status, content_type=kind)


def replace_slice(plane: ControlPlane, item: Json) -> None:
    """Publish a slice anew under its name."""
    cluster = plane.connection()
    cluster.send("DELETE", f"{_PATHS['ResourceSlice']}/{item['metadata']['name']}")
    create(cluster, item)


def empty(plane: ControlPlane) -> None:
    """Remove every node, slice, class and namespace of tests."""
    query = {"gracePeriodSeconds": "0"}
    for namespace in plane.read("namespaces", "-l", "gpu-packer-test")["items"]:
        _empty_namespace(plane, namespace["metadata"]["name"], query)
    plane.kubectl("delete", "namespaces", "-l", "gpu-packer-test", "--wait", "--timeout=180s")
    cluster = plane.connection()
    for path in _PATHS.values():
        cluster.send("DELETE", path)
    for pod in cluster.get(f"{_CORE}/pods")["items"]:
        meta = pod["metadata"]
        where = f"{_CORE}/namespaces/{meta['namespace']}/pods/{meta['name']}"
        cluster.send("DELETE", where, query=query)


def _empty_namespace(plane: ControlPlane, name: str, at_once: Mapping[str, str]) -> None:
    """Remove what a namespace that is being deleted would wait many seconds for."""
    cluster = plane.connection()
    served = served_resources(cluster, _RESOURCE)
    # Who would start pods again goes first; claims are let go once no pod uses them.
    paths = [f"{_APPS}/namespaces/{name}/{kind}" for kind in ("deployments", "replicasets")]
    slow = [f"{_CORE}/namespaces/{name}/{kind}" for kind in ("pods", "persistentvolumeclaims")]
    if "resourceclaims" in served:
        slow.append(f"{_RESOURCE}/namespaces/{name}/resourceclaims")
    for path in (*paths, *slow):
        cluster.send("DELETE", path, query=at_once)
    plane.wait_until(
        lambda: not any(cluster.get(path)["items"] for path in slow), f"empty namespace {name}"
    )


def make_namespace(plane: ControlPlane, name: str, *, security: str = "restricted") -> None:
    """A namespace that ``empty`` removes, with a Pod Security level; ready for pods."""
    labels = {"gpu-packer-test": "true", "pod-security.kubernetes.io/enforce": security}
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": labels},
    }
    plane.connection().send("POST", f"{_CORE}/namespaces", body=namespace)
    # Without its service account every pod is refused; a controller makes it a moment later.
    plane.kubectl("wait", "--for=create", "serviceaccount/default", "-n", name, "--timeout=120s")
