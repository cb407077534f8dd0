"""diff and apply against a real control plane: fresh, unchanged, changed, dry, pruned, refused."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from packer import api
from packer.cli import exit_status
from packer.cli.main import run
from packer.errors import InvalidInput
from packer.plan.plan import Plan
from tests.cluster.campaign import full_only
from tests.cluster.control_plane import ControlPlane
from tests.cluster.deployed import NAMESPACE, planned, pods, prepare_namespace
from tests.cluster.fleets import fleet, workload
from tests.cluster.furnishing import furnished, make_namespace, replace_slice
from tests.cluster.hardware import L40S, Machine, device, resource_slice
from tests.cluster.served import Served

MACHINES = [Machine(f"l40s-{n}", L40S, 2, "384Gi", "eu-a") for n in range(3)]
CHAT = workload("chat", "qwen3-14b", replicas=2, least=1)
EMBED = workload("embed", "qwen3-4b")
SMALL = workload("small", "qwen3-0.6b")


def change(plane: ControlPlane, plan: Plan, *, prune: bool = True, dry_run: bool = False) -> int:
    """Apply a plan; the number of writes."""
    found = api.diff(plan, kubeconfig=str(plane.kubeconfig))
    api.check_fits(found)
    order = api.order_of(found, prune=prune)
    assert not order.shortfalls
    return len(api.apply(found, order, prune=prune, dry_run=dry_run, patience_seconds=120))


def assert_runs(plane: ControlPlane, plan: Plan) -> None:
    assert api.diff(plan, kubeconfig=str(plane.kubeconfig)).is_empty
    running = pods(plane)
    served = Served(plan)
    where = [
        (one.workload, one.replica, pod["spec"]["nodeName"])
        for pod in running
        for one in served.placements(pod)
    ]
    assert sorted(where) == sorted((one.workload, one.replica, one.node) for one in plan.placements)


@pytest.mark.parametrize(
    "sharing",
    [
        "dra",
        pytest.param("dra-memory", marks=full_only),
        pytest.param("whole", marks=full_only),
    ],
)
def test_a_plan_is_applied_changed_and_pruned(
    plane: ControlPlane, tmp_path: Path, sharing: str
) -> None:
    with furnished(plane, MACHINES, sharing):
        prepare_namespace(plane)
        first = planned(plane, tmp_path, fleet=fleet(tmp_path, CHAT, EMBED)).plan
        found = api.diff(first, kubeconfig=str(plane.kubeconfig))
        assert "new      chat-0" in found.text or "new      router" in found.text
        assert change(plane, first, dry_run=True) > 0
        assert pods(plane) == []
        assert change(plane, first) > 0
        assert_runs(plane, first)
        assert change(plane, first) == 0

        bigger = fleet(tmp_path, CHAT.replace("8Ki", "16Ki"), SMALL)
        second = planned(plane, tmp_path, fleet=bigger, replaced="small").plan
        assert not api.diff(second, kubeconfig=str(plane.kubeconfig)).is_empty
        change(plane, second)
        assert_runs(plane, second)


def test_commands_ask_show_the_steps_and_tell_by_status(
    plane: ControlPlane, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with furnished(plane, MACHINES, "dra"):
        prepare_namespace(plane)
        plan = planned(plane, tmp_path, fleet=fleet(tmp_path, EMBED)).plan
        saved = tmp_path / "plan.json"
        api.save(plan, saved)
        at = ["--kubeconfig", str(plane.kubeconfig)]
        assert run(["diff", str(saved), *at]) == 1
        assert run(["apply", str(saved), "--yes", "--dry-run=server", *at]) == 0
        assert run(["diff", str(saved), *at]) == 1
        command = [sys.executable, "-m", "packer", "apply", str(saved), *at]
        for answer in ("n\n", ""):
            asked = subprocess.run(command, input=answer, capture_output=True, text=True)
            assert asked.returncode == 1, asked.stderr
        assert "nobody answers" in asked.stderr
        assert run(["diff", str(saved), *at]) == 1
        assert run(["apply", str(saved), "--yes", *at]) == 0
        assert run(["diff", str(saved), *at]) == 0
        said = capsys.readouterr().out
    assert "new      embed-0 on l40s-" in said
    assert "the cluster runs the plan small: 1 servers as planned" in said


def test_what_is_not_ours_is_not_touched(plane: ControlPlane, tmp_path: Path) -> None:
    with furnished(plane, MACHINES, "dra"):
        prepare_namespace(plane)
        plan = planned(plane, tmp_path, fleet=fleet(tmp_path, EMBED)).plan
        foreign = ["create", "service", "clusterip", "embed", "--tcp=80:80", "-n", NAMESPACE]
        plane.kubectl(*foreign)
        with pytest.raises(InvalidInput) as caught:
            change(plane, plan)
        assert caught.value.problems[0].code == "P1028"
        assert "Service embed" in caught.value.problems[0].title
        assert pods(plane) == []
        plane.kubectl("delete", "service", "embed", "-n", NAMESPACE)
        change(plane, plan)
        grab = {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"revisionHistoryLimit": 9}}
        grab["metadata"] = {"name": "embed-0", "namespace": NAMESPACE}
        force = ["apply", "--server-side", "--force-conflicts", "--field-manager=other", "-f", "-"]
        plane.kubectl(*force, text=json.dumps(grab))
        with pytest.raises(InvalidInput) as caught:
            change(plane, plan)
        assert caught.value.problems[0].code == "P1028"
        assert "other" in caught.value.problems[0].why


def test_plans_that_do_not_fit_the_cluster_are_refused(plane: ControlPlane, tmp_path: Path) -> None:
    with furnished(plane, MACHINES, "dra"):
        prepare_namespace(plane)
        plan = planned(plane, tmp_path, fleet=fleet(tmp_path, EMBED)).plan
        (used,) = {one.node for one in plan.placements}
        plane.kubectl("cordon", used)
        with pytest.raises(InvalidInput) as caught:
            change(plane, plan)
        assert caught.value.problems[0].code == "P1032"
        assert f"{used} takes no pods: cordoned" in caught.value.problems[0].why
    others = [Machine(f"other-{n}", L40S, 2, "384Gi") for n in range(2)]
    with furnished(plane, others, "dra"):
        make_namespace(plane, NAMESPACE)
        with pytest.raises(InvalidInput) as caught:
            change(plane, plan)
        assert caught.value.problems[0].code == "P1031"


@full_only
def test_a_stale_plan_is_applied_only_by_force(
    plane: ControlPlane, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with furnished(plane, MACHINES, "dra"):
        prepare_namespace(plane)
        plan = planned(plane, tmp_path, fleet=fleet(tmp_path, EMBED)).plan
        saved = tmp_path / "plan.json"
        api.save(plan, saved)
        (used,) = (one for one in MACHINES if one.name == plan.placements[0].node)
        grown = [device(used, index) for index in range(used.cards + 1)]
        replace_slice(plane, resource_slice(used, grown))
        command = ["apply", str(saved), "--yes", "--kubeconfig", str(plane.kubeconfig)]
        assert run(command) == exit_status.INVALID
        told = capsys.readouterr().err
        assert "error[P1032]: the cluster test has changed since" in told
        assert f"{used.name} has 3 cards, 2 were planned with" in told
        assert pods(plane) == []
        assert run([*command, "--force"]) == exit_status.DONE
        assert_runs(plane, plan)


@full_only
def test_a_missing_or_dying_namespace_is_named(plane: ControlPlane, tmp_path: Path) -> None:
    with furnished(plane, MACHINES, "dra"):
        plan = planned(plane, tmp_path, fleet=fleet(tmp_path, EMBED)).plan
        with pytest.raises(InvalidInput) as caught:
            api.diff(plan, kubeconfig=str(plane.kubeconfig))
        assert caught.value.problems[0].code == "P1027"
        make_namespace(plane, NAMESPACE)
        held = {"metadata": {"finalizers": ["example.com/held"]}}
        plane.kubectl("create", "configmap", "held", "-n", NAMESPACE)
        patch = ["patch", "configmap", "held", "-n", NAMESPACE, "-p"]
        plane.kubectl(*patch, json.dumps(held))
        try:
            plane.kubectl("delete", "namespace", NAMESPACE, "--wait=false")
            with pytest.raises(InvalidInput) as caught:
                api.diff(plan, kubeconfig=str(plane.kubeconfig))
        finally:
            plane.kubectl(*patch, json.dumps({"metadata": {"finalizers": None}}))
    assert "is being deleted" in caught.value.problems[0].title


@full_only
def test_a_quota_that_refuses_is_told_and_a_second_run_completes(
    plane: ControlPlane, tmp_path: Path
) -> None:
    with furnished(plane, MACHINES, "dra"):
        prepare_namespace(plane)
        plan = planned(plane, tmp_path, fleet=fleet(tmp_path, EMBED)).plan
        plane.kubectl(
            "create",
            "quota",
            "none",
            "--hard=count/resourceclaims.resource.k8s.io=0",
            "-n",
            NAMESPACE,
        )
        with pytest.raises(InvalidInput) as caught:
            change(plane, plan)
        assert caught.value.problems[0].code == "P1029"
        assert "exceeded quota" in caught.value.problems[0].why
        plane.kubectl("delete", "quota", "none", "-n", NAMESPACE)
        change(plane, plan)
        assert_runs(plane, plan)


def test_an_unready_server_is_told_with_the_schedulers_words(
    plane: ControlPlane, tmp_path: Path
) -> None:
    with furnished(plane, MACHINES, "dra"):
        make_namespace(plane, NAMESPACE)
        plan = planned(plane, tmp_path, fleet=fleet(tmp_path, EMBED)).plan
        found = api.diff(plan, kubeconfig=str(plane.kubeconfig))
        with pytest.raises(InvalidInput) as caught:
            api.apply(found, api.order_of(found), patience_seconds=3)
        (problem,) = caught.value.problems
        assert problem.code == "P1030"
        assert 'persistentvolumeclaim "models" not found' in problem.why
