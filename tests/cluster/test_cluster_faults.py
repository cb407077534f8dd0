"""An apply that is disturbed ends in a clear error or completes, and a second one converges."""

import base64
import json
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from packer import api
from packer.errors import GpuPackerError, InvalidInput, Unreachable
from packer.plan.plan import Plan
from tests.cluster.campaign import full_only
from tests.cluster.control_plane import ControlPlane
from tests.cluster.deployed import NAMESPACE, planned, prepare_namespace
from tests.cluster.faulty_server import (
    LOST,
    LOST_ANSWER,
    is_write,
    misbehaving_proxy,
    refusing_webhook,
)
from tests.cluster.fleets import fleet, workload
from tests.cluster.furnishing import furnished
from tests.cluster.hardware import L40S, Machine
from tests.cluster.watching import assert_never_over, watched

MACHINES = [Machine(f"l40s-{n}", L40S, 2, "384Gi", "eu-a") for n in range(3)]
WORKLOADS = (
    workload("chat", "qwen3-14b", replicas=2, least=1),
    workload("embed", "qwen3-4b", least=1),
    workload("small", "qwen3-0.6b"),
)
_TRIES = 30
"""A busy machine reads its states more often, and each read may fail."""


class Pair:
    """Two plans of one fleet that replace each other, in a namespace with objects of others."""

    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        self.plane = plane
        prepare_namespace(plane)
        plane.kubectl("create", "configmap", "theirs", "-n", NAMESPACE, "--from-literal=a=b")
        self._theirs = self._version()
        self.plans = []
        for name, context in (("a", "8Ki"), ("b", "16Ki")):
            place = folder / name
            place.mkdir()
            workloads = [one.replace("8Ki", context) for one in WORKLOADS]
            if name == "b":
                workloads.pop()
            deployed = planned(plane, place, fleet=fleet(place, *workloads), replaced="small")
            self.plans.append(deployed.plan)

    def assert_runs(self, plan: Plan) -> None:
        assert api.diff(plan, kubeconfig=str(self.plane.kubeconfig)).is_empty
        assert self._version() == self._theirs

    def _version(self) -> str:
        item = self.plane.read("configmap", "theirs", "-n", NAMESPACE)
        return str(item["metadata"]["resourceVersion"])


@pytest.fixture
def pair(plane: ControlPlane, tmp_path: Path) -> Iterator[Pair]:
    with furnished(plane, MACHINES, "dra"):
        yield Pair(plane, tmp_path)


def change(plan: Plan, kubeconfig: Path) -> None:
    found = api.diff(plan, kubeconfig=str(kubeconfig))
    order = api.order_of(found, prune=True)
    api.apply(found, order, prune=True, patience_seconds=60)


def converge(plan: Plan, kubeconfig: Path) -> list[GpuPackerError]:
    """Apply until it completes; the errors on the way, all of them ours."""
    errors: list[GpuPackerError] = []
    for _ in range(_TRIES):
        try:
            change(plan, kubeconfig)
        except (InvalidInput, Unreachable) as error:
            errors.append(error)
            time.sleep(1)
        else:
            return errors
    raise AssertionError(f"{_TRIES} tries did not converge: {errors[-1]}")


def administrator_token(plane: ControlPlane) -> str:
    plane.kubectl("create", "serviceaccount", "deployer", "-n", NAMESPACE)
    plane.kubectl(
        "create", "clusterrolebinding", "deployer", "--clusterrole=cluster-admin",
        f"--serviceaccount={NAMESPACE}:deployer",
    )  # fmt: skip
    return plane.kubectl("create", "token", "deployer", "-n", NAMESPACE).strip()


@full_only
def test_an_api_server_that_dies_at_twenty_moments(pair: Pair) -> None:
    chance = random.Random(7)
    plane = pair.plane
    for number in range(20):
        plan = pair.plans[number % 2]
        delay = chance.uniform(0.0, 3.0)

        def die(delay: float = delay) -> None:
            time.sleep(delay)
            plane.kill_api_server()
            time.sleep(0.5)
            plane.start_api_server()

        killer = threading.Thread(target=die)
        killer.start()
        try:
            converge(plan, plane.kubeconfig)
        finally:
            killer.join()
        converge(plan, plane.kubeconfig)
        pair.assert_runs(plan)


