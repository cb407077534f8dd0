"""A real API server takes every rendered object: strict fields, Pod Security restricted."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from packer.cluster.object_kinds import kind_of
from packer.kubernetes_objects.render import render
from tests.cluster.binaries import definitions
from tests.cluster.control_plane import ControlPlane
from tests.cluster.deployed import NAMESPACE
from tests.cluster.furnishing import empty, make_namespace
from tests.sharing_ways import WAYS

Json = dict[str, Any]


@pytest.fixture(scope="module")
def extended(plane: ControlPlane) -> Iterator[ControlPlane]:
    """The cluster with the custom resources we render."""
    files = definitions()
    assert len(files) == 3
    for file in files:
        plane.kubectl("apply", "--server-side", "-f", file)
    kinds = ["podmonitors.monitoring.coreos.com", "prometheusrules.monitoring.coreos.com"]
    kinds.append("httproutes.gateway.networking.k8s.io")
    names = [f"customresourcedefinition/{kind}" for kind in kinds]
    plane.kubectl("wait", "--for=condition=Established", *names, "--timeout=60s")
    make_namespace(plane, NAMESPACE)
    yield plane
    empty(plane)
    for file in files:
        plane.kubectl("delete", "-f", file)


@pytest.mark.parametrize("way", WAYS)
def test_every_object_passes_a_strict_dry_run_in_a_restricted_namespace(
    extended: ControlPlane, way: str
) -> None:
    plan, options = WAYS[way]
    assert options.namespace == NAMESPACE
    files = render(plan, options)
    bodies = [yaml.safe_load(text) for path, text in files.items() if path.endswith(".yaml")]
    cluster = extended.connection()
    mode = {"fieldManager": "gpu-packer", "fieldValidation": "Strict"}
    for body in bodies:
        if body["kind"] in ("Kustomization", "Namespace"):
            continue
        path = f"{kind_of(body).collection(NAMESPACE)}/{body['metadata']['name']}"
        # A pod is refused, in a dry run too, while its account is not really there.
        dry = {} if body["kind"] == "ServiceAccount" else {"dryRun": "All"}
        kind = "application/apply-patch+yaml"
        cluster.send("PATCH", path, query={**mode, **dry}, body=body, content_type=kind)
    pods = [_pod(body) for body in bodies if body["kind"] == "Deployment"]
    assert pods
    for pod in pods:
        query = {"dryRun": "All", "fieldValidation": "Strict"}
        # A Deployment only warns; it is the pod that Pod Security refuses.
        cluster.send("POST", f"/api/v1/namespaces/{NAMESPACE}/pods", query=query, body=pod)


def _pod(deployment: Json) -> Json:
    """The pod of a Deployment, as its controller would make it."""
    template = json.loads(json.dumps(deployment["spec"]["template"]))
    template["metadata"]["name"] = deployment["metadata"]["name"]
    return {"apiVersion": "v1", "kind": "Pod", **template}
