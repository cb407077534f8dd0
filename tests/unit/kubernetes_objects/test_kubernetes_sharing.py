"""Every way of sharing: what pods ask for, and that nothing is promised which nobody keeps."""

from collections import defaultdict
from dataclasses import replace

import pytest

from packer.domain.node import Sharing
from packer.kubernetes_objects.guarantees import describe_guarantees
from packer.kubernetes_objects.render import render
from packer.kubernetes_objects.sharing_choice import choose_sharing
from packer.plan.plan import NodeBudget, Plan
from packer.units import MIB
from tests.rendered_plans import (
    SAMPLE_OPTIONS,
    Document,
    container,
    documents,
    environment,
    live,
    of_kind,
    parsed,
    pod_spec,
)
from tests.sample_plans import CARD_UUIDS, SLICE_UUIDS, company_plan, sliced_plan, tiny_plan
from tests.sharing_ways import WAYS


def _found(way: str) -> dict[str, Document]:
    return parsed(render(*WAYS[way]))


def _mib(quantity: str) -> int:
    units = {"Mi": 1, "Gi": 1024}
    return int(quantity[:-2]) * units[quantity[-2:]]


def _requested(device_requests: list[Document]) -> dict[str, int]:
    return {
        request["name"]: _mib(request["exactly"]["capacity"]["requests"]["memory"])
        for request in device_requests
    }


@pytest.mark.parametrize("way", WAYS)
def test_every_replica_is_served_exactly_once(way: str) -> None:
    plan, _ = WAYS[way]
    served = [
        name
        for deployment in of_kind(_found(way), "Deployment").values()
        for name in deployment["spec"]["template"]["metadata"]["labels"]
        if name.startswith("workload.gpu-packer/")
    ]
    assert sorted(served) == sorted(f"workload.gpu-packer/{p.workload}" for p in plan.placements)


@pytest.mark.parametrize("way", WAYS)
def test_every_claim_a_pod_names_is_there_and_used(way: str) -> None:
    found = _found(way)
    named, templated = set(), set()
    for deployment in of_kind(found, "Deployment").values():
        for claim in pod_spec(deployment).get("resourceClaims", ()):
            named |= {claim["resourceClaimName"]} if "resourceClaimName" in claim else set()
            templated |= {claim.get("resourceClaimTemplateName")} - {None}
        used = {claim["name"] for claim in container(deployment)["resources"].get("claims", ())}
        given = {claim["name"] for claim in pod_spec(deployment).get("resourceClaims", ())}
        assert used == given
    assert named == set(of_kind(found, "ResourceClaim"))
    assert templated == set(of_kind(found, "ResourceClaimTemplate"))


def test_each_server_claims_its_own_bytes_of_its_own_cards() -> None:
    plan, _ = WAYS["dra-memory-live"]
    templates = of_kind(_found("dra-memory-live"), "ResourceClaimTemplate")
    claimed: dict[str, int] = defaultdict(int)
    for placed in plan.placements:
        (name,) = [n for n in templates if n.startswith(f"{placed.workload}-{placed.replica}-")]
        requests = templates[name]["spec"]["spec"]["devices"]["requests"]
        assert [request["name"] for request in requests] == [f"gpu{gpu}" for gpu in placed.gpus]
        for request, device in zip(requests, placed.devices, strict=True):
            expression = request["exactly"]["selectors"][0]["cel"]["expression"]
            mib = _mib(request["exactly"]["capacity"]["requests"]["memory"])
            assert 0 <= mib * MIB - device.high_bytes < MIB
            claimed[expression.partition("== ")[2].strip("'")] += mib * MIB
    cards = {card.uuid: card for node in plan.nodes for card in node.cards}
    for uuid, total in claimed.items():
        assert cards[uuid].used_bytes <= total
        assert total <= cards[uuid].allocatable_bytes - cards[uuid].taken_bytes


def test_a_changed_request_makes_a_new_template_and_moves_its_pod_only() -> None:
    plan, options = WAYS["dra-memory-live"]
    device = plan.placements[2].devices[0]
    grown = replace(
        plan.placements[2], devices=(replace(device, high_bytes=device.high_bytes + MIB),)
    )
    other = replace(plan, placements=(*plan.placements[:2], grown, *plan.placements[3:]))
    before = of_kind(documents(plan, options), "Deployment")
    after = of_kind(documents(other, options), "Deployment")
    assert {n for n in before if pod_spec(before[n]) != pod_spec(after[n])} == {"code-0"}


