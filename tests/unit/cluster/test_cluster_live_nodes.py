"""What is concluded from published objects: cards, holdings, and what is left out."""

from dataclasses import replace

import pytest

from packer.domain.node import Sharing
from tests.cluster.hardware import (
    A100,
    L40S,
    RTX_4090,
    Machine,
    device,
    hami_node,
    labelled_node,
    mig_device,
    node,
    published_slice,
    resource_slice,
)
from tests.cluster.observed import claim, described, pod

MACHINE = Machine("n0", L40S, 4, "384Gi", "eu-a")
GIB = 2**30


def test_slices_name_every_card_in_bus_order() -> None:
    published = published_slice(MACHINE)
    published["spec"]["devices"].reverse()
    (live,), left_out = described([node(MACHINE)], [published])
    assert [card.uuid for card in live.cards] == [MACHINE.uuid(index) for index in range(4)]
    assert (live.offers, live.host_free_bytes) == ((Sharing.DRA,), 384 * GIB)
    assert live.cards[0].kind.compute_capability == "8.9"
    assert not left_out


def test_consumable_memory_is_seen_and_parts_of_it_are_held() -> None:
    published = published_slice(MACHINE, shares=True)
    claims = [claim("n0", "gpu-1", memory="10Gi"), claim("n0", "gpu-1", memory="4Gi")]
    (live,), _ = described([node(MACHINE)], [published], claims)
    assert live.offers[0] is Sharing.DRA_MEMORY
    assert [card.held_bytes for card in live.cards] == [0, 14 * GIB, 0, 0]
    assert not any(card.is_held_whole for card in live.cards)


def test_a_claim_without_capacity_holds_the_whole_card_but_admin_access_holds_nothing() -> None:
    claims = [claim("n0", "gpu-2"), claim("n0", "gpu-3", admin=True)]
    (live,), _ = described([node(MACHINE)], [published_slice(MACHINE)], claims)
    assert [card.is_held_whole for card in live.cards] == [False, False, True, False]


@pytest.mark.parametrize(("generation", "present"), [(1, 1), (2, 1)])
def test_half_published_pools_are_left_out(generation: int, present: int) -> None:
    cards = [device(MACHINE, index) for index in range(4)]
    slices = [resource_slice(MACHINE, cards[:2], generation=generation, count=2)]
    if generation == 2:
        # The older generation is complete and must not be used in its place.
        slices.append(resource_slice(MACHINE, cards, generation=1, count=1))
    lives, (left_out,) = described([node(MACHINE)], slices)
    assert not lives
    assert f"{present} of 2 ResourceSlices of generation {generation}" in left_out.reason


def test_the_highest_generation_wins() -> None:
    older = resource_slice(MACHINE, [device(MACHINE, 0)], generation=1)
    newer = resource_slice(MACHINE, [device(MACHINE, 0), device(MACHINE, 1)], generation=2)
    (live,), _ = described([node(MACHINE)], [newer, older])
    assert len(live.cards) == 2


def test_mixed_cards_of_one_node_keep_the_larger_kind_and_say_so() -> None:
    mixed = [device(MACHINE, 0), device(MACHINE, 1), device(replace(MACHINE, card=RTX_4090), 2)]
    (live,), _ = described([node(MACHINE)], [resource_slice(MACHINE, mixed)])
    assert {card.kind.product for card in live.cards} == {"NVIDIA L40S"}
    assert "1 × NVIDIA GeForce RTX 4090" in live.notes[0]


def test_a_tainted_device_is_taken_and_named() -> None:
    published = published_slice(MACHINE)
    taint = {"key": "gpu.nvidia.com/xid", "value": "79", "effect": "NoSchedule"}
    published["spec"]["devices"][3]["taints"] = [taint]
    (live,), _ = described([node(MACHINE)], [published])
    assert [card.is_held_whole for card in live.cards] == [False, False, False, True]
    assert "gpu-3 is tainted gpu.nvidia.com/xid=79:NoSchedule" in live.notes


