"""A node fails and workloads grow: re-planned and applied, with every state on the way recorded."""

from pathlib import Path

import pytest
import yaml

from packer import api
from packer.api.manifests import served_placements
from packer.plan.plan import Plan
from tests.cluster.campaign import full_only
from tests.cluster.control_plane import ControlPlane
from tests.cluster.deployed import (
    FLEET,
    NAMESPACE,
    assert_pods_where_planned,
    pods,
    prepare_namespace,
)
from tests.cluster.furnishing import furnished
from tests.cluster.hardware import company_machines
from tests.cluster.watching import assert_never_over, watched

GROWING = {"code": "40Ki", "translate": "16Ki", "classify": "16Ki"}


def fleet(folder: Path, *, grown: bool) -> Path:
    """The company fleet with minimums; a fifth of its workloads asks for more."""
    document = yaml.safe_load(FLEET.read_text())
    for one in document["workloads"]:
        if one.get("replicas", 1) > 1:
            one["minAvailable"] = 1
        if grown and one["name"] in GROWING:
            one["context"] = GROWING[one["name"]]
    path = folder / ("grown.yaml" if grown else "first.yaml")
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path


def plan_on(plane: ControlPlane, folder: Path, file: Path, current: Plan | None) -> Plan:
    found = api.live_inventory(kubeconfig=str(plane.kubeconfig), replaced="company")
    inventory = folder / "inventory.yaml"
    inventory.write_text(found.text)
    inputs = api.load(file, inventory)
    return api.plan(inputs, time_limit_seconds=120, current=current, brief=True)


def change(plane: ControlPlane, plan: Plan) -> int:
    found = api.diff(plan, kubeconfig=str(plane.kubeconfig))
    api.check_fits(found)
    order = api.order_of(found, prune=True)
    assert not order.shortfalls
    return len(api.apply(found, order, prune=True, patience_seconds=180))


def fail(plane: ControlPlane, node: str) -> None:
    """What the node controller writes about a node whose kubelet is gone."""
    ready = {"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown"}
    plane.connection().send(
        "PATCH",
        f"/api/v1/nodes/{node}/status",
        body={"status": {"conditions": [ready]}},
        content_type="application/strategic-merge-patch+json",
    )


@full_only
@pytest.mark.parametrize("sharing", ["dra", "dra-memory", "whole"])
def test_no_card_is_ever_over_and_no_workload_below_its_minimum(
    plane: ControlPlane, tmp_path: Path, sharing: str
) -> None:
    with furnished(plane, company_machines(), sharing):
        prepare_namespace(plane)
        first = plan_on(plane, tmp_path, fleet(tmp_path, grown=False), None)
        change(plane, first)
        assert api.diff(first, kubeconfig=str(plane.kubeconfig)).is_empty
        assert change(plane, first) == 0

        lost = next(one.node for one in first.placements if one.workload == "summarise")
        fail(plane, lost)
        second = plan_on(plane, tmp_path, fleet(tmp_path, grown=True), first)
        assert lost not in {one.node for one in second.placements}
        found = api.diff(second, kubeconfig=str(plane.kubeconfig))
        print(found.text)
        moved = moved_replicas(second)
        changed = {one.name: one.fields for one in found.difference.servers}
        if sharing == "whole":
            assert changed.keys() == changed_routers(first, second), changed
            assert_no_router_in_vain(first, second, moved)
        else:
            assert changed.keys() == moved, changed
        assert_most_stays(first, moved, lost)
        with watched(plane, NAMESPACE, [first, second], frozenset((lost,))) as record:
            change(plane, second)
        left = api.diff(second, kubeconfig=str(plane.kubeconfig))
        assert left.is_empty, left.text
        running = [one for one in pods(plane) if one["spec"]["nodeName"] != lost]
    assert_pods_where_planned(running, second)

    assert record.states > len(moved)
    assert_never_over(record, (first, second))
    for workload in second.workloads:
        # What sat on the lost node does not answer when the change begins.
        alive = sum(one.workload == workload.name and one.node != lost for one in first.placements)
        assert record.fewest[workload.name] >= min(alive, workload.min_available), workload.name


def moved_replicas(plan: Plan) -> set[str]:
    """Replicas that the plan itself says it changes; it starts and stops none."""
    assert plan.moves is not None
    assert not plan.moves.started
    assert not plan.moves.stopped
    return {f"{one.workload}-{one.replica}" for one in plan.moves.moved}


def router_contents(plan: Plan) -> dict[str, set[tuple[object, ...]]]:
    """Router → what it serves, on which cards and how."""
    return {
        name: {(one.workload, one.replica, one.gpus, one.argv) for one in placements}
        for name, placements in served_placements(plan).items()
    }


def changed_routers(first: Plan, second: Plan) -> set[str]:
    """Routers that two plans do not have in common."""
    before, after = router_contents(first), router_contents(second)
    return {name for name in {**before, **after} if before.get(name) != after.get(name)}


def assert_no_router_in_vain(first: Plan, second: Plan, moved: set[str]) -> None:
    """Every router that changes had, or gets, a replica that the plan says it moves."""
    before, after = served_placements(first), served_placements(second)
    for name in changed_routers(first, second):
        served = (*before.get(name, ()), *after.get(name, ()))
        assert {f"{one.workload}-{one.replica}" for one in served} & moved, name


def assert_most_stays(first: Plan, moved: set[str], lost: str) -> None:
    """Of the bytes that nothing forces to another place, most are not read anew."""
    weights = {
        f"{one.workload}-{one.replica}": sum(device.weights_bytes for device in one.devices)
        for one in first.placements
        if one.node != lost and one.workload not in GROWING
    }
    kept = sum(size for name, size in weights.items() if name not in moved)
    print(f"{kept / 2**30:.0f} of {sum(weights.values()) / 2**30:.0f} GiB that may stay do")
    assert kept > sum(weights.values()) / 2
