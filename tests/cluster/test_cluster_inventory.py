"""`gpu-packer inventory` against a real API server: what is free, what is refused, how long."""

import json
import resource
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from packer import api
from packer.cli.main import run
from packer.domain.node import NodePool, Sharing
from packer.errors import InvalidInput
from tests.cluster.binaries import Binaries
from tests.cluster.campaign import full_only
from tests.cluster.control_plane import ControlPlane
from tests.cluster.furnishing import create_all, empty, furnished, make_namespace
from tests.cluster.hardware import (
    A100,
    L40S,
    RTX_4090,
    Machine,
    device,
    device_classes,
    hami_node,
    labelled_node,
    node,
    published_slice,
    resource_slice,
)

Json = dict[str, Any]
SLICED = [Machine(f"l40s-{n}", L40S, 4, "384Gi", "eu-a") for n in range(2)]
LABELLED = Machine("a100-0", A100, 8, "960Gi", "eu-b")
REGISTERED = Machine("rtx-0", RTX_4090, 2, "128Gi")
OTHERS = "others"


def read_pools(plane: ControlPlane) -> dict[str, NodePool]:
    found = api.live_inventory(kubeconfig=str(plane.kubeconfig))
    return {pool.name: pool for pool in found.inventory.pools}


def taker(name: str, node_name: str, limits: dict[str, str], claim: str = "") -> Json:
    """A pod of somebody else, bound to a node."""
    claims = {"resourceClaims": [{"name": "g", "resourceClaimName": claim}]} if claim else {}
    uses = {"claims": [{"name": "g"}]} if claim else {}
    selector = {"nodeSelector": {"kubernetes.io/hostname": node_name}}
    where = selector if claim else {"nodeName": node_name}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": OTHERS},
        "spec": {
            **where,
            **claims,
            "containers": [
                {"name": "a", "image": "job.example/job", "resources": {"limits": limits, **uses}}
            ],
        },
    }


def whole_card_claim(name: str, uuid: str) -> Json:
    expression = f"device.attributes['gpu.nvidia.com'].uuid == '{uuid}'"
    exactly = {
        "deviceClassName": "gpu.nvidia.com",
        "selectors": [{"cel": {"expression": expression}}],
    }
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaim",
        "metadata": {"name": name, "namespace": OTHERS},
        "spec": {"devices": {"requests": [{"name": "gpu", "exactly": exactly}]}},
    }


def test_an_inventory_tells_cards_and_what_others_hold(plane: ControlPlane, tmp_path: Path) -> None:
    with furnished(plane, SLICED, "dra"):
        create_all(plane, [labelled_node(LABELLED), hami_node(REGISTERED)])
        make_namespace(plane, OTHERS, security="privileged")
        objects = [
            whole_card_claim("mine", SLICED[0].uuid(2)),
            taker("with-claim", SLICED[0].name, {"memory": "84Gi"}, claim="mine"),
            taker("counted", LABELLED.name, {"nvidia.com/gpu": "3", "memory": "10Gi"}),
        ]
        plane.kubectl("apply", "-f", "-", text=json.dumps(listed(objects)))
        plane.kubectl(
            "wait", "pods", "--all", "-n", OTHERS, "--for=condition=Ready", "--timeout=60s"
        )
        plane.kubectl("cordon", SLICED[1].name)
        pools = read_pools(plane)
        out = tmp_path / "inventory.yaml"
        assert run(["inventory", "--kubeconfig", str(plane.kubeconfig), "--out", str(out)]) == 0

    l40s = pools["l40s-x4"]
    assert l40s.sharing is Sharing.DRA
    assert l40s.node_names == tuple(machine.name for machine in SLICED)
    assert l40s.gpu_uuids[SLICED[0].name][2] == SLICED[0].uuid(2)
    assert l40s.taken == {SLICED[0].name: {2: l40s.gpu.allocatable_bytes}}
    assert l40s.host_free_bytes(0) == 300 * 2**30
    assert l40s.unavailable == (SLICED[1].name,)
    a100 = pools["a100-sxm-80gb-x8"]
    assert a100.sharing is Sharing.WHOLE
    assert sorted(a100.taken[LABELLED.name]) == [5, 6, 7]
    assert pools["rtx-4090-x2"].sharing is Sharing.HAMI
    text = out.read_text()
    assert f"# {SLICED[1].name}: may not be used: cordoned" in text
    assert "pods hold 3 of its cards" in text
    assert "nodes described by labels alone: 1; labels tell one kind of card per node" in text
    assert "A cluster does not tell prices" in text


def listed(items: list[Json]) -> Json:
    return {"apiVersion": "v1", "kind": "List", "items": items}


def test_what_cannot_be_told_is_a_comment_and_never_a_card(plane: ControlPlane) -> None:
    half = Machine("half-0", L40S, 4, "384Gi")
    mixed = Machine("mixed-0", L40S, 2, "384Gi")
    silent = Machine("silent-0", A100, 8, "960Gi")
    strange = labelled_node(Machine("strange-0", L40S, 4, "384Gi"))
    strange["metadata"]["labels"]["nvidia.com/gpu.memory"] = "24564"
    other = device(Machine("mixed-0", RTX_4090, 1, "1Gi"), 2)
    objects = [
        *device_classes(),
        node(half),
        resource_slice(half, [device(half, 0)], generation=3, count=2),
        node(mixed),
        resource_slice(mixed, [device(mixed, 0), device(mixed, 1), other]),
        node(silent, gpus=8),
        strange,
    ]
    create_all(plane, objects)
    try:
        found = api.live_inventory(kubeconfig=str(plane.kubeconfig))
    finally:
        empty(plane)
    (pool,) = found.inventory.pools
    assert (pool.node_names, pool.gpus_per_node) == (("mixed-0",), 2)
    notes = " | ".join(found.text.splitlines())
    assert "half-0 is left out: its driver has published 1 of 2 ResourceSlices" in notes
    assert "mixed-0: left out: 1 × NVIDIA GeForce RTX 4090" in notes
    assert "silent-0 is left out: it offers 8 nvidia.com/gpu, but has no label" in notes
    assert "strange-0: left out: NVIDIA-L40S is said to have 24564 MiB" in notes


