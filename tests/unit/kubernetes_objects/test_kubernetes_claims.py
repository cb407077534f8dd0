from dataclasses import replace

from packer.kubernetes_objects.card_groups import card_groups
from packer.kubernetes_objects.resource_claim import (
    container_claims,
    pod_claims,
    resource_claim,
    visible_devices,
)
from packer.plan.plan import Plan
from tests.rendered_plans import documents, live, of_kind
from tests.sample_plans import company_plan, tiny_plan


def _visible(plan: Plan) -> dict[str, tuple[str, object]]:
    return {
        f"{placed.workload}-{placed.replica}": (
            visible_devices(group, placed),
            container_claims(group, placed),
        )
        for group in card_groups(plan, None)
        for placed in group.placements
    }


def test_a_claim_asks_for_the_product_with_its_memory() -> None:
    (group,) = card_groups(tiny_plan(), None)
    claim = resource_claim(tiny_plan(), group, "", "0" * 64)
    assert claim["apiVersion"] == "resource.k8s.io/v1"
    assert claim["spec"] == {
        "devices": {
            "requests": [
                {
                    "name": "gpu0",
                    "exactly": {
                        "deviceClassName": "gpu.nvidia.com",
                        "selectors": [
                            {
                                "cel": {
                                    "expression": "device.attributes['gpu.nvidia.com'].productName"
                                    ".replace(' ', '-') == 'NVIDIA-L40S' && "
                                    "device.capacity['gpu.nvidia.com'].memory"
                                    ".compareTo(quantity('45467Mi')) >= 0"
                                }
                            }
                        ],
                    },
                }
            ]
        }
    }
    assert pod_claims(group, group.placements[0]) == [
        {"name": "gpu", "resourceClaimName": "lab-0-gpu0"}
    ]


def test_a_live_plan_names_its_cards_each_with_a_claim_of_its_own() -> None:
    claims = of_kind(documents(live(company_plan())), "ResourceClaim")
    for card in range(3):
        (request,) = claims[f"a100-0-gpu{card}"]["spec"]["devices"]["requests"]
        assert request["name"] == f"gpu{card}"
        assert request["exactly"]["selectors"][0]["cel"]["expression"] == (
            f"device.attributes['gpu.nvidia.com'].uuid == 'GPU-00000000-0000-0000-0003-{card:012d}'"
        )
        annotations = claims[f"a100-0-gpu{card}"]["metadata"]["annotations"]
        assert annotations["gpu-packer/planned-bytes"].startswith(f"gpu{card}=")
        assert "," not in annotations["gpu-packer/planned-bytes"]


def test_without_uuids_cards_are_counted_by_bus_among_all_of_the_group() -> None:
    assert _visible(company_plan()) == {
        "chat-0": ("0,1", [{"name": "gpu"}]),
        "chat-1": ("0,1", [{"name": "gpu"}]),
        "embed-0": ("0", [{"name": "gpu"}]),
        "code-0": ("0", [{"name": "gpu"}]),
        "moe-0": ("0,1", [{"name": "gpu"}]),
        "oss-0": ("1,2", [{"name": "gpu"}]),
        "embed-1": ("0", [{"name": "gpu"}]),
        "vision-0": ("0", [{"name": "gpu"}]),
        "small-0": ("0", [{"name": "gpu"}]),
    }


def test_with_uuids_a_container_sees_its_own_cards_only() -> None:
    visible = _visible(live(company_plan()))
    first = "GPU-00000000-0000-0000-0000-000000000000"
    assert visible["embed-0"] == (first, [{"name": "gpu0"}])
    assert visible["chat-0"][0] == f"{first},GPU-00000000-0000-0000-0000-000000000001"
    assert visible["chat-0"][1] == [{"name": "gpu0"}, {"name": "gpu1"}]
    assert visible["oss-0"][1] == [{"name": "gpu1"}, {"name": "gpu2"}]


def test_one_unknown_uuid_unpins_the_whole_group() -> None:
    plan = live(company_plan())
    first = plan.nodes[0]
    cards = (replace(first.cards[0], uuid=""), *first.cards[1:])
    plan = replace(plan, nodes=(replace(first, cards=cards), *plan.nodes[1:]))
    visible = _visible(plan)
    assert visible["chat-0"] == ("0,1", [{"name": "gpu"}])
    assert visible["code-0"][0].startswith("GPU-")


def test_a_reversed_split_keeps_its_order() -> None:
    plan = company_plan()
    turned = replace(plan.placements[0], gpus=(1, 0))
    plan = replace(plan, placements=(turned, *plan.placements[1:]))
    assert _visible(plan)["chat-0"][0] == "1,0"
    assert _visible(live(plan))["chat-0"][0].endswith("-000000000000")


def test_claims_carry_the_bytes_of_their_cards() -> None:
    plan = company_plan()
    claims = of_kind(documents(plan), "ResourceClaim")
    cards = plan.nodes[0].cards
    assert claims["l40s-0-gpu0-gpu1"]["metadata"]["annotations"]["gpu-packer/planned-bytes"] == (
        f"gpu0={cards[0].used_bytes},gpu1={cards[1].used_bytes}"
    )
