"""plan --from live: a running fleet, read from a real control plane, is what a plan starts from."""

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from packer import api
from packer.cli.main import run
from packer.domain.rendering import Gateway
from packer.errors import InvalidInput
from packer.plan.plan import Plan
from packer.plan.running import running_placements
from tests.cluster.campaign import full_only
from tests.cluster.control_plane import ControlPlane
from tests.cluster.deployed import NAMESPACE, pods, prepare_namespace
from tests.cluster.fleets import fleet, workload
from tests.cluster.furnishing import furnished
from tests.cluster.hami_scheduler import hami_scheduler
from tests.cluster.hardware import L40S, Machine

MACHINES = [Machine(f"l40s-{n}", L40S, 2, "384Gi", "eu-a") for n in range(3)]
CHAT = workload("chat", "qwen3-14b", replicas=2, least=1)
EMBED = workload("embed", "qwen3-4b")
SMALL = workload("small", "qwen3-0.6b")
Json = dict[str, Any]
IN = ("-n", NAMESPACE)


class Live:
    """A cluster with a namespace, and plans made on what it offers.

    Attributes:
        at: Options of commands that lead to it.
    """

    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        self.plane, self.folder = plane, folder
        self.at = ["--kubeconfig", str(plane.kubeconfig)]
        prepare_namespace(plane)

    def planned(self, *workloads: str, current: str = "") -> Plan:
        """The plan of a fleet on the cluster as it is now."""
        asked = str(fleet(self.folder, *workloads))
        sources = api.PlanSources(
            asked, "live", current=current, kubeconfig=str(self.plane.kubeconfig)
        )
        inputs = sources.read()
        return api.plan(inputs, current=sources.read_current(inputs), brief=True)

    def deployed(self, *workloads: str) -> Plan:
        """A plan that runs, and nothing of the fleet besides."""
        plan = self.planned(*workloads)
        found = api.diff(plan, kubeconfig=str(self.plane.kubeconfig))
        api.apply(found, api.order_of(found, prune=True), prune=True, patience_seconds=120)
        return plan

    def refused(self) -> list[tuple[str, str, str]]:
        """Codes, titles and reasons for which what runs is refused."""
        with pytest.raises(InvalidInput) as caught:
            api.running_fleet("small", kubeconfig=str(self.plane.kubeconfig))
        return [(one.code, one.title, one.why) for one in caught.value.problems]

    def patch(self, kind: str, name: str, *operations: Json) -> None:
        """Change an object as somebody with kubectl would."""
        command = ["patch", kind, name, "-n", NAMESPACE, "--type=json", "-p"]
        self.plane.kubectl(*command, json.dumps(operations))


