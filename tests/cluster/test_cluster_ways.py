"""Every way of sharing on 40 nodes: inventory, plan, apply, and the cluster is as planned."""

from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest
import yaml

from packer import api
from packer.cli.main import run
from packer.cluster.pods import pod_of, pod_requests
from packer.kubernetes_objects.sharing_choice import sharing_of
from packer.plan.plan import Plan
from tests.cluster.campaign import full_only
from tests.cluster.control_plane import ControlPlane
from tests.cluster.deployed import (
    FLEET,
    Json,
    planned,
    pods,
    prepare_namespace,
)
from tests.cluster.furnishing import furnished
from tests.cluster.hami_scheduler import hami_scheduler
from tests.cluster.hardware import SLICE_PROFILE, company_machines
from tests.cluster.served import Served

SMALL = ("summarise", "translate", "math", "complete", "classify", "embed", "rerank")
SLICE = f"A100 SXM 80GB {SLICE_PROFILE}"
MIB = 2**20


def fleet_for(stack: str, folder: Path) -> Path:
    """The company fleet: small models on MIG slices where there are any, none split by HAMi."""
    document = yaml.safe_load(FLEET.read_text())
    for one in document["workloads"]:
        if stack.startswith("mig") and one["name"] in SMALL:
            one["gpus"] = {"allow": [SLICE]}
        # HAMi gives a pod the same share of each of its cards, which wastes most of the smaller.
        if stack == "hami" and one["name"] == "reasoning":
            one["gpus"] = {"allow": ["A100 SXM 80GB"]}
    path = folder / "fleet.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path


@full_only
@pytest.mark.parametrize(
    ("stack", "ways"),
    [
        ("whole", {"whole"}),
        ("hami", {"hami"}),
        ("mig", {"mig", "whole"}),
        ("mig-claims", {"mig", "dra"}),
    ],
)
def test_what_was_applied_does_not_differ(
    plane: ControlPlane, tmp_path: Path, stack: str, ways: set[str]
) -> None:
    scheduler: AbstractContextManager[None] = nullcontext()
    if stack == "hami":
        scheduler = hami_scheduler(plane)
    with furnished(plane, company_machines(), stack), scheduler:
        prepare_namespace(plane)
        plan = planned(plane, tmp_path, fleet=fleet_for(stack, tmp_path)).plan
        assert {node.sharing.value for node in plan.nodes if node.is_used} == ways
        saved = tmp_path / "plan.json"
        api.save(plan, saved)
        at = [str(saved), "--kubeconfig", str(plane.kubeconfig)]
        assert run(["diff", *at]) == 1
        assert run(["apply", *at, "--yes"]) == 0
        assert run(["diff", *at]) == 0
        running = pods(plane)
    served = Served(plan)
    for pod in running:
        assert pod["status"]["phase"] == "Running"
        assert {one.node for one in served.placements(pod)} == {pod["spec"]["nodeName"]}
    if stack == "hami":
        assert_shares_as_planned(running, plan)
    else:
        assert_counts_as_planned(running, plan)


def assert_shares_as_planned(running: list[Json], plan: Plan) -> None:
    """HAMi's shares on the planned cards, and their sums within each card."""
    cards = {(node.name, card.index): card for node in plan.nodes for card in node.cards}
    given: Counter[str] = Counter()
    served = Served(plan)
    for item in running:
        pod, (placement,) = pod_of(item), served.placements(item)
        assert pod
        assert set(pod.hami_bytes) == {cards[placement.node, gpu].uuid for gpu in placement.gpus}, (
            pod.name
        )
        for gpu, device in zip(placement.gpus, placement.devices, strict=True):
            share = pod.hami_bytes[cards[placement.node, gpu].uuid]
            assert device.high_bytes <= share < device.high_bytes + MIB
        given.update(pod.hami_bytes)
    used = [card for card in cards.values() if card.used_bytes]
    assert {card.uuid for card in used} == set(given)
    for card in used:
        assert card.used_bytes <= given[card.uuid] <= card.allocatable_bytes


def assert_counts_as_planned(running: list[Json], plan: Plan) -> None:
    """Cards and slices that the device plugin gives out: as many on every node as planned."""
    counted: Counter[str] = Counter()
    for pod in running:
        requests = pod_requests(pod["spec"])
        counted[pod["spec"]["nodeName"]] += sum(
            count for name, count in requests.items() if name.startswith("nvidia.com/")
        )
    for node in plan.nodes:
        if node.is_used and sharing_of(node, None).value == "whole":
            assert counted[node.name] == sum(card.used_bytes > 0 for card in node.cards)
            is_sliced = SLICE_PROFILE in node.product_label
            assert is_sliced == (node.sharing.value == "mig")
