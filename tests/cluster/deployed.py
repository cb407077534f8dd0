"""A fleet on the way into a test cluster: inventory, plan, manifests, pods, and where they are."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packer import api
from packer.plan.plan import Plan
from packer.units import parse_whole
from tests.cluster.control_plane import ControlPlane
from tests.cluster.furnishing import make_namespace
from tests.cluster.served import Served

Json = dict[str, Any]
FLEET = Path("examples/02-company-fleet/fleet.yaml")
NAMESPACE = "llm"


@dataclass(frozen=True)
class Deployment:
    """One plan with its manifests.

    Attributes:
        inventory: Text of the inventory it was made from.
    """

    plan: Plan
    inventory: str
    manifests: Path


def planned(
    plane: ControlPlane, folder: Path, *, fleet: Path = FLEET, replaced: str = "", seed: int = 1
) -> Deployment:
    """Plan a fleet on what the cluster offers, and render it as the inventory says."""
    found = api.live_inventory(kubeconfig=str(plane.kubeconfig), replaced=replaced)
    path = folder / "inventory.yaml"
    path.write_text(found.text)
    plan = api.plan(api.load(fleet, path), time_limit_seconds=120, seed=seed, brief=True)
    manifests = folder / "manifests"
    api.render(plan, manifests, namespace=NAMESPACE)
    return Deployment(plan, found.text, manifests)


def prepare_namespace(plane: ControlPlane) -> None:
    """The namespace of the fleet, as strict as it gets, with the volume its models are on."""
    make_namespace(plane, NAMESPACE)
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": "models"},
        "spec": {
            "capacity": {"storage": "2Ti"},
            "accessModes": ["ReadOnlyMany"],
            "nfs": {"server": "nfs.example", "path": "/models"},
            "persistentVolumeReclaimPolicy": "Retain",
            "claimRef": {"namespace": NAMESPACE, "name": "models"},
        },
    }
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "models", "namespace": NAMESPACE},
        "spec": {
            "accessModes": ["ReadOnlyMany"],
            "volumeName": "models",
            "storageClassName": "",
            "resources": {"requests": {"storage": "2Ti"}},
        },
    }
    listed = {"apiVersion": "v1", "kind": "List", "items": [volume, claim]}
    plane.kubectl("delete", "pv", "models", "--ignore-not-found")
    plane.kubectl("apply", "-f", "-", text=json.dumps(listed))


def apply(plane: ControlPlane, manifests: Path) -> None:
    """Apply as a user would, and wait until every pod is ready."""
    plane.kubectl("apply", "--server-side", "-k", manifests)
    plane.kubectl(
        "wait", "deployments", "--all", "--for=condition=Available", "-n", NAMESPACE,
        "--timeout=240s",
    )  # fmt: skip


def pods(plane: ControlPlane) -> list[Json]:
    """Pods of the fleet that have not been told to go."""
    items = plane.read("pods", "-n", NAMESPACE)["items"]
    return [one for one in items if "deletionTimestamp" not in one["metadata"]]


def assert_pods_where_planned(running: list[Json], plan: Plan) -> None:
    """Every replica is served by one pod, on its node."""
    served: Counter[tuple[str, int]] = Counter()
    replicas = Served(plan)
    for pod in running:
        assert pod["status"]["phase"] == "Running", pod["metadata"]["name"]
        mine = replicas.placements(pod)
        assert {one.node for one in mine} == {pod["spec"]["nodeName"]}, pod["metadata"]["name"]
        served.update((one.workload, one.replica) for one in mine)
    assert served == Counter((one.workload, one.replica) for one in plan.placements)


def uuids_by_device(plane: ControlPlane) -> dict[tuple[str, str], str]:
    """(pool, device) → UUID, read back from the API."""
    return {
        (item["spec"]["pool"]["name"], one["name"]): one["attributes"]["uuid"]["string"]
        for item in plane.read("resourceslices")["items"]
        for one in item["spec"]["devices"]
    }


def memory_by_uuid(plane: ControlPlane) -> dict[str, int]:
    """UUID → published memory, read back from the API [bytes]."""
    return {
        one["attributes"]["uuid"]["string"]: parse_whole(one["capacity"]["memory"]["value"])
        for item in plane.read("resourceslices")["items"]
        for one in item["spec"]["devices"]
    }


def devices_of(pod: Json, claims: dict[str, Json]) -> Iterator[Json]:
    """Allocation results of every claim of a pod."""
    generated = {
        one["name"]: one.get("resourceClaimName")
        for one in pod["status"].get("resourceClaimStatuses") or ()
    }
    for one in pod["spec"].get("resourceClaims") or ():
        name = one.get("resourceClaimName") or generated[one["name"]]
        yield from claims[name]["status"]["allocation"]["devices"]["results"]
