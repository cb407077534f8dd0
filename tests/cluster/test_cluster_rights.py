"""The rendered rights are enough for every command, and less is told rule by rule."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from packer import api
from packer.errors import InvalidInput
from packer.kubernetes_objects.rbac import rbac
from packer.plan.plan import Plan
from tests.cluster.control_plane import ControlPlane
from tests.cluster.deployed import NAMESPACE, planned, prepare_namespace
from tests.cluster.fleets import fleet, workload
from tests.cluster.furnishing import furnished
from tests.cluster.hardware import L40S, Machine

MACHINES = [Machine(f"l40s-{n}", L40S, 2, "384Gi", "eu-a") for n in range(2)]
ACCOUNT = f"{NAMESPACE}:deployer"
READ_LOGS = ("get", "pods", "--subresource=log", "-n", NAMESPACE)
PATCH = ("patch", "deployments.apps", "-n", NAMESPACE)
CLUSTER_ROLES = ("gpu-packer-inventory", "gpu-packer-namespaces")


@pytest.fixture
def restricted(plane: ControlPlane) -> Iterator[Path]:
    """Kubeconfig of a service account with the rendered rights and no others."""
    with furnished(plane, MACHINES, "dra"):
        prepare_namespace(plane)
        for name, text in rbac().items():
            if name != "kustomization.yaml":
                plane.kubectl("apply", "--server-side", "-f", "-", text=text)
        plane.kubectl("create", "serviceaccount", "deployer", "-n", NAMESPACE)
        account = f"--serviceaccount={ACCOUNT}"
        for role in CLUSTER_ROLES:
            plane.kubectl("create", "clusterrolebinding", role, f"--clusterrole={role}", account)
        for name in ("apply", "verify"):
            bind = ["create", "rolebinding", name, f"--role=gpu-packer-{name}", account]
            plane.kubectl(*bind, "-n", NAMESPACE)
        token = plane.kubectl("create", "token", "deployer", "-n", NAMESPACE).strip()
        kubeconfig = plane.bearer("deployer", token)
        for asked in (READ_LOGS, PATCH, ("list", "nodes")):
            wait_for_right(plane, kubeconfig, asked, "yes")
        yield kubeconfig
        plane.kubectl("delete", "clusterrole,clusterrolebinding", *CLUSTER_ROLES)


def wait_for_right(
    plane: ControlPlane, kubeconfig: Path, asked: tuple[str, ...], answer: str
) -> None:
    """Wait until the API server has noticed a changed role, which a busy one does late."""
    deadline = time.monotonic() + 60
    while (
        plane.try_kubectl("auth", "can-i", *asked, kubeconfig=kubeconfig).stdout.strip() != answer
    ):
        assert time.monotonic() < deadline, f"{asked}: never {answer}"
        time.sleep(0.2)


def change(plan: Plan, kubeconfig: Path) -> None:
    found = api.diff(plan, kubeconfig=str(kubeconfig))
    api.check_fits(found)
    api.apply(found, api.order_of(found, prune=True), prune=True, patience_seconds=60)


def test_the_rendered_rights_are_enough(
    plane: ControlPlane, restricted: Path, tmp_path: Path
) -> None:
    first = fleet(tmp_path, workload("embed", "qwen3-4b"), workload("small", "qwen3-0.6b"))
    plan = planned(plane, tmp_path, fleet=first).plan
    found = api.live_inventory(kubeconfig=str(restricted))
    assert found.inventory.gpu_count == 4
    change(plan, restricted)
    bigger = fleet(tmp_path, workload("embed", "qwen3-4b", context="16Ki"))
    second = planned(plane, tmp_path, fleet=bigger, replaced="small").plan
    change(second, restricted)
    assert api.diff(second, kubeconfig=str(restricted)).is_empty
    running = api.running_fleet("small", kubeconfig=str(restricted))
    assert [one.name for one in running.placements] == ["embed-0"]
    verified = api.verify_fleet(second, kubeconfig=str(restricted))
    assert verified.is_as_planned
    # Nobody answers behind a fake kubelet's pods, but nobody is forbidden to ask either.
    assert "4 could not be judged" in verified.text


def test_verifying_needs_no_right_to_change_anything(
    plane: ControlPlane, restricted: Path, tmp_path: Path
) -> None:
    plan = planned(plane, tmp_path, fleet=fleet(tmp_path, workload("embed", "qwen3-4b"))).plan
    change(plan, restricted)
    plane.kubectl("delete", "rolebinding", "apply", "-n", NAMESPACE)
    wait_for_right(plane, restricted, PATCH, "no")
    assert api.verify_fleet(plan, kubeconfig=str(restricted)).is_as_planned
    plane.kubectl("delete", "rolebinding", "verify", "-n", NAMESPACE)
    wait_for_right(plane, restricted, READ_LOGS, "no")
    with pytest.raises(InvalidInput, match="not allowed to get pods/log"):
        api.verify_fleet(plan, kubeconfig=str(restricted))


def test_a_missing_right_to_write_is_named(
    plane: ControlPlane, restricted: Path, tmp_path: Path
) -> None:
    role = yaml.safe_load(rbac()["apply.yaml"])
    for rule in role["rules"]:
        if rule["apiGroups"] == ["apps"] and "patch" in rule["verbs"]:
            rule["verbs"].remove("patch")
    plane.kubectl("replace", "-f", "-", text=yaml.safe_dump(role))
    wait_for_right(plane, restricted, PATCH, "no")
    plan = planned(plane, tmp_path, fleet=fleet(tmp_path, workload("embed", "qwen3-4b"))).plan
    with pytest.raises(InvalidInput) as caught:
        change(plan, restricted)
    (problem,) = caught.value.problems
    assert problem.code == "P1023"
    assert problem.title == f"not allowed to patch deployments.apps in namespace {NAMESPACE}"
    assert "{apiGroups: ['apps'], resources: [deployments], verbs: [patch]}" in problem.help
