"""A real API server takes every rendered object: strict fields, Pod Security restricted."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

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
    extended: ControlPlane, tmp_path: Path, way: str
) -> None:
    plan, options = WAYS[way]
    assert options.namespace == NAMESPACE
    for path, text in render(plan, options).items():
        target = tmp_path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    mode = ["--server-side", "--dry-run=server", "--validate=strict"]
    said = extended.try_kubectl("apply", *mode, "-k", tmp_path)
    assert said.returncode == 0, said.stderr
    assert "violate PodSecurity" not in said.stderr
    where = f"/api/v1/namespaces/{options.namespace}"
    for account in _of_kind(tmp_path, "ServiceAccount"):
        # A pod is refused, in a dry run too, while its account is not really there.
        extended.kubectl("apply", "--server-side", "-f", "-", text=json.dumps(account))
    pods = [_pod(one) for one in _of_kind(tmp_path, "Deployment")]
    assert pods
    for pod in pods:
        query = {"dryRun": "All", "fieldValidation": "Strict"}
        # A Deployment only warns; it is the pod that Pod Security refuses.
        extended.connection().send("POST", f"{where}/pods", query=query, body=pod)


def _of_kind(folder: Path, kind: str) -> list[Json]:
    bodies = (yaml.safe_load(file.read_text()) for file in sorted(folder.rglob("*.yaml")))
    return [body for body in bodies if body["kind"] == kind]


def _pod(deployment: Json) -> Json:
    """The pod of a Deployment, as its controller would make it."""
    template = json.loads(json.dumps(deployment["spec"]["template"]))
    template["metadata"]["name"] = deployment["metadata"]["name"]
    return {"apiVersion": "v1", "kind": "Pod", **template}