@pytest.fixture(scope="module")
def live(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with furnished(plane, MACHINES, "dra"):
        yield Live(plane, tmp_path_factory.mktemp("live"))


@full_only
@pytest.mark.parametrize("sharing", ["dra-memory", "whole", "hami"])
def test_every_way_of_sharing_is_read_back(
    plane: ControlPlane, tmp_path: Path, sharing: str
) -> None:
    # First in this file: the others share one furnished cluster to its end.
    scheduler: AbstractContextManager[None] = nullcontext()
    if sharing == "hami":
        scheduler = hami_scheduler(plane)
    with furnished(plane, MACHINES, sharing), scheduler:
        live = Live(plane, tmp_path)
        plan = live.deployed(CHAT, EMBED, SMALL)
        found = api.running_fleet("small", kubeconfig=str(plane.kubeconfig))
        assert set(found.placements) == set(running_placements(plan.placements))
        again = live.planned(CHAT, EMBED, SMALL, current="live")
        assert again.moves is not None
        assert again.moves.kept == 4
        looked = api.verify_fleet(plan, kubeconfig=str(plane.kubeconfig), asks_servers=False)
        assert looked.is_as_planned
        assert ("cards" in {one.what for one in looked.findings}) == (sharing != "whole")


def test_what_runs_is_read_as_it_was_planned_and_stays(live: Live) -> None:
    plan = live.deployed(CHAT, EMBED)
    found = api.running_fleet("small", kubeconfig=str(live.plane.kubeconfig))
    assert sorted(found.placements, key=lambda one: one.name) == sorted(
        running_placements(plan.placements), key=lambda one: one.name
    )
    assert found.notes == ()
    again = live.planned(CHAT, EMBED, current="live")
    assert again.moves is not None
    assert (again.moves.kept, again.moves.moved) == (3, ())
    assert again.placements == plan.placements


def test_the_next_plan_is_that_of_the_saved_one(live: Live) -> None:
    plan = live.deployed(CHAT, EMBED)
    saved = live.folder / "current.plan.json"
    api.save(plan, saved)
    wanted = (CHAT.replace("8Ki", "16Ki"), SMALL)
    by_cluster = live.planned(*wanted, current="live")
    by_file = live.planned(*wanted, current=str(saved))
    assert by_cluster.moves == by_file.moves
    assert by_cluster.placements == by_file.placements
    assert by_cluster.moves is not None
    # What the fleet does not know any more is gone.
    assert by_cluster.moves.stopped == ("embed-0",)
    assert by_cluster.moves.started == ("small-0",)
    assert {one.workload for one in by_cluster.moves.moved} == {"chat"}


def test_only_what_a_lost_node_held_moves(live: Live) -> None:
    plan = live.deployed(CHAT, EMBED)
    lost = plan.placements[0].node
    live.plane.kubectl("cordon", lost)
    try:
        after = live.planned(CHAT, EMBED, current="live")
    finally:
        live.plane.kubectl("uncordon", lost)
    assert after.moves is not None
    on_it = {(one.workload, one.replica) for one in plan.placements if one.node == lost}
    assert {(one.workload, one.replica) for one in after.moves.moved} == on_it
    assert lost not in {one.node for one in after.placements}


def test_the_command_reads_inventory_and_state(
    live: Live, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = str(fleet(live.folder, SMALL))
    command = ["plan", "-f", asked, "-i", "live", *live.at]
    assert run([*command, "--out", str(live.folder / "plan.json")]) == 0
    assert run(["apply", str(live.folder / "plan.json"), "--yes", "--prune", *live.at]) == 0
    capsys.readouterr()
    assert run([*command, "--from", "live"]) == 0
    assert "against the current plan: kept 1" in capsys.readouterr().err
    other = live.folder / "other.yaml"
    other.write_text(Path(asked).read_text().replace("{name: small}", "{name: other}"))
    assert run(["plan", "-f", str(other), "-i", "live", *live.at, "--from", "live"]) == 2
    said = capsys.readouterr().err
    assert "error[P1036]: nothing of the fleet other runs in the namespace llm" in said
    assert "the plans that run there: small (1 servers)" in said
    assert run([*command, "--from", "live", "-n", "elsewhere"]) == 2
    assert "no plan of gpu-packer runs there" in capsys.readouterr().err


def test_what_was_changed_by_hand_is_refused_in_full(live: Live) -> None:
    live.deployed(CHAT, EMBED)
    argument = {"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": "-v"}
    live.patch("deployment", "chat-0", argument)
    live.patch("deployment", "chat-1", {"op": "replace", "path": "/spec/replicas", "value": 0})
    note = "/metadata/annotations/gpu-packer~1placed"
    live.patch("deployment", "embed-0", {"op": "remove", "path": note})
    found = {title: (code, why) for code, title, why in live.refused()}
    by_hand = "Deployment %s is not as gpu-packer wrote it"
    assert found[by_hand % "chat-0"] == ("P1035", "its arguments were changed")
    assert found[by_hand % "chat-1"] == ("P1035", "it is scaled to 0")
    unread = found["Deployment embed-0 does not say which replicas it serves"]
    assert unread == ("P1034", "it has no annotation gpu-packer/placed")
    assert len(found) == 3
    live.patch("deployment", "embed-0", {"op": "add", "path": note, "value": "[{}]"})
    assert "is not as written" in str(live.refused())


def test_foreign_objects_with_our_labels_are_refused_and_others_are_not_seen(live: Live) -> None:
    live.deployed(SMALL)
    live.plane.kubectl("create", "deployment", "theirs", "--image=x", "-n", NAMESPACE)
    assert api.running_fleet("small", kubeconfig=str(live.plane.kubeconfig)).notes == ()
    copy = live.plane.read("deployment", "small-0", "-n", NAMESPACE)
    meta = copy["metadata"]
    copy["metadata"] = {
        "name": "copy", "namespace": NAMESPACE, "labels": meta["labels"],
        "annotations": {"gpu-packer/placed": meta["annotations"]["gpu-packer/placed"]},
    }  # fmt: skip
    (pod,) = [one for one in pods(live.plane) if "theirs" not in one["metadata"]["name"]]
    instance = {"app.kubernetes.io/instance": "stray"}
    stray = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "stray",
            "namespace": NAMESPACE,
            "labels": pod["metadata"]["labels"] | instance,
        },
        "spec": {**pod["spec"], "resourceClaims": [], "nodeName": ""},
    }
    stray["spec"]["containers"][0]["resources"] = {}  # type: ignore[index]
    for made in (copy, stray):
        made.pop("status", None)
        live.plane.kubectl("create", "--validate=false", "-f", "-", text=json.dumps(made))
    titles = {title: why for _, title, why in live.refused()}
    live.plane.kubectl("delete", "deployment/theirs", "deployment/copy", "pod/stray", *IN)
    assert titles["several servers say they are small-0"] == "copy, small-0"
    assert "Pod stray carries the labels of this plan, and no server has it" in titles


