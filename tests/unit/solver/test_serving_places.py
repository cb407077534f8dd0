"""What a replica needs of its cards' time where its layers really are, and what is said of it."""

from dataclasses import replace

import pytest

from packer.catalogue.gpus import find_gpu
from packer.domain.demand import CachePool, Goals, PartialOffload
from packer.domain.node import Inventory, NodePool
from packer.domain.workload import Headroom, Workload
from packer.performance.queueing import ServerQueue
from packer.performance.serving_goal import ladder, meets_goals, shortfall
from packer.performance.tokens_in_flight import tokens_in_flight
from packer.solver.candidate import Candidate, Offer
from packer.solver.candidates import CandidateSet, find_candidates
from packer.solver.offers import offers_of
from packer.solver.serving_case import ServingCase
from packer.solver.serving_ways import ServingWays, rounded_share
from packer.solver.sizing import Sizing
from packer.units import GIB
from tests.demanding_fleets import demand, demanding
from tests.small_fleets import BUILD, workload

L40S = NodePool("l40s", find_gpu("L40S"), 4, 2, False, 384 * GIB)
RTX4060 = NodePool("small", find_gpu("RTX 4060 Laptop"), 1, 1, False, 64 * GIB)
RTX4090 = NodePool("quick", find_gpu("RTX 4090"), 4, 2, False, 384 * GIB)
MOST = 0.85


def offer_of(pool: NodePool) -> Offer:
    (offer,) = offers_of(Inventory("here", (pool,)), Headroom())
    return offer


def candidates(one: Workload, offer: Offer, share: float = MOST) -> CandidateSet:
    return find_candidates(one, (offer,), build=BUILD, most_share=share)


def case_of(one: Workload, offer: Offer, placed: Candidate | None = None) -> ServingCase:
    plain = ServingCase(one, one.variants[0], "f16", offer, most_share=MOST, build=BUILD)
    return plain.placed(placed.estimate.layers, placed.options) if placed else plain


def few_and_slow(model: str, file: str, rate: float, **options: object) -> Workload:
    """Traffic of one replica with goals that even a slow card reaches."""
    return demanding(
        "a", rate, model, file, decode=3.0, first=60.0, derives_replicas=False, **options
    )


def two_cards_by_their_bytes(one: Workload) -> Offer:
    """A card as large as all that a replica holds on it, and smaller than its file."""
    wide = replace(offer_of(L40S), cards=2)
    size = Sizing(one, one.variants[0], "f16", wide, BUILD)
    _, estimate = size.estimate((size.layers,))
    room = estimate.devices[0].high_bytes
    assert room < one.variants[0].model.file_bytes
    return replace(wide, room_bytes=room)


QWEN = few_and_slow("qwen3-32b", "Q4_K_M", 0.3)
EXPERTS = few_and_slow("gpt-oss-20b", "MXFP4", 0.02, partial_offload=PartialOffload.EXPERTS)


@pytest.mark.parametrize(
    ("one", "pool", "cards"),
    [(QWEN, L40S, 2), (QWEN, L40S, 1), (EXPERTS, RTX4060, 1)],
    ids=["wider than its file needs", "one card", "experts on the CPU"],
)
def test_the_share_is_just_enough_with_the_layers_where_they_are(
    one: Workload, pool: NodePool, cards: int
) -> None:
    offer = offer_of(pool)
    found = [each for each in candidates(one, offer).candidates if _cards(each) == cards]
    assert found
    for each in found:
        case = case_of(one, offer, each)
        load, asked = case.load(case.drafting(None)), case.asked(1)
        slots, share = each.way.slots or 0, each.way.load_permille / 1000
        assert meets_goals(load, asked, slots, share)
        assert not meets_goals(load, asked, slots, share - 0.02)


def _cards(one: Candidate) -> int:
    return len(one.estimate.devices)


def test_a_pool_holds_what_is_in_flight_with_the_share_that_is_planned() -> None:
    one = replace(QWEN, cache_pool=CachePool.SHARED, kv_unified=True)
    offer = offer_of(RTX4090)
    found = [each for each in candidates(one, offer).candidates if _cards(each) == 2]
    assert found
    sized = {
        way.slots: way.load_permille for way in ServingWays(case_of(one, offer)).of(None, 1)[0]
    }
    for each in found:
        assert each.way.load_permille >= sized[each.way.slots]
        case = case_of(one, offer)
        rate = case.asked(1).rate / (each.way.load_permille / 1000)
        queue = ServerQueue(case.load(case.drafting(None)), rate, each.way.slots or 0)
        held = tokens_in_flight(queue, case.demand.mix).quantile(one.cache_pool_quantile)
        assert held <= (each.way.pool_cells or 0)