def test_without_uuids_one_claim_holds_the_sum_of_each_card() -> None:
    plan, _ = WAYS["dra-memory"]
    found = _found("dra-memory")
    claims = of_kind(found, "ResourceClaim")
    assert not of_kind(found, "ResourceClaimTemplate")
    devices = claims["a100-0-gpu0-gpu1-gpu2"]["spec"]["devices"]
    (node,) = [node for node in plan.nodes if node.name == "a100-0"]
    expected = {f"gpu{card.index}": -(-card.used_bytes // MIB) for card in node.cards[:3]}
    assert _requested(devices["requests"]) == expected
    # Two parts of one card would satisfy two requests; a split model needs two cards.
    assert devices["constraints"] == [
        {"requests": ["gpu0", "gpu1", "gpu2"], "distinctAttribute": "gpu.nvidia.com/uuid"}
    ]
    assert "constraints" not in claims["rtx-0-gpu0"]["spec"]["devices"]


def test_hami_limits_every_card_to_the_largest_share() -> None:
    plan, _ = WAYS["hami-live"]
    deployments = of_kind(_found("hami-live"), "Deployment")
    for placed in plan.placements:
        deployment = deployments[f"{placed.workload}-{placed.replica}"]
        limits = container(deployment)["resources"]["limits"]
        assert limits["nvidia.com/gpu"] == len(placed.gpus)
        largest = max(device.high_bytes for device in placed.devices)
        assert 0 <= limits["nvidia.com/gpumem"] * MIB - largest < MIB
        annotations = deployment["spec"]["template"]["metadata"]["annotations"]
        uuids = annotations["nvidia.com/use-gpuuuid"].split(",")
        (node,) = [node for node in plan.nodes if node.name == placed.node]
        assert uuids == [node.cards[gpu].uuid for gpu in placed.gpus]
        assert pod_spec(deployment)["schedulerName"] == "hami-scheduler"
        # HAMi sets the visible cards; its library reads a list of UUIDs as card 0 twice.
        assert "CUDA_VISIBLE_DEVICES" not in environment(deployment)


def test_hami_is_told_the_type_where_no_uuid_is_known() -> None:
    deployments = of_kind(_found("hami"), "Deployment")
    annotations = deployments["embed-1"]["spec"]["template"]["metadata"]["annotations"]
    assert annotations["nvidia.com/use-gputype"] == "GeForce-RTX-4090,GeForce RTX 4090"
    assert annotations["hami.io/gpu-scheduler-policy"] == "binpack"
    types = deployments["oss-0"]["spec"]["template"]["metadata"]["annotations"]
    assert types["nvidia.com/use-gputype"].split(",")[0] == "A100-SXM4-80GB"
    # Servers of one planned node must meet although nothing else holds them together.
    assert "podAffinity" in pod_spec(deployments["moe-0"])["affinity"]


def test_hami_keeps_the_order_of_a_reversed_split() -> None:
    plan = live(company_plan())
    turned = replace(plan.placements[0], gpus=(1, 0))
    plan = replace(plan, placements=(turned, *plan.placements[1:]))
    found = documents(plan, replace(SAMPLE_OPTIONS, sharing=Sharing.HAMI))
    assert environment(of_kind(found, "Deployment")["chat-0"])["CUDA_VISIBLE_DEVICES"] == "1,0"


def test_slices_come_from_the_device_plugin_by_either_strategy() -> None:
    mixed = of_kind(_found("mig-mixed"), "Deployment")
    assert set(mixed) == {"router-mig-0-gpu0", "router-mig-0-gpu1"}
    router = mixed["router-mig-0-gpu0"]
    assert container(router)["resources"]["limits"]["nvidia.com/mig-3g.40gb"] == 1
    label = "NVIDIA-A100-SXM4-80GB-MIG-3g.40gb"
    assert pod_spec(router)["nodeSelector"] == {"nvidia.com/mig-3g.40gb.product": label}
    router = of_kind(_found("mig-single"), "Deployment")["router-mig-0-gpu0"]
    assert container(router)["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert pod_spec(router)["nodeSelector"] == {"nvidia.com/gpu.product": label}


_A = "device.attributes['gpu.nvidia.com']"
_PROFILE = (
    f"{_A}.productName.replace(' ', '-') == 'NVIDIA-A100-SXM4-80GB' && {_A}.profile == '3g.40gb'"
)


@pytest.mark.parametrize(
    ("way", "expression", "visible"),
    [
        ("mig-claims", f"{_A}.uuid == '{SLICE_UUIDS[1]}'", SLICE_UUIDS[1]),
        ("mig-claims-of-cards", f"{_PROFILE} && {_A}.parentUUID == '{CARD_UUIDS[1]}'", "0"),
        ("mig-claims-by-profile", _PROFILE, "0"),
    ],
)
def test_slices_are_claimed_by_what_is_known_of_them(
    way: str, expression: str, visible: str
) -> None:
    found = _found(way)
    claim = of_kind(found, "ResourceClaim")["mig-0-gpu1"]
    (request,) = claim["spec"]["devices"]["requests"]
    assert request["exactly"]["deviceClassName"] == "mig.nvidia.com"
    assert request["exactly"]["selectors"] == [{"cel": {"expression": expression}}]
    code = of_kind(found, "Deployment")["code-0"]
    assert environment(code)["CUDA_VISIBLE_DEVICES"] == visible


def test_a_profile_with_media_engines_is_spelled_as_each_side_does() -> None:
    plan = sliced_plan()
    label = "NVIDIA-A100-SXM4-80GB-MIG-1g.10gb.me"
    plan = replace(plan, nodes=(replace(plan.nodes[0], product_label=label),))
    claims = of_kind(documents(plan, WAYS["mig-claims-by-profile"][1]), "ResourceClaim")
    (request,) = claims["mig-0-gpu0"]["spec"]["devices"]["requests"]
    expression = request["exactly"]["selectors"][0]["cel"]["expression"]
    assert expression.endswith(".profile == '1g.10gb+me'")
    router = of_kind(documents(plan), "Deployment")["router-mig-0-gpu0"]
    assert container(router)["resources"]["limits"]["nvidia.com/mig-1g.10gb.me"] == 1


def _node(**changes: object) -> NodeBudget:
    return replace(tiny_plan().nodes[0], **{"sharing": Sharing.AUTO} | changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("node", "sharing", "reason"),
    [
        (_node(), Sharing.DRA, "product and memory"),
        (live(tiny_plan()).nodes[0], Sharing.DRA, "the inventory says so"),
        (replace(live(tiny_plan()).nodes[0], sharing=Sharing.AUTO), Sharing.DRA, "UUID"),
        (_node(is_live=True), Sharing.WHOLE, "no DRA driver"),
        (_node(sharing=Sharing.HAMI), Sharing.HAMI, "the inventory says so"),
        (sliced_plan().nodes[0], Sharing.WHOLE, "by profile from the device plugin"),
        (sliced_plan(SLICE_UUIDS).nodes[0], Sharing.DRA, "UUID of every slice"),
        (replace(sliced_plan().nodes[0], sharing=Sharing.AUTO), Sharing.WHOLE, "is a MIG slice"),
    ],
)
def test_auto_chooses_from_facts_and_says_why(
    node: NodeBudget, sharing: Sharing, reason: str
) -> None:
    choice = choose_sharing(node, Sharing.AUTO)
    assert choice.sharing is sharing
    assert reason in choice.why


def test_a_choice_is_told_and_a_demand_is_not() -> None:
    lines = describe_guarantees(company_plan(), Sharing.AUTO)
    assert "pool rtx: shared by whole, because the inventory says so" in lines
    assert not any(line.startswith("pool ") for line in describe_guarantees(company_plan()))
    assert not describe_guarantees(company_plan(), Sharing.HAMI)[0].startswith("pool ")


def _card_lines(plan: Plan, sharing: Sharing | None) -> list[str]:
    return [line for line in describe_guarantees(plan, sharing) if " GiB of " in line]


@pytest.mark.parametrize("way", WAYS)
def test_only_hami_and_slices_are_said_to_hold_a_server_to_its_memory(way: str) -> None:
    plan, options = WAYS[way]
    lines = _card_lines(plan, options.sharing)
    assert len(lines) == plan.cards
    for line in lines:
        if way.startswith("mig"):
            assert "enforced by hardware for the slice, not between its models" in line
        elif way.startswith("hami"):
            assert "limited by HAMi in software" in line
        else:
            assert "not enforced" in line


def test_the_promised_figures_are_the_rendered_ones() -> None:
    first = _card_lines(*_plan_and_way("dra-memory"))[0]
    claims = of_kind(_found("dra-memory"), "ResourceClaim")
    requests = claims["l40s-0-gpu0-gpu1"]["spec"]["devices"]["requests"]
    assert f"{_requested(requests)['gpu0']} MiB accounted by the scheduler" in first
    limited = _card_lines(*_plan_and_way("hami-live"))[0]
    limits = container(of_kind(_found("hami-live"), "Deployment")["embed-0"])["resources"]["limits"]
    assert f"embed-0 {limits['nvidia.com/gpumem']} MiB" in limited


def _plan_and_way(way: str) -> tuple[Plan, Sharing | None]:
    plan, options = WAYS[way]
    return plan, options.sharing


def test_notes_name_what_each_way_needs() -> None:
    needs = {way: render(plan, options)["NOTES.md"] for way, (plan, options) in WAYS.items()}
    assert "`consumableShares=memory`" in needs["dra-memory"]
    assert "`hami-scheduler`" in needs["hami"]
    assert "MIG strategy `mixed`" in needs["mig-mixed"]
    assert "MIG strategy `single`" in needs["mig-single"]
    assert "`mig.nvidia.com`" in needs["mig-claims"]
    assert "mig.nvidia.com" not in needs["dra"]


def test_a_crowded_card_needs_another_setting_of_hami() -> None:
    plan = tiny_plan()
    first = plan.placements[0]
    many = tuple(
        replace(first, replica=number, devices=(replace(first.devices[0], high_bytes=MIB),))
        for number in range(11)
    )
    workload = replace(plan.workloads[0], replicas=11)
    plan = replace(plan, placements=many, workloads=(workload,))
    notes = render(plan, replace(SAMPLE_OPTIONS, sharing=Sharing.HAMI))["NOTES.md"]
    assert "`deviceSplitCount` must be 11 at least" in notes