def test_what_an_interrupted_apply_left_counts_once(live: Live) -> None:
    live.deployed(SMALL)
    (pod,) = pods(live.plane)
    placed = live.plane.read("deployment", "small-0", "-n", NAMESPACE)["metadata"]["annotations"]
    name = pod["metadata"]["name"]
    live.plane.kubectl("delete", "deployment", "small-0", "--cascade=orphan", "-n", NAMESPACE)
    sets = ["delete", "replicasets", "--all", "--cascade=orphan", "-n", NAMESPACE]
    live.plane.kubectl(*sets)
    text = f"gpu-packer/placed={placed['gpu-packer/placed']}"
    live.plane.kubectl("annotate", "pod", name, text, "-n", NAMESPACE)
    labels = ["gpu-packer/leaving=small-0", "app.kubernetes.io/instance-"]
    live.plane.kubectl("label", "pod", name, *labels, "-n", NAMESPACE)
    found = api.running_fleet("small", kubeconfig=str(live.plane.kubeconfig))
    assert [one.name for one in found.placements] == ["small-0"]
    assert "an apply was interrupted" in found.notes[0]


def test_a_gateway_is_applied_verified_and_pruned_and_is_no_replica(live: Live) -> None:
    plan = live.deployed(SMALL)
    at = str(live.plane.kubeconfig)
    found = api.diff(plan, kubeconfig=at, gateway=Gateway.LITELLM)
    assert "write    Deployment gateway-small" in found.text
    api.apply(found, api.order_of(found), patience_seconds=120)
    assert api.diff(plan, kubeconfig=at, gateway=Gateway.LITELLM).is_empty
    options = {"kubeconfig": at, "asks_servers": False, "gateway": Gateway.LITELLM}
    assert api.verify_fleet(plan, **options).is_as_planned  # type: ignore[arg-type]
    assert [one.name for one in api.running_fleet("small", kubeconfig=at).placements] == ["small-0"]
    live.deployed(SMALL)
    assert "gateway-small" not in str(live.plane.read("deployments", *IN))
