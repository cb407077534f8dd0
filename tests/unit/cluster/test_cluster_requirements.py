"""What a cluster is too old for, and which of its devices rules keep pods from.

Answers are looked up in a table here; tests/cluster asks real servers of several versions.
"""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from packer.cluster.connection import Connection
from packer.cluster.devices import complete_devices, slice_of
from packer.cluster.live_cards import CardKind, LiveCard, LiveNode
from packer.cluster.nodes import node_of
from packer.cluster.object_kinds import CLAIM, KINDS
from packer.cluster.reading import LiveCluster
from packer.cluster.refusals import refusal
from packer.cluster.requirements import check_new_enough, unserved, ways_of
from packer.cluster.taint_rules import TaintRule, read_taint_rules, with_rules
from packer.cluster.versions import ServerVersion, served_resources, server_version
from packer.domain.node import Sharing
from packer.errors import InvalidInput
from packer.kubernetes_objects.render import rendered_objects
from tests.cluster.hardware import L40S, Machine, node, published_slice
from tests.sharing_ways import WAYS

Json = dict[str, Any]
MACHINE = Machine("n0", L40S, 2, "384Gi")
GROUP = "/apis/resource.k8s.io"


class Answers(Connection):
    """A cluster that knows what it is told; a number is the status of a refusal."""

    def __init__(self, answers: Mapping[str, Json | int]) -> None:
        self.name, self._answers = "table", answers

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Json:
        """The answer to a path."""
        answer = self._answers.get(path, 404)
        if isinstance(answer, int):
            raise refusal(answer, "GET", path, 'x is forbidden: User "u" cannot')
        return answer


def live(release: tuple[int, int], offers: tuple[Sharing, ...], claims: bool = True) -> LiveCluster:
    card = LiveCard(CardKind("NVIDIA L40S", 2**35))
    version = ServerVersion(f"v{release[0]}.{release[1]}.0", release)
    one = LiveNode(node_of(node(MACHINE)), (card,), offers, 2**30)
    return LiveCluster("c", version, claims, (one,), (), ())


@pytest.mark.parametrize(
    ("told", "text", "release"),
    [
        ({"major": "1", "minor": "33+", "gitVersion": "v1.33.4-gke"}, "v1.33.4-gke", (1, 33)),
        (
            {
                "major": "1",
                "minor": "37",
                "emulationMajor": "1",
                "emulationMinor": "35",
                "gitVersion": "v1.37.1",
            },
            "v1.35 (emulated by v1.37.1)",
            (1, 35),
        ),
        ({"gitVersion": "v2"}, "v2", (0, 0)),
        ({"major": "one", "minor": "1"}, "unknown", (0, 0)),
    ],
)
def test_a_version_is_what_the_server_behaves_as(
    told: Json, text: str, release: tuple[int, int]
) -> None:
    found = server_version(Answers({"/version": told}))
    assert (str(found), found.release) == (text, release)


def test_an_api_that_is_not_there_serves_nothing_and_other_refusals_are_told() -> None:
    api = f"{GROUP}/v1"
    assert served_resources(Answers({}), api) == frozenset()
    kinds: Json = {"resources": [{"name": "resourceclaims"}]}
    assert served_resources(Answers({api: kinds}), api) == {"resourceclaims"}
    with pytest.raises(InvalidInput):
        served_resources(Answers({api: 403}), api)


