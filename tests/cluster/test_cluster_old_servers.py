"""Older servers: what they lack is named by version, what they have is read.

The server of these tests is told to emulate 1.34 to 1.36 with their defaults. 1.33 it cannot: there
its version alone is made up, by a proxy, and the API of claims is off.
"""

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import yaml

from packer import api
from packer.domain.node import Sharing
from packer.errors import InvalidInput, Problem
from packer.kubernetes_objects.rbac import rbac
from tests.cluster.binaries import Binaries
from tests.cluster.campaign import full_only
from tests.cluster.control_plane import ControlPlane
from tests.cluster.deployed import NAMESPACE, planned, prepare_namespace
from tests.cluster.faulty_server import misbehaving_proxy
from tests.cluster.fleets import fleet, workload
from tests.cluster.furnishing import create_all, furniture
from tests.cluster.hardware import L40S, Machine, labelled_node

MACHINES = [Machine(f"l40s-{n}", L40S, 2, "384Gi", "eu-a") for n in range(2)]
Start = Callable[..., ControlPlane]


@pytest.fixture
def start(binaries: Binaries) -> Iterator[Start]:
    """Starts servers with further flags; all are ended."""
    planes: list[ControlPlane] = []

    def started(*flags: str, emulated: str = "") -> ControlPlane:
        planes.append(ControlPlane(binaries, api_server_flags=flags, emulated=emulated))
        return planes[-1]

    yield started
    for plane in planes:
        plane.stop()


def refusal(act: Callable[[], object]) -> Problem:
    with pytest.raises(InvalidInput) as caught:
        act()
    assert len({problem.code for problem in caught.value.problems}) == 1
    return caught.value.problems[0]


@full_only
@pytest.mark.parametrize("release", ["1.34", "1.35"])
def test_parts_of_a_card_cannot_be_claimed_before_1_36(
    start: Start, tmp_path: Path, release: str
) -> None:
    old = start(emulated=release)
    at = str(old.kubeconfig)
    create_all(old, furniture(MACHINES, "dra-memory"))
    # The server drops what such drivers publish of shares, so cards are whole there.
    found = api.live_inventory(kubeconfig=at)
    assert [pool.sharing for pool in found.inventory.pools] == [Sharing.DRA]
    problem = refusal(lambda: api.live_inventory(kubeconfig=at, sharing=Sharing.DRA_MEMORY))
    assert problem.code == "P1026"
    assert problem.title.startswith(f"Kubernetes v{release} (emulated by v1.37.1) is too old")
    prepare_namespace(old)
    plan = planned(old, tmp_path, fleet=fleet(tmp_path, workload("embed", "qwen3-4b"))).plan
    memory = api.diff(plan, kubeconfig=at, sharing=Sharing.DRA_MEMORY)
    problem = refusal(lambda: api.check_fits(memory))
    assert (problem.code, "sharing: dra-memory" in problem.title) == ("P1026", True)
    assert "1.36 or newer" in problem.help
    whole_cards = api.diff(plan, kubeconfig=at)
    api.check_fits(whole_cards)
    api.apply(whole_cards, api.order_of(whole_cards), patience_seconds=120)
    assert api.diff(plan, kubeconfig=at).is_empty


@full_only
def test_parts_of_a_card_may_be_claimed_early_where_the_gate_is_open(start: Start) -> None:
    early = start("--feature-gates=DRAConsumableCapacity=true", emulated="1.35")
    create_all(early, furniture(MACHINES, "dra-memory"))
    found = api.live_inventory(kubeconfig=str(early.kubeconfig), sharing=Sharing.DRA_MEMORY)
    assert [pool.sharing for pool in found.inventory.pools] == [Sharing.DRA_MEMORY]


