"""What separates a running plan from a rendered one, told from objects alone."""

import json
from dataclasses import replace
from typing import Any

import pytest

from packer.cluster.difference import Difference, compare, difference_text
from packer.cluster.object_kinds import key_of
from packer.cluster.plan_objects import LivePlan
from packer.cluster.rollout import capacity_of, rollout_of
from packer.cluster.servers import LEAVING, is_server, leaving_server, parse_planned, server_of
from packer.domain.node import Sharing
from packer.domain.rendering import Gateway
from packer.kubernetes_objects.render import rendered_objects
from packer.plan.plan import Plan
from packer.plan.rollout.change import HOST, Place
from packer.plan.rollout.step import Rollout, StepKind
from tests.rendered_plans import SAMPLE_OPTIONS, live
from tests.sample_plans import company_plan

Json = dict[str, Any]
PLAN = live(company_plan())


def bodies(plan: Plan = PLAN, sharing: Sharing | None = None) -> list[Json]:
    options = replace(SAMPLE_OPTIONS, sharing=sharing)
    objects: list[Json] = json.loads(json.dumps(rendered_objects(plan, options)))
    return objects


def running(objects: list[Json]) -> LivePlan:
    """The objects as a cluster holds them once everything is ready."""
    copies: list[Json] = json.loads(json.dumps(objects))
    for body in copies:
        body["metadata"]["uid"] = body["metadata"]["name"]
        if body["kind"] == "Deployment":
            body["status"] = {"readyReplicas": 1}
    servers = {body["metadata"]["name"]: server_of(body) for body in copies if is_server(body)}
    return LivePlan("llm", {key_of(body): body for body in copies}, servers)


def first_deployment(objects: list[Json]) -> Json:
    return next(body for body in objects if body["kind"] == "Deployment")


def test_what_runs_as_rendered_does_not_differ() -> None:
    difference = compare(running(bodies()), bodies())
    assert difference.is_empty
    assert f"{len(difference.kept)} servers as planned" in difference_text(difference, PLAN)


def test_an_empty_namespace_lacks_everything() -> None:
    difference = compare(LivePlan("llm", {}, {}), bodies())
    assert {one.old for one in difference.servers} == {None}
    assert len(difference.servers) + len(difference.written) == len(bodies())
    text = difference_text(difference, PLAN)
    assert f"servers: 0 → {len(difference.servers)}" in text
    assert f"cards: 0 → {PLAN.cards}" in text


def changed(path: str) -> Difference:
    there = bodies()
    body = first_deployment(there)
    if path == "argument":
        body["spec"]["template"]["spec"]["containers"][0]["args"].append("--verbose")
    elif path == "card":
        body["metadata"]["annotations"]["gpu-packer/planned-bytes"] = "gpu7=5"
        body["spec"]["template"]["spec"]["containers"][0]["args"].append("-v")
    elif path == "annotation":
        body["metadata"]["annotations"]["gpu-packer/planned-host-bytes"] = "7"
    elif path == "plan":
        body["metadata"]["annotations"]["gpu-packer/plan-sha256"] = "another"
    return compare(running(there), bodies())


@pytest.mark.parametrize(
    ("path", "words"), [("argument", "restart  "), ("card", "move     "), ("annotation", "write ")]
)
def test_differences_are_told_by_what_they_cost(path: str, words: str) -> None:
    difference = changed(path)
    assert not difference.is_empty
    assert difference_text(difference, PLAN).startswith(words)
    assert bool(difference.servers) == (path != "annotation")


def test_another_plan_hash_alone_changes_nothing() -> None:
    assert changed("plan").is_empty


def test_a_server_that_does_not_answer_is_broken() -> None:
    there = running(bodies())
    name = next(iter(there.servers))
    body = dict(there.servers[name].body)
    body["status"] = {}
    servers = {**there.servers, name: server_of(body)}
    difference = compare(LivePlan("llm", there.objects, servers), bodies())
    assert [one.name for one in difference.servers] == [name]
    assert "it does not answer" in difference_text(difference, PLAN)


def test_what_is_not_rendered_any_more_is_left_over() -> None:
    rendered = [body for body in bodies() if body["kind"] != "PodDisruptionBudget"]
    gone = first_deployment(rendered)
    rendered.remove(gone)
    difference = compare(running(bodies()), rendered)
    assert ("Deployment", gone["metadata"]["name"]) not in difference.gone
    assert {kind for kind, _ in difference.gone} <= {"PodDisruptionBudget"}
    assert [one.name for one in difference.servers if one.new is None] == [gone["metadata"]["name"]]
    kept = rollout_of(difference, PLAN, start_seconds=1.0, prune=False)
    assert not kept.waves
    (step,) = rollout_of(difference, PLAN, start_seconds=1.0, prune=True).steps
    assert (step.kind, step.server) == (StepKind.STOP, gone["metadata"]["name"])


