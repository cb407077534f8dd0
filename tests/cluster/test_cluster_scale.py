"""4,000 servers: a diff in seconds, and an apply that writes for what changes alone."""

import resource
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from packer import api
from packer.api.manifests import manifest_objects
from packer.cluster.object_kinds import DEPLOYMENT, kind_of
from packer.cluster.plan_objects import find_object
from packer.plan.plan import CardBudget, Placement, Plan
from tests.cluster.binaries import Binaries
from tests.cluster.campaign import full_only
from tests.cluster.control_plane import ControlPlane
from tests.cluster.deployed import NAMESPACE, Json
from tests.cluster.faulty_server import is_write, misbehaving_proxy
from tests.rendered_plans import live
from tests.sample_plans import company_plan

REPLICAS = 4000
CHANGED = 50
_AT_ONCE = 8


def large_plan(changed: int = 0) -> Plan:
    """One replica on each card of 1,000 nodes; the first few with another command line."""
    small = live(company_plan())
    one = next(placed for placed in small.placements if len(placed.gpus) == 1)
    node = next(node for node in small.nodes if node.name == one.node)
    (summary,) = (each for each in small.workloads if each.name == one.workload)
    placements: list[Placement] = []
    nodes = []
    for number in range(REPLICAS // 4):
        name = f"node-{number:04}"
        cards = tuple(_card(node.cards[0], one, number, index) for index in range(4))
        nodes.append(replace(node, name=name, cards=cards, is_used=True))
        for gpu in range(4):
            replica = number * 4 + gpu
            argv = (*one.argv, "--verbose") if replica < changed else one.argv
            placements.append(replace(one, replica=replica, node=name, gpus=(gpu,), argv=argv))
    workload = replace(summary, replicas=REPLICAS, min_available=REPLICAS - 200)
    return replace(
        small, nodes=tuple(nodes), placements=tuple(placements), workloads=(workload,), moves=None
    )


def _card(card: CardBudget, placement: Placement, node: int, index: int) -> CardBudget:
    uuid = f"GPU-00000000-0000-4000-8000-{node:08x}{index:04x}"
    (device,) = placement.devices
    return replace(
        card,
        index=index,
        uuid=uuid,
        used_bytes=device.high_bytes,
        expected_bytes=device.total_bytes,
        allocatable_bytes=max(card.allocatable_bytes, 2 * device.high_bytes),
    )


@pytest.fixture(scope="module")
def crowded(binaries: Binaries) -> Iterator[ControlPlane]:
    """An API server with every object of the plan, said to be ready; nothing else runs."""
    plane = ControlPlane(binaries, only_api_server=True)
    plane.kubectl("create", "namespace", NAMESPACE)
    cluster = plane.connection()

    def create(body: Json) -> None:
        kind = kind_of(body)
        path = kind.collection(NAMESPACE)
        name, owner = body["metadata"]["name"], {"fieldManager": "gpu-packer"}
        apply = "application/apply-patch+yaml"
        cluster.send("PATCH", f"{path}/{name}", query=owner, body=body, content_type=apply)
        if kind.name == "Deployment":
            status = {"status": {"replicas": 1, "readyReplicas": 1, "updatedReplicas": 1}}
            cluster.send(
                "PATCH",
                f"{path}/{body['metadata']['name']}/status",
                body=status,
                content_type="application/merge-patch+json",
            )

    with ThreadPoolExecutor(_AT_ONCE) as workers:
        list(workers.map(create, manifest_objects(large_plan(), namespace=NAMESPACE)))
    yield plane
    plane.stop()


@full_only
def test_a_diff_of_four_thousand_servers_takes_seconds(
    crowded: ControlPlane, tmp_path: Path
) -> None:
    saved = tmp_path / "plan.json"
    api.save(large_plan(), saved)
    command = [sys.executable, "-m", "packer", "diff", str(saved)]
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run([*command, "--kubeconfig", str(crowded.kubeconfig)], check=True)
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - started
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"diff: {wall:.1f} s, {seconds:.1f} s of processor time")
    assert seconds <= 10


@full_only
def test_only_what_changes_is_written(crowded: ControlPlane) -> None:
    plan = large_plan(CHANGED)
    workload = plan.workloads[0].name
    changed = {f"{workload}-{number}" for number in range(CHANGED)}
    crowded.kubectl("create", "serviceaccount", "deployer", "-n", NAMESPACE)
    role = ("clusterrolebinding", "deployer", "--clusterrole=cluster-admin")
    crowded.kubectl("create", *role, f"--serviceaccount={NAMESPACE}:deployer")
    token = crowded.kubectl("create", "token", "deployer", "-n", NAMESPACE).strip()
    writes: Counter[tuple[str, str]] = Counter()

    def seen(method: str, path: str) -> int:
        if is_write(method) and "dryRun" not in path:
            kind, name = path.partition("?")[0].split("/")[-2:]
            writes[kind, name] += 1
        return 0

    # Orphans are let go by the garbage collector; all else that a cluster does is said to be done.
    crowded.start_controller("garbage-collector-controller")
    with misbehaving_proxy(crowded, seen) as address, made_ready(crowded, changed):
        kubeconfig = crowded.kubeconfig_with("counted", {"token": token}, server=address)
        found = api.diff(plan, kubeconfig=str(kubeconfig))
        assert {one.name for one in found.difference.servers} == changed
        order = api.order_of(found)
        api.apply(found, order, patience_seconds=120)
        assert api.diff(plan, kubeconfig=str(kubeconfig)).is_empty
    crowded.end("garbage-collector-controller")
    # Each Deployment is let go of and made anew, and nothing else is touched.
    assert set(writes) == {("deployments", name) for name in changed}
    assert writes.total() == 2 * CHANGED


@contextmanager
def made_ready(plane: ControlPlane, names: Iterable[str]) -> Iterator[None]:
    """Say of Deployments that they are ready, soon after they are made."""
    done = threading.Event()
    thread = threading.Thread(target=_make_ready, args=(plane, sorted(names), done))
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _make_ready(plane: ControlPlane, names: Sequence[str], done: threading.Event) -> None:
    cluster = plane.connection()
    while not done.wait(0.2):
        for name in names:
            found = find_object(cluster, DEPLOYMENT, NAMESPACE, name)
            if found and "readyReplicas" not in found["status"]:
                generation = found["metadata"]["generation"]
                status = {"replicas": 1, "readyReplicas": 1, "updatedReplicas": 1}
                cluster.send(
                    "PATCH",
                    f"{DEPLOYMENT.collection(NAMESPACE)}/{name}/status",
                    body={"status": {**status, "observedGeneration": generation}},
                    content_type="application/merge-patch+json",
                )
