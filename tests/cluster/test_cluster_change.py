"""A node fails and workloads grow: re-planned and applied, with every state on the way recorded."""

from pathlib import Path

import pytest
import yaml

from packer import api
from packer.plan.plan import Plan
from tests.cluster.campaign import full_only
from tests.cluster.control_plane import ControlPlane
from tests.cluster.deployed import FLEET, NAMESPACE, prepare_namespace
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
@pytest.mark.parametrize("sharing", ["dra", "dra-memory"])
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
        assert second.moves is not None
        moved = {f"{one.workload}-{one.replica}" for one in second.moves.moved}
        changed = {one.name: one.fields for one in found.difference.servers}
        assert changed.keys() == moved, changed
        assert_most_stays(first, moved, lost)
        with watched(plane, NAMESPACE, [first, second], frozenset((lost,))) as record:
            change(plane, second)
        assert api.diff(second, kubeconfig=str(plane.kubeconfig)).is_empty

    assert record.states > len(moved)
    assert_never_over(record, (first, second))
    for workload in second.workloads:
        # What sat on the lost node does not answer when the change begins.
        alive = sum(one.workload == workload.name and one.node != lost for one in first.placements)
        assert record.fewest[workload.name] >= min(alive, workload.min_available), workload.name


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
