"""The real scheduler and the real allocator put every pod and every claim where the plan says."""

from collections import Counter
from pathlib import Path

import pytest

from packer.cluster.pods import pod_requests
from packer.plan.plan import Plan
from tests.cluster.campaign import full_only
from tests.cluster.control_plane import ControlPlane
from tests.cluster.deployed import (
    NAMESPACE,
    Json,
    apply,
    assert_pods_where_planned,
    devices_of,
    memory_by_uuid,
    planned,
    pods,
    prepare_namespace,
    uuids_by_device,
)
from tests.cluster.furnishing import furnished
from tests.cluster.hardware import company_machines
from tests.cluster.served import Served


@full_only
@pytest.mark.parametrize(
    ("sharing", "seed"),
    [("dra", 1), ("dra", 2), ("dra-memory", 1), ("whole", 1), ("whole", 3), ("whole", 4)],
)
def test_the_cluster_places_every_pod_and_card_as_planned(
    plane: ControlPlane, tmp_path: Path, sharing: str, seed: int
) -> None:
    """Other seeds give other plans with as many cards."""
    with furnished(plane, company_machines(), sharing):
        prepare_namespace(plane)
        deployed = planned(plane, tmp_path, seed=seed)
        assert {node.sharing.value for node in deployed.plan.nodes} == {sharing}
        apply(plane, deployed.manifests)
        running = pods(plane)
        assert_pods_where_planned(running, deployed.plan)
        if sharing == "whole":
            assert_card_counts(running, deployed.plan)
        else:
            assert_cards_as_planned(plane, running, deployed.plan)


def assert_card_counts(running: list[Json], plan: Plan) -> None:
    """Cards of every pod, and of every node: as many as planned."""
    by_node: Counter[str] = Counter()
    served = Served(plan)
    for pod in running:
        cards = pod_requests(pod["spec"])["nvidia.com/gpu"]
        assert cards == len({gpu for one in served.placements(pod) for gpu in one.gpus})
        by_node[pod["spec"]["nodeName"]] += cards
    planned_cards = {
        node.name: sum(card.used_bytes > 0 for card in node.cards)
        for node in plan.nodes
        if node.is_used
    }
    assert by_node == planned_cards


def assert_cards_as_planned(plane: ControlPlane, running: list[Json], plan: Plan) -> None:
    """Claims on the planned cards, and planned bytes within what each card has."""
    claims = {
        one["metadata"]["name"]: one
        for one in plane.read("resourceclaims", "-n", NAMESPACE)["items"]
    }
    uuids = uuids_by_device(plane)
    budgets = {card.uuid: card for node in plan.nodes for card in node.cards}
    cards_of_node = {node.name: {c.index: c.uuid for c in node.cards} for node in plan.nodes}
    planned_on: Counter[str] = Counter()
    served = Served(plan)
    for pod in running:
        given = {uuids[one["pool"], one["device"]] for one in devices_of(pod, claims)}
        for one in served.placements(pod):
            wanted = [cards_of_node[one.node][gpu] for gpu in one.gpus]
            assert set(wanted) <= given, pod["metadata"]["name"]
            for uuid, device in zip(wanted, one.devices, strict=True):
                planned_on[uuid] += device.high_bytes
    assert planned_on
    published = memory_by_uuid(plane)
    for uuid, total in planned_on.items():
        assert total <= budgets[uuid].allocatable_bytes <= published[uuid]
        assert total == budgets[uuid].used_bytes
        assert total <= budgets[uuid].allocatable_bytes - budgets[uuid].headroom_bytes