def test_a_gateway_is_an_object_and_no_server() -> None:
    options = replace(SAMPLE_OPTIONS, gateway=Gateway.LITELLM)
    rendered = json.loads(json.dumps(rendered_objects(PLAN, options)))
    name = next(key[1] for key in map(key_of, rendered) if key[1].startswith("gateway-"))
    fresh = compare(LivePlan("llm", {}, {}), rendered)
    assert ("Deployment", name) in fresh.written
    assert name not in {one.name for one in fresh.servers}
    there = running(rendered)
    assert compare(there, rendered).is_empty
    assert ("Deployment", name) in compare(there, bodies()).gone


def test_servers_that_come_to_free_cards_just_start() -> None:
    difference = compare(LivePlan("llm", {}, {}), bodies())
    order = rollout_of(difference, PLAN, start_seconds=1.0, prune=False)
    assert {step.kind for step in order.steps} == {StepKind.START}
    room = capacity_of(PLAN, difference)
    assert all(peak <= room[place] for place, peak in order.peak_bytes.items())


def test_a_deployment_tells_its_cards_node_and_claims() -> None:
    server = server_of(first_deployment(bodies()))
    placement = next(p for p in PLAN.placements if f"{p.workload}-{p.replica}" == server.name)
    assert (server.node, server.cards) == (placement.node, tuple(sorted(placement.gpus)))
    held = server.occupancy().bytes
    assert held[Place(server.node, HOST)] == placement.host.total_bytes
    assert sum(held.values()) - placement.host.total_bytes == sum(
        device.high_bytes for device in placement.devices
    )
    assert server.claims
    assert set(server.occupancy().seats.values()) == set(server.claims.values())


@pytest.mark.parametrize(
    ("sharing", "kinds"),
    [
        # The device plugin gives a new pod other cards than the old one holds, or none.
        (Sharing.WHOLE, {StepKind.STOP, StepKind.START}),
        (Sharing.HAMI, {StepKind.REPLACE}),
        (Sharing.DRA, {StepKind.REPLACE}),
    ],
)
def test_who_owns_whole_cards_stops_before_its_successor_starts(
    sharing: Sharing, kinds: set[StepKind]
) -> None:
    there, wanted = bodies(sharing=sharing), bodies(sharing=sharing)
    server = min(
        (server_of(body) for body in wanted if body["kind"] == "Deployment"),
        key=lambda one: sum(one.card_bytes.values()),
    )
    (body,) = (one for one in there if key_of(one) == ("Deployment", server.name))
    body["spec"]["template"]["spec"]["containers"][0]["args"].append("--verbose")
    roomy = tuple(
        replace(node, cards=tuple(replace(card, allocatable_bytes=2**40) for card in node.cards))
        for node in PLAN.nodes
    )
    difference = compare(running(there), wanted)
    order = rollout_of(difference, replace(PLAN, nodes=roomy), start_seconds=1.0, prune=False)
    assert {step.kind for step in order.steps} == kinds


@pytest.mark.parametrize("sharing", [Sharing.WHOLE, Sharing.DRA])
def test_what_was_on_a_lost_node_and_is_not_planned_any_more_is_deleted_too(
    sharing: Sharing,
) -> None:
    there, wanted = bodies(sharing=sharing), bodies(sharing=sharing)
    gone, other = [body for body in there if is_server(body)][:2]
    wanted = [body for body in wanted if key_of(body) != key_of(gone)]
    other["spec"]["template"]["spec"]["containers"][0]["args"].append("--verbose")
    lost = frozenset((server_of(gone).node,))
    difference = compare(running(there), wanted)
    order = rollout_of(difference, PLAN, start_seconds=1.0, prune=True, lost_nodes=lost)
    names = {server_of(gone).name, server_of(other).name}
    assert {step.server for step in order.steps} == names
    (last,) = (step for step in order.steps if step.server == server_of(gone).name)
    assert last.kind is StepKind.STOP
    assert not [one for one in order.forced_stops if one.server == last.server]
    unpruned = rollout_of(difference, PLAN, start_seconds=1.0, prune=False, lost_nodes=lost)
    assert {step.server for step in unpruned.steps} == {server_of(other).name}


def test_planned_bytes_read_back() -> None:
    assert parse_planned("gpu0=12,gpu11=3") == {0: 12, 11: 3}
    assert parse_planned("") == {}


def pod(ready: str, **more: Any) -> Json:
    """What an interrupted change left of the first server."""
    template = first_deployment(bodies())["spec"]["template"]
    labels = {**template["metadata"]["labels"], LEAVING: "chat-0"}
    return {
        "metadata": {"name": "chat-0-abc", "labels": labels, "annotations": {}, **more},
        "spec": template["spec"],
        "status": {"conditions": [{"type": "Ready", "status": ready}]},
    }