@full_only
def test_answers_of_a_busy_or_broken_server_and_lost_connections(pair: Pair) -> None:
    chance = random.Random(3)
    token = administrator_token(pair.plane)

    def fault(method: str, path: str) -> int:
        share = 0.15 if is_write(method) else 0.03
        return chance.choice((409, 429, 500, 503, LOST)) if chance.random() < share else 0

    try:
        with misbehaving_proxy(pair.plane, fault) as address:
            user = {"token": token}
            kubeconfig = pair.plane.kubeconfig_with("through-proxy", user, server=address)
            for plan in pair.plans:
                errors = converge(plan, kubeconfig)
                assert all("injected" in str(one) or "answer" in str(one) for one in errors)
                pair.assert_runs(plan)
    finally:
        pair.plane.kubectl("delete", "clusterrolebinding", "deployer")


@full_only
def test_a_connection_lost_at_every_single_write(pair: Pair) -> None:
    plane = pair.plane
    token = administrator_token(plane)
    chance = random.Random(11)
    converge(pair.plans[0], plane.kubeconfig)
    writes = last = interrupted = 0

    def fault(method: str, path: str) -> int:
        nonlocal writes
        writes += is_write(method) and "dryRun" not in path
        return chance.choice((LOST, LOST_ANSWER)) if writes >= last else 0

    try:
        with (
            misbehaving_proxy(plane, fault) as address,
            watched(plane, NAMESPACE, pair.plans) as record,
        ):
            through = plane.kubeconfig_with("through-proxy", {"token": token}, server=address)
            while interrupted == last:
                writes, last = 0, last + 1
                plan = pair.plans[last % 2]
                try:
                    change(plan, through)
                except Unreachable:
                    interrupted += 1
                converge(plan, plane.kubeconfig)
                pair.assert_runs(plan)
    finally:
        plane.kubectl("delete", "clusterrolebinding", "deployer")
    print(f"interrupted at each of {interrupted} writes, {record.states} states watched")
    assert interrupted > 10
    assert_never_over(record, pair.plans)
    assert (record.fewest["chat"], record.fewest["embed"]) == (1, 1)


def test_a_token_that_ends_in_the_middle_is_said_to_have_ended(pair: Pair) -> None:
    token = administrator_token(pair.plane)
    kubeconfig = pair.plane.bearer("deployer", token)
    writes: list[str] = []

    def fault(method: str, path: str) -> int:
        if is_write(method) and "dryRun" not in path:
            writes.append(path)
        return 401 if len(writes) > 3 else 0

    with misbehaving_proxy(pair.plane, fault) as address:
        kubeconfig = pair.plane.kubeconfig_with("ends", {"token": token}, server=address)
        with pytest.raises(InvalidInput) as caught:
            change(pair.plans[0], kubeconfig)
    pair.plane.kubectl("delete", "clusterrolebinding", "deployer")
    assert caught.value.problems[0].code == "P1022"
    assert token not in str(caught.value)
    converge(pair.plans[0], pair.plane.kubeconfig)
    pair.assert_runs(pair.plans[0])


@full_only
def test_a_token_whose_account_is_gone_has_ended(pair: Pair) -> None:
    plane = pair.plane
    kubeconfig = plane.bearer("deployer", administrator_token(plane))
    plane.kubectl("delete", "serviceaccount", "deployer", "-n", NAMESPACE)
    plane.kubectl("delete", "clusterrolebinding", "deployer")
    deadline = time.monotonic() + 60
    # The server keeps what it knows of a token for a few seconds.
    while (code := code_of_change(pair.plans[0], kubeconfig)) != "P1022":
        assert code == "P1023"
        assert time.monotonic() < deadline
        time.sleep(1)


def code_of_change(plan: Plan, kubeconfig: Path) -> str:
    with pytest.raises(InvalidInput) as caught:
        change(plan, kubeconfig)
    return caught.value.problems[0].code


@full_only
def test_a_namespace_that_is_deleted_in_the_middle_is_told(pair: Pair) -> None:
    plane, plan = pair.plane, pair.plans[0]
    token = administrator_token(plane)
    held = ["patch", "configmap", "theirs", "-n", NAMESPACE, "-p"]
    plane.kubectl(*held, json.dumps({"metadata": {"finalizers": ["example.com/held"]}}))
    writes: list[str] = []

    def fault(method: str, path: str) -> int:
        if is_write(method) and "dryRun" not in path:
            writes.append(path)
            if len(writes) == 3:
                plane.kubectl("delete", "namespace", NAMESPACE, "--wait=false")
        return 0

    with misbehaving_proxy(plane, fault) as address:
        kubeconfig = plane.kubeconfig_with("through-proxy", {"token": token}, server=address)
        with pytest.raises(InvalidInput) as caught:
            change(plan, kubeconfig)
    assert caught.value.problems[0].code == "P1029"
    assert "because it is being terminated" in caught.value.problems[0].why
    with pytest.raises(InvalidInput) as again:
        change(plan, plane.kubeconfig)
    assert again.value.problems[0].code == "P1027"
    plane.kubectl(*held, json.dumps({"metadata": {"finalizers": None}}))
    plane.kubectl("wait", "--for=delete", f"namespace/{NAMESPACE}", "--timeout=120s")
    plane.kubectl("delete", "clusterrolebinding", "deployer")
    prepare_namespace(plane)
    change(plan, plane.kubeconfig)
    assert api.diff(plan, kubeconfig=str(plane.kubeconfig)).is_empty


