"""Candidates of workloads with a demand, goals, drafters, quality floors and partial offload."""

from dataclasses import replace

import pytest

from packer.catalogue.gpus import find_gpu
from packer.domain.demand import CachePool, Goals, PartialOffload
from packer.domain.node import Inventory, NodePool
from packer.domain.speculation import NO_SPECULATION, Drafter, Speculation
from packer.domain.workload import Draft, Headroom, Workload
from packer.solver.candidate import ServerWay
from packer.solver.candidates import CandidateSet, find_candidates, find_candidates_by_replicas
from packer.solver.fleet_instance import fleet_instance
from packer.solver.offers import offers_of
from packer.solver.quick_sizing import QuickSizing
from packer.solver.solve import solve
from packer.solver.stopping import Limits
from packer.units import GIB
from tests.demanding_fleets import demand, demanding
from tests.small_fleets import BUILD, fleet, inventory, pool, variant, workload

L40S = NodePool("l40s", find_gpu("L40S"), 4, 2, False, 384 * GIB)
RTX4060 = NodePool("small", find_gpu("RTX 4060 Laptop"), 1, 1, False, 64 * GIB)


def candidates(one: Workload, *pools: NodePool, share: float = 0.85) -> CandidateSet:
    offers = offers_of(Inventory("here", pools or (L40S,)), Headroom())
    return find_candidates(one, offers, build=BUILD, most_share=share)


def by_replicas(one: Workload, *pools: NodePool) -> tuple[CandidateSet, ...]:
    offers = offers_of(Inventory("here", pools or (L40S,)), Headroom())
    return find_candidates_by_replicas(one, offers, build=BUILD, most_share=0.85)


def drafts(found: CandidateSet) -> set[str]:
    return {str(one.way.speculation) for one in found.candidates}


def test_a_demand_gives_slots_and_a_part_of_the_cards_time() -> None:
    found = candidates(demanding("chat", 1.0)).candidates
    assert found
    for one in found:
        assert one.options.slots == one.way.slots
        assert one.options.slots is not None
        assert one.options.slots > 1
        assert one.options.context_size == 8192 * one.options.slots
        assert 0 < one.way.load_permille <= 850


def test_half_of_the_traffic_needs_fewer_slots() -> None:
    one = min(
        candidates(demanding("chat", 1.0, replicas=1)).candidates, key=lambda c: c.way.slots or 0
    )
    two = min(
        candidates(demanding("chat", 1.0, replicas=2)).candidates, key=lambda c: c.way.slots or 0
    )
    assert (two.way.slots or 0) < (one.way.slots or 0)


def test_numbers_of_replicas_begin_with_the_fewest_that_suffice() -> None:
    sets = by_replicas(demanding("chat", 8.0))
    counts = [one.workload.replicas for one in sets]
    assert counts == sorted(counts)
    assert counts[0] > 1
    assert sets[0].candidates
    fewer = candidates(demanding("chat", 8.0, replicas=counts[0] - 1))
    assert not fewer.candidates
    assert "are asked" in fewer.refused[0].reason or "arrive" in fewer.refused[0].reason


def test_stated_slots_and_replicas_are_kept() -> None:
    stated = demanding("chat", 0.5, slots=6, derives_slots=False, derives_replicas=False)
    (only,) = by_replicas(stated)
    assert {one.options.slots for one in only.candidates} == {6}


def test_replicas_are_at_least_those_that_must_stay() -> None:
    sets = by_replicas(demanding("chat", 0.2, min_available=3))
    assert sets[0].workload.replicas == 3


def test_a_shared_pool_is_smaller_than_the_slots_contexts() -> None:
    one = demanding("chat", 1.0, context_per_slot=16384, kv_unified=True)
    shared = replace(one, cache_pool=CachePool.SHARED)
    for found in candidates(shared).candidates:
        slots = found.options.slots or 0
        assert found.options.context_size == found.way.pool_cells
        assert 16384 <= (found.way.pool_cells or 0) < 16384 * slots
    sure = replace(shared, cache_pool_quantile=0.99999)
    most = max(c.way.pool_cells or 0 for c in candidates(shared).candidates)
    assert max(c.way.pool_cells or 0 for c in candidates(sure).candidates) >= most