def test_experts_on_the_cpu_may_be_too_slow_for_the_goals() -> None:
    offer = offer_of(RTX4060)
    quick = workload(
        "a", "gpt-oss-20b", "MXFP4", partial_offload=PartialOffload.EXPERTS, goals=Goals(100.0)
    )
    found = candidates(quick, offer)
    assert not found.candidates
    assert "100 are asked" in found.refused[0].reason
    assert candidates(replace(quick, goals=Goals(2.0)), offer).candidates


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (replace(EXPERTS, demand=demand(0.2)), "with experts on the CPU"),
        (
            few_and_slow("qwen3-14b", "Q6_K", 0.02, partial_offload=PartialOffload.LAYERS),
            "with layers on the CPU",
        ),
    ],
    ids=["experts", "layers"],
)
def test_what_is_missed_is_told_of_the_part_of_the_time_that_may_be_planned(
    one: Workload, said: str
) -> None:
    offer = offer_of(RTX4060)
    found = candidates(one, offer)
    assert not found.candidates
    plain = case_of(one, offer)
    (way, *_), _ = ServingWays(plain).of(None, 1)
    size = Sizing(one, one.variants[0], "f16", offer, BUILD, way)
    (placed,), _ = size.candidates(0, 0)
    case = case_of(one, offer, placed)
    short = shortfall(case.load(case.drafting(None)), case.asked(1), way.slots or 0, MOST)
    assert found.refused[0].reason == f"{said}: {short}"


def test_one_card_is_judged_as_one_where_its_bytes_called_for_two() -> None:
    """The file's embeddings stay on the host: what is left fits where the file does not."""
    one = few_and_slow("gemma-3n-e4b", "Q4_K_M", 0.2, slots=4, derives_slots=False)
    one = replace(one, goals=Goals(3.0, 1.0))
    offer = two_cards_by_their_bytes(one)
    assert max(case_of(one, offer).assumed_layers) == 1
    found = [each for each in candidates(one, offer).candidates if _cards(each) == 1]
    assert found
    for each in found:
        case = case_of(one, offer, each)
        share = each.way.load_permille / 1000
        assert meets_goals(case.load(case.drafting(None)), case.asked(1), 4, share)


def test_the_words_name_as_many_slots_as_keep_their_speed_in_that_part() -> None:
    one = demanding("a", 50.0, decode=40.0, derives_replicas=False)
    offer = offer_of(L40S)
    case = replace(case_of(one, offer), most_share=0.5)
    load = case.load(case.drafting(None))
    slots = max(n for n in ladder(256) if 0.5 / load.step_seconds(n) >= 40.0)
    assert slots < max(n for n in ladder(256) if 1.0 / load.step_seconds(n) >= 40.0)
    (refused,) = candidates(one, offer, share=0.5).refused
    assert refused.reason.startswith(f"{slots} slots serve")


def test_every_expert_leaves_before_a_layer_does() -> None:
    """Where moving all experts is not enough, layers go too, and the experts stay away."""
    one = workload("a", "gpt-oss-20b", "MXFP4", partial_offload=PartialOffload.LAYERS)
    offer = offer_of(RTX4060)
    every = Sizing(one, one.variants[0], "f16", offer, BUILD)
    _, estimate = every.estimate((every.layers,), every.layers - 1)
    less = replace(offer, room_bytes=estimate.devices[0].high_bytes - 1)
    (found,), _ = Sizing(one, one.variants[0], "f16", less, BUILD).candidates(0, 0)
    assert found.options.cpu_moe_layers == every.layers - 1
    assert found.options.gpu_layers == every.layers - 1


def test_cases_differ_by_what_stays_on_the_host() -> None:
    one = few_and_slow("gpt-oss-20b", "MXFP4", 0.02)
    case = case_of(one, offer_of(L40S))
    layers = case.assumed_layers
    plain = Sizing(one, one.variants[0], "f16", offer_of(L40S), BUILD).lines
    count = (len(layers),)
    at_home = case.placed(layers, plain.over(count))
    away = case.placed(layers, plain.over(count, 8))
    assert away.load(away.drafting(None)).step_seconds(1) > 1.2 * at_home.load(
        at_home.drafting(None)
    ).step_seconds(1)
    assert case.placed(layers, plain.over(count)) is at_home


def test_a_share_is_rounded_up_but_not_over_what_may_be_planned() -> None:
    assert rounded_share(0.25, 0.85) == 251
    assert rounded_share(0.2509, 0.85) == 251
    assert rounded_share(109 / 128, 0.85) == 850


@pytest.mark.parametrize("moved", range(1, 6))
def test_as_little_as_fits_is_moved_to_the_host(moved: int) -> None:
    """A card as large as what stays on it with so many experts, or layers, moved."""
    offer = offer_of(L40S)
    for model, file, wish in (
        ("gpt-oss-20b", "MXFP4", PartialOffload.EXPERTS),
        ("qwen3-0.6b", "Q8_0", PartialOffload.LAYERS),
    ):
        one = replace(workload("a", model, file, partial_offload=wish), max_gpus=1)
        size = Sizing(one, one.variants[0], "f16", offer, BUILD)
        experts = moved * (wish is PartialOffload.EXPERTS)
        _, estimate = size.estimate((size.layers - moved + experts,), experts)
        tight = replace(offer, room_bytes=estimate.devices[0].high_bytes)
        (found,), _ = Sizing(one, one.variants[0], "f16", tight, BUILD).candidates(0, 0)
        assert found.options.cpu_moe_layers == experts
        assert found.options.gpu_layers == size.layers - moved + experts


@pytest.mark.parametrize("rate", [1.5, 4.0, 6.0, 8.0, 11.0])
def test_the_fewest_replicas_are_those_that_trying_every_number_finds(rate: float) -> None:
    ways = ServingWays(case_of(demanding("a", rate), offer_of(L40S)))
    every = (count for count in range(1, 65) if ways.of(None, count)[0])
    assert ways.fewest_replicas(64) == next(every)
    assert ways.fewest_replicas(1) is None