def test_a_pod_answers_while_it_is_ready_and_not_told_to_go() -> None:
    assert leaving_server(pod("True")).is_available
    assert not leaving_server(pod("False")).is_available
    assert not leaving_server(pod("True", deletionTimestamp="2026-01-01T00:00:00Z")).is_available


def test_what_was_on_a_lost_node_does_not_answer_whatever_its_status_says() -> None:
    """The kubelet that would say otherwise is silent."""
    body = first_deployment(bodies())
    body["status"] = {"readyReplicas": 1}
    node = server_of(body).node
    assert server_of(body).is_available
    assert not server_of(body, lost_nodes=frozenset((node,))).is_available
    assert server_of(body, lost_nodes=frozenset(("another",))).is_available


def rolled(there: LivePlan, wanted: list[Json], *, prune: bool, lost: frozenset[str]) -> Rollout:
    """The order where every server of a workload is needed."""
    needed = tuple(replace(one, min_available=one.replicas) for one in PLAN.workloads)
    roomy = tuple(
        replace(node, cards=tuple(replace(card, allocatable_bytes=2**40) for card in node.cards))
        for node in PLAN.nodes
    )
    plan = replace(PLAN, workloads=needed, nodes=roomy)
    return rollout_of(compare(there, wanted), plan, start_seconds=7.0, prune=prune, lost_nodes=lost)


def test_a_server_that_is_dead_already_protects_nobody_and_holds_nothing() -> None:
    """Its successor just starts: there is nothing to stop, and no gap that the change makes."""
    there, wanted = bodies(sharing=Sharing.WHOLE), bodies(sharing=Sharing.WHOLE)
    body = first_deployment(there)
    name, node = server_of(body).name, server_of(body).node
    body["spec"]["template"]["spec"]["containers"][0]["args"].append("--verbose")
    alive = rolled(running(there), wanted, prune=False, lost=frozenset())
    assert [(one.kind, one.server) for one in alive.steps] == [
        (StepKind.STOP, name),
        (StepKind.START, name),
    ]
    assert [one.server for one in alive.forced_stops] == [name]
    assert alive.shortfalls
    dead = rolled(running(there), wanted, prune=False, lost=frozenset((node,)))
    assert (StepKind.START, name) in {(one.kind, one.server) for one in dead.steps}
    assert not [one for one in dead.forced_stops if one.server == name]
    assert not [one for one in dead.steps if one.server == name and one.kind is StepKind.STOP]
    assert not dead.shortfalls


def test_a_server_that_does_not_answer_stops_without_being_missed() -> None:
    there, wanted = bodies(sharing=Sharing.WHOLE), bodies(sharing=Sharing.WHOLE)
    live_plan = running(there)
    name = server_of(first_deployment(there)).name
    silent = {**live_plan.servers[name].body, "status": {}}
    servers = {**live_plan.servers, name: server_of(silent)}
    order = rolled(
        LivePlan("llm", live_plan.objects, servers), wanted, prune=False, lost=frozenset()
    )
    assert [one.kind for one in order.steps] == [StepKind.STOP, StepKind.START]
    assert not order.forced_stops
    assert not order.shortfalls
    assert not order.downtime_seconds


def deployment(objects: list[Json], name: str) -> Json:
    return next(body for body in objects if key_of(body) == ("Deployment", name))


@pytest.mark.parametrize("answers", [True, False])
def test_what_stays_unpruned_protects_its_workload_only_while_it_answers(answers: bool) -> None:
    """A replica that is not rendered any more goes on serving; a dead one is no help."""
    there = bodies()
    changes, stays = deployment(there, "chat-0"), deployment(there, "chat-1")
    changes["spec"]["template"]["spec"]["containers"][0]["args"].append("--verbose")
    live_plan = running(there)
    body = {**stays, "status": {"readyReplicas": int(answers)}}
    servers = {**live_plan.servers, "chat-1": server_of(body)}
    wanted = [body for body in bodies() if key_of(body) != key_of(stays)]
    difference = compare(LivePlan("llm", live_plan.objects, servers), wanted)
    order = rollout_of(difference, PLAN, start_seconds=1.0, prune=False)
    assert [one.server for one in order.forced_stops] == ["chat-0"]
    expected = [] if answers else [("chat", 0, 1)]
    found = [(one.workload, one.least_available, one.min_available) for one in order.shortfalls]
    assert found == expected


def test_what_a_lost_node_had_is_deleted_without_being_missed() -> None:
    there = bodies()
    gone = server_of(deployment(there, "code-0"))
    wanted = [body for body in bodies() if key_of(body) != ("Deployment", "code-0")]
    order = rolled(running(there), wanted, prune=True, lost=frozenset((gone.node,)))
    assert [(one.kind, one.server) for one in order.steps] == [(StepKind.STOP, "code-0")]
    assert not order.shortfalls
    assert not order.peak_bytes, "nothing was held there any more"
    assert rolled(running(there), wanted, prune=True, lost=frozenset()).shortfalls
