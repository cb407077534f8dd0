"""4,000 servers: a diff in seconds, and an apply that writes for what changes alone."""

import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from packer import api
from packer.api.manifests import manifest_objects
from packer.cluster.object_kinds import KINDS, kind_of
from packer.plan.plan import CardBudget, Placement, Plan
from tests.cluster.binaries import Binaries
from tests.cluster.campaign import full_only
from tests.cluster.control_plane import ControlPlane
from tests.cluster.deployed import NAMESPACE, Json
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
    found = api.diff(plan, kubeconfig=str(crowded.kubeconfig))
    order = api.order_of(found)
    written = api.apply(found, order, dry_run=True)
    names = {name for _, name in written}
    workload = plan.workloads[0].name
    assert {name for name in names if name.startswith(f"{workload}-")} == {
        f"{workload}-{number}" for number in range(CHANGED)
    }
    assert len(written) <= 4 * CHANGED
    assert {kind for kind, _ in written} <= {name for _, name in KINDS}
