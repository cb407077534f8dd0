"""Candidates of real catalogue models on real products."""

from dataclasses import replace

import pytest

from packer.catalogue.gpus import find_gpu
from packer.catalogue.models import load_model_file
from packer.domain.node import Inventory, NodePool
from packer.domain.workload import Headroom, Variant, Workload
from packer.solver.candidates import (
    CandidateSet,
    _undominated,
    find_candidates,
)
from packer.solver.offers import offers_of
from packer.solver.replica_options import workload_options
from packer.units import GIB

L40S = NodePool("l40s", find_gpu("L40S"), 4, 3, False, 384 * GIB)
RTX4090 = NodePool("rtx", find_gpu("RTX 4090"), 2, 2, False, 128 * GIB)


def workload(model: str, *quantizations: str, **options: object) -> Workload:
    variants = tuple(Variant(name, load_model_file(model, name)) for name in quantizations)
    basic = Workload("w", model, variants, context_per_slot=16384, slots=4)
    return replace(basic, **options)  # type: ignore[arg-type]


def candidates_of(one: Workload, *pools: NodePool) -> CandidateSet:
    headroom = Headroom()
    offers = offers_of(Inventory("i", pools), headroom)
    return find_candidates(one, offers, build="b11434")


def test_a_large_model_is_split_over_as_few_cards_as_hold_it_and_one_more() -> None:
    found = candidates_of(workload("llama-3.1-70b", "Q5_K_M"), L40S)
    assert {len(one.shares_bytes) for one in found.candidates} == {2, 3}
    room = L40S.gpu.allocatable_bytes - Headroom().on(L40S.gpu.allocatable_bytes)
    assert all(max(one.shares_bytes) <= room for one in found.candidates)
    assert all(sum(one.options.tensor_split) == 81 for one in found.candidates)


def test_penalty_orders_by_quantization_then_cache_then_cards() -> None:
    one = workload("llama-3.1-70b", "Q5_K_M", "Q4_K_M", cache_types=("f16", "q8_0"))
    found = candidates_of(one, L40S).candidates
    ranks = sorted(found, key=lambda c: c.penalty)
    keys = [(c.variant, c.cache_rank, len(c.shares_bytes)) for c in ranks]
    assert keys == sorted(keys)


def test_what_fits_nowhere_is_refused_with_the_arithmetic() -> None:
    found = candidates_of(workload("llama-3.1-405b", "Q8_0"), RTX4090)
    assert found.candidates == ()
    (refused,) = found.refused
    assert "on each of 2 cards" in refused.reason
    assert "a card has 23.0 GiB" in refused.reason


def test_node_memory_is_a_reason_too() -> None:
    small = replace(L40S, host_memory_bytes=GIB)
    found = candidates_of(workload("llama-3.1-8b", "Q4_K_M"), small)
    assert found.candidates == ()
    assert "node memory" in found.refused[0].reason


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"refused_gpus": ("L40S",)}, "the fleet file refuses this product"),
        ({"allowed_gpus": ("RTX 4090",)}, "not among the products the fleet file allows"),
    ],
)
def test_products_the_fleet_bars_have_no_candidates(
    options: dict[str, object], reason: str
) -> None:
    found = candidates_of(workload("llama-3.1-8b", "Q4_K_M", **options), L40S, RTX4090)
    assert {one.gpu for one in found.candidates} == {"RTX 4090"}
    assert [refused.reason for refused in found.refused] == [reason]


def test_max_gpus_limits_the_split() -> None:
    found = candidates_of(workload("llama-3.1-70b", "Q5_K_M", max_gpus=1), L40S)
    assert found.candidates == ()
    found = candidates_of(workload("llama-3.1-70b", "Q5_K_M", max_gpus=2), L40S)
    assert {len(one.shares_bytes) for one in found.candidates} == {2}