def test_a_cluster_without_gpus_is_said_to_have_none(plane: ControlPlane) -> None:
    with pytest.raises(InvalidInput) as caught:
        api.live_inventory(kubeconfig=str(plane.kubeconfig))
    assert caught.value.problems[0].code == "P1025"


def test_missing_permissions_are_named_as_the_rules_to_add(plane: ControlPlane) -> None:
    make_namespace(plane, OTHERS)
    try:
        plane.kubectl("create", "serviceaccount", "reader", "-n", OTHERS)
        plane.kubectl("create", "clusterrole", "some", "--verb=list", "--resource=nodes")
        account = f"--serviceaccount={OTHERS}:reader"
        plane.kubectl("create", "clusterrolebinding", "some", "--clusterrole=some", account)
        token = plane.kubectl("create", "token", "reader", "-n", OTHERS).strip()
        path = plane.bearer("reader", token)
        with pytest.raises(InvalidInput) as caught:
            api.live_inventory(kubeconfig=str(path))
    finally:
        plane.kubectl("delete", "clusterrole,clusterrolebinding", "some")
        empty(plane)
    problems = caught.value.problems
    assert {problem.code for problem in problems} == {"P1023"}
    helps = " ".join(problem.help for problem in problems)
    assert "{apiGroups: [''], resources: [pods], verbs: [list]}" in helps
    group = "apiGroups: ['resource.k8s.io']"
    assert f"{{{group}, resources: [resourceslices], verbs: [list]}}" in helps
    assert f"{{{group}, resources: [resourceclaims], verbs: [list]}}" in helps
    assert "nodes" not in helps
    assert token not in str(caught.value)


def test_refused_credentials_are_said_to_be_just_that(plane: ControlPlane) -> None:
    path = plane.bearer("nobody", "no-such-token")
    with pytest.raises(InvalidInput) as caught:
        api.live_inventory(kubeconfig=str(path))
    assert caught.value.problems[0].code == "P1022"


@full_only
def test_a_cluster_without_claims_is_too_old_for_them_but_labels_are_read(
    binaries: Binaries,
) -> None:
    old = ControlPlane(binaries, api_server_flags=("--runtime-config=resource.k8s.io/v1=false",))
    try:
        create_all(old, [labelled_node(LABELLED)])
        kubeconfig = str(old.kubeconfig)
        found = api.live_inventory(kubeconfig=kubeconfig)
        with pytest.raises(InvalidInput) as caught:
            api.live_inventory(kubeconfig=kubeconfig, sharing=Sharing.DRA)
    finally:
        old.stop()
    assert found.inventory.pools[0].sharing is Sharing.WHOLE
    assert "serves no resource.k8s.io/v1" in found.text
    assert caught.value.problems[0].code == "P1026"


@full_only
def test_a_thousand_nodes_and_four_thousand_pods_are_read_in_ten_seconds(
    binaries: Binaries, tmp_path: Path
) -> None:
    machines = [Machine(f"n{n:04}", L40S, 4, "384Gi", f"z{n % 3}") for n in range(1000)]
    objects: list[Json] = device_classes()
    for machine in machines[:500]:
        objects += [node(machine), published_slice(machine)]
    objects += [labelled_node(machine) for machine in machines[500:]]
    out = tmp_path / "inventory.yaml"
    # A cluster of its own: it is quicker to throw away than to empty.
    crowded = ControlPlane(binaries)
    try:
        create_all(crowded, objects)
        make_namespace(crowded, OTHERS, security="privileged")
        _crowd(crowded, machines, 4000)
        command = [sys.executable, "-m", "packer", "inventory", "--out", str(out)]
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        subprocess.run([*command, "--kubeconfig", str(crowded.kubeconfig)], check=True)
        after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - started
    finally:
        crowded.stop()
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    mib = after.ru_maxrss / 1024
    print(f"inventory: {wall:.1f} s, {seconds:.1f} s of processor time, {mib:.0f} MiB at most")
    # Processor time, so that a busy machine does not fail it; the server's own is not in it.
    assert seconds <= 10
    assert mib <= 1024
    assert out.read_text().count("gpu3:") == 500


def _crowd(plane: ControlPlane, machines: list[Machine], count: int) -> None:
    cluster = plane.connection()

    def create(number: int) -> None:
        machine = machines[number % len(machines)]
        limits = {"memory": "1Gi"}
        if number < len(machines) and number >= 500:
            limits["nvidia.com/gpu"] = "1"
        body = taker(f"p{number}", machine.name, limits)
        cluster.send("POST", f"/api/v1/namespaces/{OTHERS}/pods", body=body)

    with ThreadPoolExecutor(8) as workers:
        list(workers.map(create, range(count)))