def test_a_webhook_that_refuses_is_told_before_anything_is_written(pair: Pair) -> None:
    plane = pair.plane
    bundle = base64.b64encode(plane.authority.certificate.read_bytes()).decode()
    with refusing_webhook(plane, "no models on Sundays") as address:
        hook = {
            "name": "no.example.com",
            "clientConfig": {"url": address, "caBundle": bundle},
            "rules": [
                {
                    "apiGroups": ["apps"],
                    "apiVersions": ["v1"],
                    "operations": ["CREATE", "UPDATE"],
                    "resources": ["deployments"],
                }
            ],
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        }
        configuration = {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": "no"},
            "webhooks": [hook],
        }
        plane.kubectl("apply", "-f", "-", text=json.dumps(configuration))
        try:
            # The API server takes a moment to learn of it.
            time.sleep(3)
            with pytest.raises(InvalidInput) as caught:
                change(pair.plans[0], plane.kubeconfig)
        finally:
            plane.kubectl("delete", "validatingwebhookconfiguration", "no")
    assert caught.value.problems[0].code == "P1029"
    assert "no models on Sundays" in caught.value.problems[0].why
    ours = plane.read("all,configmaps", "-n", NAMESPACE, "-l", "app.kubernetes.io/part-of=small")
    assert ours["items"] == []
    time.sleep(3)
    converge(pair.plans[0], plane.kubeconfig)
    pair.assert_runs(pair.plans[0])


@full_only
def test_a_card_that_a_stranger_took_is_told_and_nothing_is_taken_back(pair: Pair) -> None:
    plan = pair.plans[0]
    uuids = {node.name: [card.uuid for card in node.cards] for node in plan.nodes}
    wanted = next(iter(plan.placements))
    expression = (
        f"device.attributes['gpu.nvidia.com'].uuid == '{uuids[wanted.node][wanted.gpus[0]]}'"
    )
    exactly = {
        "deviceClassName": "gpu.nvidia.com",
        "selectors": [{"cel": {"expression": expression}}],
    }
    claim = {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaim",
        "metadata": {"name": "stranger"},
        "spec": {"devices": {"requests": [{"name": "g", "exactly": exactly}]}},
    }
    security = {
        "runAsNonRoot": True,
        "runAsUser": 1,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    container = {"name": "a", "image": "x.example/x", "resources": {"claims": [{"name": "g"}]}}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "stranger"},
        "spec": {
            "resourceClaims": [{"name": "g", "resourceClaimName": "stranger"}],
            "containers": [{**container, "securityContext": security}],
        },
    }
    items = {"apiVersion": "v1", "kind": "List", "items": [claim, pod]}
    plane = pair.plane
    plane.kubectl("apply", "-n", NAMESPACE, "-f", "-", text=json.dumps(items))
    plane.kubectl("wait", "pod/stranger", "-n", NAMESPACE, "--for=condition=Ready", "--timeout=60s")
    found = api.diff(plan, kubeconfig=str(plane.kubeconfig))
    with pytest.raises(InvalidInput) as caught:
        api.check_fits(found)
    assert caught.value.problems[0].code == "P1032"
    assert f"of {wanted.node} gpu{wanted.gpus[0]}" in caught.value.problems[0].why
    with pytest.raises(InvalidInput) as forced:
        api.apply(found, api.order_of(found), patience_seconds=4)
    assert forced.value.problems[0].code == "P1030"
    assert "cannot allocate all claims" in forced.value.problems[0].why
    assert plane.read("pod", "stranger", "-n", NAMESPACE)["status"]["phase"] == "Running"
    plane.kubectl("delete", "pod,resourceclaim", "stranger", "-n", NAMESPACE)
    converge(plan, plane.kubeconfig)
    pair.assert_runs(plan)