def test_each_slot_gets_the_context_that_was_asked_whatever_the_padding() -> None:
    one = workload("llama-3.1-8b", "Q4_K_M", context_per_slot=5000, slots=3)
    options = workload_options(one, one.variants[0], "f16")
    assert options.context_size == 3 * 5120
    estimates = [c.estimate for c in candidates_of(one, L40S).candidates]
    assert all(e.context_cells_per_slot >= 5000 for e in estimates)


def test_a_pooled_input_fits_one_physical_batch() -> None:
    one = workload("qwen3-embedding-0.6b", "F16", embedding=True, context_per_slot=4096, slots=4)
    options = workload_options(one, one.variants[0], "f16")
    assert options.ubatch_size == options.batch_size == 4096


def test_memory_taken_on_every_card_shrinks_the_offer() -> None:
    held = {f"rtx-{node}": {0: 4 * GIB, 1: 6 * GIB} for node in range(2)}
    (offer,) = offers_of(Inventory("i", (replace(RTX4090, taken=held),)), Headroom())
    allocatable = RTX4090.gpu.allocatable_bytes
    assert offer.room_bytes == allocatable - 4 * GIB - Headroom().on(allocatable)


def test_no_candidate_beats_another_of_the_same_shape() -> None:
    found = candidates_of(
        workload("llama-3.1-8b", "Q8_0", "Q4_K_M", cache_types=("f16", "q8_0")), L40S, RTX4090
    ).candidates
    for one in found:
        for other in found:
            if one is other or one.gpu != other.gpu:
                continue
            if len(one.shares_bytes) == len(other.shares_bytes):
                better = one.penalty <= other.penalty
                smaller = all(
                    a <= b
                    for a, b in zip(
                        sorted(one.shares_bytes), sorted(other.shares_bytes), strict=True
                    )
                )
                assert not (better and smaller and one.host_bytes <= other.host_bytes)


def test_a_process_uses_at_most_the_cards_llama_cpp_can() -> None:
    many = replace(RTX4090, gpus_per_node=64, host_memory_bytes=4096 * GIB)
    found = candidates_of(workload("llama-3.1-405b", "Q8_0"), many)
    assert found.candidates == ()
    assert "on each of 16 cards" in found.refused[0].reason
    found = candidates_of(workload("llama-3.1-70b", "F16"), many)
    assert 2 <= max(len(one.shares_bytes) for one in found.candidates) <= 16


def test_no_card_is_left_without_a_layer() -> None:
    tiny = replace(L40S, gpus_per_node=32, gpu=replace(L40S.gpu, allocatable_bytes=GIB // 2))
    found = candidates_of(workload("bge-m3", "F16", context_per_slot=512, embedding=True), tiny)
    assert found.candidates == ()
    assert "on each of 16 cards, a card has 0.0 GiB" in found.refused[0].reason


def test_a_cache_type_the_model_cannot_have_is_refused_and_the_next_is_taken() -> None:
    one = workload("llama-3.1-8b", "Q4_K_M", cache_types=("q8_0", "f16"), flash_attention="off")
    found = candidates_of(one, L40S)
    assert {c.options.cache_type_k for c in found.candidates} == {"f16"}
    (refused,) = found.refused
    assert (refused.cache_type, refused.gpu) == ("q8_0", "L40S")
    assert "flash attention" in refused.reason


def test_a_smaller_demand_of_node_memory_is_a_reason_to_keep() -> None:
    (one,) = candidates_of(workload("llama-3.1-8b", "Q4_K_M"), L40S).candidates
    host = replace(one.estimate.host, weights_bytes=one.estimate.host.weights_bytes + 1)
    worse = replace(one, estimate=replace(one.estimate, host=host))
    less_wanted = replace(one, penalty=one.penalty + 1)
    assert list(_undominated([worse, less_wanted, one])) == [one]
    other = replace(one, options=replace(one.options, tensor_split=(1.0, 2.0)))
    assert len(list(_undominated([one, other]))) == 1
