from dataclasses import replace
from itertools import chain, permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from packer.domain.node import Sharing
from packer.kubernetes_objects.card_groups import card_groups
from packer.kubernetes_objects.resource_claim import claim_parts
from packer.kubernetes_objects.sharing_choice import sharing_of
from packer.plan.plan import Plan
from tests.rendered_plans import SAMPLE_OPTIONS, container, documents, environment, live, of_kind
from tests.sample_plans import (
    L40S_BYTES,
    company_plan,
    device_bytes,
    node,
    placement,
    plan_of,
    summary,
    tiny_plan,
)

CARDS = 5


@st.composite
def split_plans(draw: st.DrawFn) -> Plan:
    """One node of five cards with a few replicas, each on some of them in any order."""
    sets = draw(
        st.lists(
            st.permutations(range(CARDS)).flatmap(
                lambda order: st.integers(1, 3).map(lambda count: tuple(order[:count]))
            ),
            min_size=1,
            max_size=5,
        )
    )
    placements = tuple(
        placement(
            f"w{number}",
            0,
            "n-0",
            gpus,
            tuple(device_bytes(1 + number + place / 8, 0.5) for place in range(len(gpus))),
            file=f"w{number}.gguf",
        )
        for number, gpus in enumerate(sets)
    )
    budget = node("n-0", "n", "L40S", "NVIDIA-L40S", L40S_BYTES, CARDS, placements)
    workloads = tuple(summary(placed.workload, "m", "llama") for placed in placements)
    plan = plan_of("p", workloads, placements, (budget,), baselines=tiny_plan().baselines)
    return live(plan) if draw(st.booleans()) else plan


def test_company_groups() -> None:
    groups = card_groups(company_plan(), None)
    assert [group.name for group in groups] == [
        "l40s-0-gpu0-gpu1",
        "l40s-0-gpu2",
        "l40s-1-gpu0-gpu1",
        "a100-0-gpu0-gpu1-gpu2",
        "rtx-0-gpu0",
        "rtx-0-gpu1",
    ]
    assert [len(group.placements) for group in groups] == [2, 1, 1, 2, 1, 2]
    assert [group.sharing for group in groups] == [Sharing.DRA] * 4 + [Sharing.WHOLE] * 2
    assert groups[3].device_names(groups[3].placements[1]) == ("CUDA1", "CUDA2")


def test_auto_is_dra_and_an_override_wins() -> None:
    first = tiny_plan().nodes[0]
    assert sharing_of(replace(first, sharing=Sharing.AUTO), None) is Sharing.DRA
    assert sharing_of(first, Sharing.WHOLE) is Sharing.WHOLE
    assert sharing_of(first, Sharing.AUTO) is Sharing.DRA


@settings(deadline=None)
@given(split_plans())
def test_groups_partition_the_used_cards_and_no_replica_crosses_two(plan: Plan) -> None:
    groups = card_groups(plan, None)
    used = {gpu for placed in plan.placements for gpu in placed.gpus}
    assert sorted(chain.from_iterable(group.gpus for group in groups)) == sorted(used)
    for placed in plan.placements:
        assert sum(set(placed.gpus) <= set(group.gpus) for group in groups) == 1
    assert sum(len(group.placements) for group in groups) == len(plan.placements)
    for group in groups:
        assert len(group.gpus) == 1 or any(len(placed.gpus) > 1 for placed in group.placements)


@settings(max_examples=40, deadline=None)
@given(split_plans())
def test_whatever_cards_a_claim_is_given_what_is_planned_together_meets(plan: Plan) -> None:
    """Play allocator and CUDA: give each request any card, number them by bus, add up the bytes."""
    found = documents(plan)
    deployments = of_kind(found, "Deployment")
    for group in card_groups(plan, None):
        claims = of_kind(found, "ResourceClaim")
        requests = {
            part.name: claims[part.name]["spec"]["devices"]["requests"]
            for part in claim_parts(group)
        }
        planned = [card.used_bytes for card in group.cards]
        for buses in permutations(range(len(group.gpus))):
            cards_of = _allocation(requests, buses)
            loads: dict[int, int] = {}
            for placed in group.placements:
                cards = _visible(deployments[f"{placed.workload}-0"], cards_of)
                assert len(cards) == len(placed.gpus)
                for card, device in zip(cards, placed.devices, strict=True):
                    loads[card] = loads.get(card, 0) + device.high_bytes
            if group.is_pinned:
                assert [loads[gpu] for gpu in group.gpus] == planned
            else:
                assert [loads[bus] for bus in sorted(loads)] == planned


def _allocation(
    requests: dict[str, list[dict[str, object]]], buses: tuple[int, ...]
) -> dict[str, list[int]]:
    """Claim → cards: the named one of a pinned request, any other by its place on the bus."""
    cards_of: dict[str, list[int]] = {}
    places = iter(buses)
    for claim, wanted in requests.items():
        for request in wanted:
            expression = str(request["exactly"]["selectors"][0]["cel"]["expression"])  # type: ignore[index]
            uuid = expression.partition("GPU-")[2].rstrip("'")
            bus = next(places)
            card = int(uuid.rpartition("-")[2]) if uuid else bus
            cards_of.setdefault(claim, []).append(card)
    return cards_of


def _visible(deployment: dict[str, object], cards_of: dict[str, list[int]]) -> list[int]:
    """Cards of a container in CUDA's order."""
    pod = deployment["spec"]["template"]["spec"]  # type: ignore[index]
    claims = {one["name"]: one["resourceClaimName"] for one in pod["resourceClaims"]}
    used = container(deployment)["resources"]["claims"]
    assert [one["name"] for one in used] == list(claims)
    by_bus = sorted(card for name in claims.values() for card in cards_of[name])
    wanted = environment(deployment)["CUDA_VISIBLE_DEVICES"].split(",")
    if wanted[0].startswith("GPU-"):
        cards = [int(uuid.rpartition("-")[2]) for uuid in wanted]
        assert sorted(cards) == by_bus
        return cards
    return [by_bus[int(place)] for place in wanted]


def test_whole_cards_number_devices_inside_the_group() -> None:
    found = documents(company_plan(), replace(SAMPLE_OPTIONS, sharing=Sharing.WHOLE))
    preset = of_kind(found, "ConfigMap")["router-a100-0-gpu0-gpu1-gpu2"]["data"]["preset.ini"]
    assert "[moe]" in preset
    assert "device = CUDA0,CUDA1" in preset
    assert "device = CUDA1,CUDA2" in preset
    router = of_kind(found, "Deployment")["router-a100-0-gpu0-gpu1-gpu2"]
    assert container(router)["resources"]["limits"]["nvidia.com/gpu"] == 3
    assert not of_kind(found, "ResourceClaim")