@full_only
def test_a_server_before_1_34_has_no_claims_but_labels_are_read(
    start: Start, tmp_path: Path
) -> None:
    old = start("--runtime-config=resource.k8s.io/v1=false")
    create_all(old, [labelled_node(machine) for machine in MACHINES])
    prepare_namespace(old)
    old.kubectl(
        "create", "clusterrolebinding", "all", "--clusterrole=cluster-admin",
        f"--serviceaccount={NAMESPACE}:default",
    )  # fmt: skip
    token = old.kubectl("create", "token", "default", "-n", NAMESPACE).strip()
    version = {"major": "1", "minor": "33+", "gitVersion": "v1.33.4"}
    with misbehaving_proxy(old, answers={"/version": version}) as address:
        at = str(old.kubeconfig_with("through-proxy", {"token": token}, server=address))
        found = api.live_inventory(kubeconfig=at)
        assert [pool.sharing for pool in found.inventory.pools] == [Sharing.WHOLE]
        assert "Kubernetes v1.33.4 serves no resource.k8s.io/v1" in found.text
        for way in (Sharing.DRA, Sharing.DRA_MEMORY):
            problem = refusal(partial(api.live_inventory, kubeconfig=at, sharing=way))
            title = f"Kubernetes v1.33.4 is too old for sharing: {way}"
            assert (problem.code, problem.title) == ("P1026", title)
        plan = planned(old, tmp_path, fleet=fleet(tmp_path, workload("embed", "qwen3-4b"))).plan
        problem = refusal(lambda: api.diff(plan, kubeconfig=at, sharing=Sharing.DRA))
        assert problem.code == "P1026"
        assert problem.title.endswith("Kubernetes v1.33.4 is too old")
        problem = refusal(lambda: api.diff(plan, kubeconfig=at, monitoring=True))
        assert problem.code == "P1033"
        change = api.diff(plan, kubeconfig=at)
        api.check_fits(change)
        # The scheduler of today does not start without the API of claims.
        written = api.apply(change, api.order_of(change), dry_run=True)
        assert ("Deployment", change.difference.servers[0].name) in written


def taint_rule(version: str, name: str, effect: str, selector: dict[str, str]) -> str:
    taint = {"key": "example.com/sick", "value": "yes", "effect": effect}
    meta, spec = {"name": name}, {"deviceSelector": selector, "taint": taint}
    api_version = f"resource.k8s.io/{version}"
    document = {"apiVersion": api_version, "kind": "DeviceTaintRule", "metadata": meta}
    return json.dumps({**document, "spec": spec})


@full_only
@pytest.mark.parametrize(
    ("version", "flags", "emulated"),
    [
        ("v1", (), ""),
        ("v1beta2", ("--runtime-config=resource.k8s.io/v1beta2=true",), "1.36"),
    ],
)
def test_cards_that_an_administrator_tainted_by_rule_are_taken(
    start: Start, version: str, flags: tuple[str, ...], emulated: str
) -> None:
    plane = start(*flags, emulated=emulated)
    create_all(plane, furniture(MACHINES, "dra"))
    sick = {"driver": "gpu.nvidia.com", "pool": MACHINES[0].name, "device": "gpu-1"}
    for name, effect, selector in (
        ("sick", "NoSchedule", sick),
        ("watched", "None", {"pool": MACHINES[1].name}),
        ("others", "NoExecute", {"driver": "example.com"}),
    ):
        plane.kubectl("apply", "-f", "-", text=taint_rule(version, name, effect, selector))
    found = api.live_inventory(kubeconfig=str(plane.kubeconfig))
    (pool,) = found.inventory.pools
    assert pool.taken == {MACHINES[0].name: {1: pool.gpu.allocatable_bytes}}
    assert "gpu-1 is tainted example.com/sick=yes:NoSchedule" in found.text


@full_only
def test_taint_rules_that_may_not_be_read_are_named(start: Start) -> None:
    plane = start()
    create_all(plane, furniture(MACHINES, "dra"))
    role = yaml.safe_load(rbac()["inventory.yaml"])
    for rule in role["rules"]:
        rule["resources"] = [one for one in rule["resources"] if one != "devicetaintrules"]
    plane.kubectl("apply", "-f", "-", text=yaml.safe_dump(role))
    plane.kubectl("create", "clusterrolebinding", "reader", "--user=reader",
                  "--clusterrole=gpu-packer-inventory")  # fmt: skip
    found = api.live_inventory(kubeconfig=str(plane.user("reader")))
    assert found.inventory.gpu_count == 4
    assert "DeviceTaintRules are not read" in found.text
    assert "resources: [devicetaintrules], verbs: [list]" in found.text