@pytest.mark.parametrize(
    ("cluster", "way", "words"),
    [
        (live((1, 33), (Sharing.WHOLE,), claims=False), Sharing.DRA, "choose --sharing whole"),
        (live((1, 33), (Sharing.WHOLE,), claims=False), Sharing.DRA_MEMORY, "1.36 or newer"),
        (live((1, 35), (Sharing.DRA,)), Sharing.DRA_MEMORY, "choose --sharing dra"),
        (live((1, 35), (Sharing.DRA_MEMORY, Sharing.DRA)), Sharing.DRA_MEMORY, ""),
        (live((1, 36), (Sharing.DRA,)), Sharing.DRA_MEMORY, ""),
        (live((0, 0), (Sharing.DRA,)), Sharing.DRA_MEMORY, ""),
        (live((1, 34), (Sharing.DRA,)), Sharing.DRA, ""),
        (live((1, 30), (Sharing.WHOLE,), claims=False), Sharing.WHOLE, ""),
    ],
)
def test_what_is_too_old_is_named_with_its_version(
    cluster: LiveCluster, way: Sharing, words: str
) -> None:
    if not words:
        check_new_enough(cluster, [way])
        return
    with pytest.raises(InvalidInput) as caught:
        check_new_enough(cluster, [way])
    (problem,) = caught.value.problems
    assert problem.code == "P1026"
    assert problem.title == f"Kubernetes {cluster.version} is too old for sharing: {way}"
    assert words in problem.help


@pytest.mark.parametrize(
    ("way", "ways"),
    [
        ("dra-live", {Sharing.DRA}),
        ("dra-memory", {Sharing.DRA_MEMORY}),
        ("dra-memory-live", {Sharing.DRA_MEMORY}),
        ("mig-claims", {Sharing.DRA}),
        ("whole", set()),
        ("hami-live", set()),
    ],
)
def test_rendered_objects_tell_what_they_need(way: str, ways: set[Sharing]) -> None:
    plan, options = WAYS[way]
    assert ways_of(json.loads(json.dumps(rendered_objects(plan, options)))) == ways


def test_kinds_that_are_unknown_are_named() -> None:
    version = ServerVersion("v1.33.4", (1, 33))
    assert unserved(version, CLAIM).code == "P1026"
    problem = unserved(version, KINDS["monitoring.coreos.com/v1", "PodMonitor"])
    assert problem.code == "P1033"
    assert "PodMonitor (monitoring.coreos.com/v1)" in problem.title


def rule(selector: Json | None, effect: str = "NoSchedule") -> Json:
    chosen = {} if selector is None else {"deviceSelector": selector}
    return {"spec": {**chosen, "taint": {"key": "k", "value": "v", "effect": effect}}}


@pytest.mark.parametrize(
    ("item", "tainted"),
    [
        (rule({"pool": "n0", "device": "gpu-1"}), {"gpu-1"}),
        (rule({"driver": "gpu.nvidia.com"}, "NoExecute"), {"gpu-0", "gpu-1"}),
        (rule({}), {"gpu-0", "gpu-1"}),
        (rule({"pool": "n1"}), set()),
        (rule(None), set()),
        (rule({}, "None"), set()),
    ],
)
def test_rules_taint_the_devices_they_select(item: Json, tainted: set[str]) -> None:
    table = {f"{GROUP}/v1/devicetaintrules": {"items": [item]}}
    rules, notes = read_taint_rules(Answers(table), frozenset(("devicetaintrules",)))
    published = slice_of(published_slice(MACHINE))
    assert published
    devices = with_rules(complete_devices([published])[0], rules)
    assert {one.id.device for one in devices if one.taints} == tainted
    assert not notes


def test_older_versions_of_the_rules_are_read_and_unreadable_ones_named() -> None:
    beta: Json = {"resources": [{"name": "devicetaintrules"}]}
    table: dict[str, Json | int] = {f"{GROUP}/v1beta2": beta}
    path = f"{GROUP}/v1beta2/devicetaintrules"
    found = read_taint_rules(Answers({**table, path: {"items": [rule({})]}}), frozenset())
    assert found == ([TaintRule("", "", "", "k=v:NoSchedule")], ())
    rules, (note,) = read_taint_rules(Answers({**table, path: 403}), frozenset())
    assert not rules
    assert "resources: [devicetaintrules], verbs: [list]" in note
    assert read_taint_rules(Answers({}), frozenset()) == ([], ())
    with pytest.raises(InvalidInput):
        read_taint_rules(Answers({**table, path: 401}), frozenset())