def test_mtp_pays_at_one_slot_and_is_refused_by_a_rule_at_many() -> None:
    ways = (NO_SPECULATION, *(Speculation(Drafter.MTP, depth, 0.8) for depth in (1, 2, 3)))
    one = workload("code", "qwen3.5-27b-mtp", "Q4_K_M", speculations=ways, slots=1)
    alone = candidates(one)
    assert {"mtp, depth 1", "mtp, depth 2", "none"} <= drafts(alone)
    fastest = min(alone.candidates, key=lambda each: each.slowness)
    assert fastest.way.speculation in ways[2:]
    crowd = candidates(replace(one, slots=8))
    assert "mtp, depth 3" not in drafts(crowd)
    verdicts = {each.choice: each.reason for each in crowd.considered}
    assert "several slots" in verdicts["mtp, depth 3"]
    assert "at one slot it would be" in verdicts["mtp, depth 3"]


def test_a_drafter_costs_the_bytes_it_takes() -> None:
    ways = (NO_SPECULATION, Speculation(Drafter.MTP, 3, 0.8))
    one = workload("code", "qwen3.5-27b-mtp", "Q4_K_M", speculations=ways)
    sizes = {str(each.way.speculation): each.shares_bytes for each in candidates(one).candidates}
    assert sum(sizes["mtp, depth 3"]) > sum(sizes["none"])


def test_a_draft_model_is_loaded_only_where_it_drafts() -> None:
    ways = (NO_SPECULATION, Speculation(Drafter.DRAFT, 3, 0.9))
    draft = Draft(variant("qwen3-0.6b", "Q8_0"))
    one = workload("chat", "qwen3-32b", "Q4_K_M", speculations=ways, draft=draft)
    found = {str(each.way.speculation): each for each in candidates(one).candidates}
    assert found["none"].options.draft is None
    assert found["draft, depth 3"].options.draft is not None
    drafted = found["draft, depth 3"].estimate.devices[0]
    assert drafted.draft_weights_bytes > 0


def test_a_slow_draft_names_the_rule_of_five() -> None:
    ways = (NO_SPECULATION, Speculation(Drafter.DRAFT, 3, 0.7))
    draft = Draft(variant("qwen3-14b", "Q4_K_M"))
    one = workload("chat", "qwen3-32b", "Q4_K_M", speculations=ways, draft=draft)
    found = candidates(one)
    assert drafts(found) == {"none"}
    (verdict,) = [each for each in found.considered if each.choice.startswith("draft")]
    assert "five times" in verdict.reason
    assert "× as fast as the model" in verdict.reason


def test_a_goal_without_demand_is_that_of_all_slots() -> None:
    slow = workload("chat", "llama-3.1-8b", "Q4_K_M", goals=Goals(60.0), slots=32)
    assert not candidates(slow).candidates
    assert "60 are asked" in candidates(slow).refused[0].reason
    assert candidates(replace(slow, slots=1)).candidates


def test_too_little_memory_for_the_weights_is_said_without_sizing_any() -> None:
    one = demanding("large", 0.5, "llama-3.1-405b", "Q8_0")
    found = candidates(one)
    assert not found.candidates
    assert "GiB for weights alone, 4 cards have" in found.refused[0].reason


def test_experts_leave_the_card_before_layers_and_only_if_allowed() -> None:
    moe = workload("moe", "gpt-oss-20b", "MXFP4")
    assert not candidates(moe, RTX4060).candidates
    experts = candidates(replace(moe, partial_offload=PartialOffload.EXPERTS), RTX4060).candidates
    (one,) = experts
    assert one.options.cpu_moe_layers > 0
    assert one.options.gpu_layers == one.estimate.layers.count(0)
    fewer = replace(one.options, cpu_moe_layers=one.options.cpu_moe_layers - 1)
    assert fewer.cpu_moe_layers >= 0
    layers = candidates(replace(moe, partial_offload=PartialOffload.LAYERS), RTX4060).candidates
    assert [each.options.cpu_moe_layers for each in layers] == [one.options.cpu_moe_layers]


def test_layers_of_a_dense_model_leave_only_if_layers_may() -> None:
    dense = workload("dense", "qwen3-14b", "Q6_K")
    experts = replace(dense, partial_offload=PartialOffload.EXPERTS)
    assert not candidates(experts, RTX4060).candidates
    (one,) = candidates(replace(dense, partial_offload=PartialOffload.LAYERS), RTX4060).candidates
    assert 0 < (one.options.gpu_layers or 0) < 41
    assert -1 in one.estimate.layers