def test_static_mig_slices_are_cards_of_their_own() -> None:
    machine = Machine("m0", A100, 1, "960Gi")
    slices = [mig_device(machine, 0, place, "3g.40gb", "40192Mi") for place in (0, 4)]
    (live,), _ = described([node(machine)], [resource_slice(machine, slices)])
    assert live.offers == (Sharing.MIG,)
    assert [card.kind.profile for card in live.cards] == ["3g.40gb"] * 2


def test_dynamic_mig_counts_cards_not_every_way_to_cut_them() -> None:
    machine = Machine("m0", A100, 1, "960Gi")
    devices = [device(machine, 0), *(mig_device(machine, 0, 0, p, "9856Mi") for p in ("1g.10gb",))]
    (live,), _ = described([node(machine)], [resource_slice(machine, devices)])
    assert [card.uuid for card in live.cards] == [machine.uuid(0)]


def test_labels_tell_the_cards_and_pods_how_many_are_left() -> None:
    pods = [pod("n0", memory="100Gi", resources={"nvidia.com/gpu": "1"})]
    (live,), _ = described([labelled_node(MACHINE)], pods=pods)
    assert live.offers == (Sharing.WHOLE,)
    assert [card.is_held_whole for card in live.cards] == [False, False, False, True]
    assert live.host_free_bytes == 284 * GIB
    assert "pods hold 1 of its cards" in live.notes[0]


@pytest.mark.parametrize(
    ("label", "value", "words"),
    [
        ("nvidia.com/gpu.product", None, "no label nvidia.com/gpu.product"),
        ("nvidia.com/gpu.memory", None, "no label nvidia.com/gpu.memory"),
        ("nvidia.com/gpu.memory", "lots", "is 'lots'"),
        ("nvidia.com/gpu.count", "3", "labels tell 3 cards, the device plugin offers 4"),
        ("nvidia.com/gpu.replicas", "4", "labels tell 4 cards × 4 replicas"),
        ("nvidia.com/gpu.sharing-strategy", "time-slicing", "time-slicing"),
        ("nvidia.com/gpu.product", "NVIDIA-L40S-SHARED", "nobody knows which card"),
    ],
)
def test_missing_or_contradictory_labels_leave_the_node_out(
    label: str, value: str | None, words: str
) -> None:
    item = labelled_node(MACHINE)
    labels = item["metadata"]["labels"]
    if value is None:
        del labels[label]
    else:
        labels[label] = value
    lives, (left_out,) = described([item])
    assert not lives
    assert words in left_out.reason


def test_hami_registers_uuids_and_its_annotation_tells_what_is_taken() -> None:
    taker = pod("n0", resources={"nvidia.com/gpu": "1", "nvidia.com/gpumem": "3000"})
    taken = f"{MACHINE.uuid(2)},NVIDIA,3000,30:;"
    taker["metadata"]["annotations"] = {"hami.io/vgpu-devices-allocated": taken}
    (live,), _ = described([hami_node(MACHINE)], pods=[taker])
    assert live.offers == (Sharing.HAMI,)
    assert [card.held_bytes >> 20 for card in live.cards] == [0, 0, 3000, 0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"spec": {"unschedulable": True}}, "cordoned"),
        ({"spec": {"taints": [{"key": "team", "value": "x", "effect": "NoExecute"}]}}, "team=x"),
        ({"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}, "not ready"),
        ({"spec": {"taints": [{"key": "nvidia.com/gpu", "effect": "NoSchedule"}]}}, ""),
        ({"spec": {"taints": [{"key": "busy", "effect": "PreferNoSchedule"}]}}, ""),
    ],
)
def test_nodes_that_take_no_pods_say_why(change: dict[str, dict[str, object]], words: str) -> None:
    item = labelled_node(MACHINE)
    for part, values in change.items():
        item.setdefault(part, {}).update(values)
    (live,), _ = described([item])
    assert (words in live.node.refusal) if words else not live.node.refusal


def test_nodes_without_gpus_are_no_business_of_ours() -> None:
    assert described([node(Machine("cpu", L40S, 0, "64Gi"))]) == ([], [])