def test_what_fits_a_card_is_never_offloaded() -> None:
    one = workload("small", partial_offload=PartialOffload.LAYERS)
    for found in candidates(one, RTX4060).candidates:
        assert -1 not in found.estimate.layers


def test_offloaded_layers_count_in_goals() -> None:
    dense = workload("dense", "qwen3-14b", "Q6_K", partial_offload=PartialOffload.LAYERS)
    fast = replace(dense, goals=Goals(30.0))
    found = candidates(fast, RTX4060)
    assert not found.candidates
    assert "tokens/s per slot" in found.refused[0].reason


def test_quality_floors_refuse_files_and_caches_in_words() -> None:
    one = workload("chat", "llama-3.1-8b", "Q8_0", "IQ3_XXS")
    one = replace(one, cache_types=("q8_0", "q4_0"), is_high_fidelity=True, min_bits_per_weight=4.0)
    found = candidates(one)
    assert {each.variant for each in found.candidates} == {0}
    assert {each.options.cache_type_k for each in found.candidates} == {"q8_0"}
    said = " ".join(each.reason for each in found.refused)
    assert "fidelity: high forbids a q4_0 cache" in said
    assert "bits per weight, at least 4 are asked" in said


@pytest.mark.parametrize(("limit", "cards"), [(100, 1), (60, 2)])
def test_load_is_a_capacity_beside_memory(limit: int, cards: int) -> None:
    """Two workloads of which each needs about half of a card share it only if both fit in time."""
    here = inventory(pool("l40s", find_gpu("L40S"), gpus=1, nodes=3))
    asked = fleet(
        *(demanding(n, 0.35, decode=8.0, first=10.0, derives_replicas=False) for n in ("a", "b")),
        load_limit_percent=limit,
    )
    offers = offers_of(here, asked.headroom)
    sets = [
        find_candidates(one, offers, build=BUILD, most_share=limit / 100) for one in asked.workloads
    ]
    packed = fleet_instance(asked, here, sets)
    assert packed.instance.dims == ("vram_mib", "load_permille")
    least = [min(one.way.load_permille for one in each.candidates) for each in sets]
    assert (sum(least) <= 10 * limit) == (cards == 1), least
    assert solve(packed.instance, Limits(time_seconds=600)).objective == cards


def test_without_any_demand_memory_is_the_only_dimension() -> None:
    here = inventory(pool("l40s", find_gpu("L40S")))
    asked = fleet(workload("chat"))
    sets = [candidates(one) for one in asked.workloads]
    assert fleet_instance(asked, here, sets).instance.dims == ("vram_mib",)


def test_bursts_need_more_time() -> None:
    calm = candidates(demanding("chat", 0.6, first=2.0)).candidates
    wild = candidates(demanding("chat", 0.6, first=2.0, demand=demand(0.6, 6.0))).candidates
    assert min(c.way.load_permille for c in wild) > min(c.way.load_permille for c in calm)


@pytest.mark.parametrize(
    "model", ["gemma-3n-e4b", "gemma-3-12b", "glm-4.7-flash", "qwen3.5-27b-mtp", "llama-3.1-8b"]
)
def test_what_is_not_sized_would_not_have_fitted(model: str) -> None:
    """The bound that spares sizing is below the bytes, or cards that fit would be left out."""
    one = workload("a", model, "Q4_K_M")
    (offer,) = offers_of(Inventory("here", (L40S,)), Headroom())
    sizing = QuickSizing(one, one.variants[0], "f16", offer, BUILD, ServerWay(slots=8))
    _, estimate = sizing.estimate((sizing.layers,))
    real = estimate.devices[0].high_bytes
    tight = replace(offer, room_bytes=real)
    found = QuickSizing(one, one.variants[0], "f16", tight, BUILD, ServerWay(slots=8))
    assert [len(each.devices) for _, each in found.fitting()] == [1]
    small = replace(offer, room_bytes=real // 20, cards=2)
    refused = QuickSizing(one, one.variants[0], "f16", small, BUILD, ServerWay(slots=8))
    assert not list(refused.fitting())
    assert "for weights and cache alone, 2 cards have" in refused.refusal()
