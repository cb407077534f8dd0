"""Planning from end to end on small fleets: proofs, prices, conflicts, changes that help."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from packer.catalogue.gpus import find_gpu
from packer.domain.node import Price, Sharing
from packer.domain.payment import Payment
from packer.domain.workload import Headroom, Objective, Spread, Workload
from packer.errors import Infeasible, InvalidInput, OutOfTime
from packer.plan import count_trials, planning
from packer.plan.plan import Status
from packer.solver.candidates import Offer, find_candidates_by_replicas
from packer.solver.offers import offers_of
from packer.solver.outcome import Solution
from packer.solver.outcome import Status as Solved
from packer.units import GIB, MIB
from tests.demanding_fleets import demanding
from tests.small_fleets import fleet, gpu, inventory, plan, pool, workload

CARD = gpu(3000)
DEAR, CHEAP = Price(Decimal("2.50")), Price(Decimal("1.20"))


def refused(asked: object, there: object) -> Infeasible:
    with pytest.raises(Infeasible) as caught:
        plan(asked, there)  # type: ignore[arg-type]
    return caught.value


def changes(answer: Infeasible) -> dict[str, str]:
    return {one.change: one.price for one in answer.relaxations}


def test_cards_are_minimised_and_proved() -> None:
    asked = fleet(workload("a"), workload("b", "gemma-3-1b", "Q4_K_M", replicas=2))
    made = plan(asked, inventory(pool("p", gpu(4100), 2, 2)))
    assert made.status is Status.OPTIMAL
    assert made.cards == made.bound == made.objective_value == 2
    assert made.gap == 0
    assert made.cards_available == 4
    assert made.price_per_hour is None
    assert made.currency == ""
    assert [one.replica for one in made.placements] == [0, 0, 1]


def test_money_is_minimised_and_exact() -> None:
    there = inventory(pool("big", CARD, 2, 1, price=DEAR), pool("small", CARD, 1, 3, price=CHEAP))
    asked = fleet(workload("a", replicas=2), objective=Objective.PRICE)
    made = plan(asked, there)
    assert made.objective_value == made.bound == made.price_per_hour == Decimal("2.40")
    assert made.currency == "USD"
    assert made.baselines.lower_bound_price_per_hour == Decimal("2.4")
    assert made.baselines.lower_bound_cards is None
    assert "money counts whole nodes with at least one replica" in made.notes


def test_objective_price_needs_every_price_in_one_currency() -> None:
    pools = (
        pool("known", CARD, price=CHEAP),
        pool("euro", CARD, price=replace(CHEAP, currency="EUR")),
        pool("free", CARD, price=Price(None)),
        pool("unknown", CARD),
    )
    with pytest.raises(InvalidInput) as caught:
        plan(fleet(workload("a"), objective=Objective.PRICE), inventory(*pools))
    assert [one.code for one in caught.value.problems] == ["P0211", "P0212"]
    assert "free, unknown" in caught.value.problems[0].title
    assert "EUR, USD" in caught.value.problems[1].title


def test_a_time_limit_tells_the_bound_in_money(monkeypatch: pytest.MonkeyPatch) -> None:
    unknown = Solution(Solved.UNKNOWN, bound=250)
    monkeypatch.setattr(count_trials, "solve_rentals", lambda *_: unknown)
    there = inventory(pool("p", CARD, price=DEAR))
    with pytest.raises(OutOfTime) as caught:
        plan(fleet(workload("a"), objective=Objective.PRICE), there, time_limit_seconds=5)
    assert str(caught.value) == "no plan within 5 s; at least 25 are needed"


def test_what_fits_no_card_is_refused_with_the_arithmetic() -> None:
    asked = fleet(workload("a", "qwen3-0.6b", "F16", "Q8_0"), workload("b"))
    answer = refused(asked, inventory(pool("p", gpu(1900), price=CHEAP)))
    assert [one.requirement for one in answer.reasons] == ["count:a", "count:b"]
    assert answer.reasons[0].text == "a: 1 replica, and no variant fits any card"
    assert {(one.workload, one.gpu) for one in answer.refusals} == {
        ("a", "small 1900"),
        ("b", "small 1900"),
    }
    assert answer.refusals[0].text.startswith("Q8_0, KV f16: needs 2.0 GiB, a card has 1.9 GiB")
    # More of the same card helps nobody.
    assert answer.relaxations == ()


def test_changes_of_one_workload_are_tried() -> None:
    # 4 slots of 32 Ki at f16 do not fit beside the weights; half the context, or 8 bits, do.
    asked = fleet(workload("a", context_per_slot=16384, slots=2))
    answer = refused(asked, inventory(pool("p", gpu(4500))))
    assert changes(answer) == {
        "a: context 8192 instead of 16384": "shorter conversations",
        "a: context 4096 instead of 16384": "shorter conversations",
        "a: allow cacheTypes q8_0": "KV at 8.5 bits",
    }
    assert all(one.verified for one in answer.relaxations)


def test_a_shortage_names_the_demands_and_one_node_more() -> None:
    asked = fleet(workload("a", replicas=3, context_per_slot=1024))
    answer = refused(asked, inventory(pool("p", CARD, 2, 1, price=CHEAP)))
    assert [one.requirement for one in answer.reasons] == ["count:a"]
    assert answer.reasons[0].text.startswith("a: 3 replicas, each at least 1.9 GiB")
    assert changes(answer) == {
        "a: 2 instead of 3 replicas": "less served",
        "one more p node (2 × small 3000)": "+1.20 USD/h",
    }


def test_a_spread_over_too_few_zones() -> None:
    asked = fleet(workload("a", replicas=2, spread=Spread.ZONE, context_per_slot=1024))
    there = inventory(pool("p", CARD, 1, 3, zones={"east": 3}))
    answer = refused(asked, there)
    texts = [one.text for one in answer.reasons]
    assert "a: no two of its 2 replicas on one zone" in texts
    assert changes(answer) == {
        "a: spread none": "replicas may fail together",
        "a: 1 instead of 2 replicas": "less served",
    }


def test_products_that_are_not_allowed() -> None:
    asked = fleet(
        workload("a", allowed_gpus=("other",)), workload("b", refused_gpus=("small 3000",))
    )
    answer = refused(asked, inventory(pool("p", CARD)))
    assert {one.text for one in answer.refusals} == {
        "Q8_0, KV f16: not among the products the fleet file allows",
        "Q8_0, KV f16: the fleet file refuses this product",
    }


def test_a_product_that_is_full_clashes_with_the_choice_of_products() -> None:
    other = pool("q", gpu(9000, "other"))
    asked = fleet(
        workload("a", allowed_gpus=("small 3000",), context_per_slot=1024),
        workload("b", refused_gpus=("other",)),
    )
    answer = refused(asked, inventory(pool("p", CARD), other))
    texts = {one.requirement: one.text for one in answer.reasons}
    assert texts["types:a"] == "a: only small 3000"
    assert texts["types:b"] == "b: not on other"
    assert {"a: any GPU product", "b: any GPU product"} <= set(changes(answer))


def test_a_product_that_is_only_too_small_is_said_as_what_fits() -> None:
    asked = fleet(workload("a"), workload("b"))
    answer = refused(asked, inventory(pool("p", CARD), pool("q", gpu(1400), 2)))
    assert {one.text for one in answer.reasons if one.requirement.startswith("types:")} <= {
        "a: fits only small 1400, small 3000",
        "a: fits only small 3000",
        "b: fits only small 1400, small 3000",
        "b: fits only small 3000",
    }
    assert {"count:a", "count:b"} <= {one.requirement for one in answer.reasons}


def test_workloads_that_must_be_apart_and_together() -> None:
    names = ("a", "b")
    there = inventory(pool("p", gpu(9000), 1, 1))
    apart = fleet(*map(workload, names), keep_apart=(names,))
    answer = refused(apart, there)
    assert "keepApart: a, b" in [one.text for one in answer.reasons]
    assert changes(answer) == {
        "drop keepApart [a, b]": "they may meet",
        "one more p node (1 × small 9000)": "price unknown",
    }
    both = fleet(*map(workload, names), keep_apart=(names,), keep_together=(names,))
    answer = refused(both, inventory(pool("p", gpu(9000), 1, 2)))
    assert {one.text for one in answer.reasons} >= {"keepApart: a, b", "keepTogether: a, b"}
    assert set(changes(answer)) == {"drop keepApart [a, b]", "drop keepTogether [a, b]"}


def test_replicas_behind_one_router_share_no_card() -> None:
    asked = fleet(workload("a", replicas=2))
    whole = pool("p", gpu(9000), sharing=Sharing.WHOLE)
    answer = refused(asked, inventory(whole))
    assert "a: no two of its 2 replicas on one card, because one router serves it" in [
        one.text for one in answer.reasons
    ]
    assert changes(answer)["p: sharing dra"] == "needs NVIDIA's DRA driver"
    made = plan(asked, inventory(replace(whole, nodes=2)))
    assert made.cards == 2
    assert any("because a router serves the cards of p" in note for note in made.notes)


def test_candidates_are_found_anew_where_a_change_offers_other_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[Workload, tuple[Offer, ...]]] = []

    def recorded(one: Workload, offers: tuple[Offer, ...], **rest: Any) -> Any:
        asked.append((one, offers))
        return find_candidates_by_replicas(one, offers, **rest)

    monkeypatch.setattr(planning, "find_candidates_by_replicas", recorded)
    whole = pool("p", gpu(9000), sharing=Sharing.WHOLE)
    one = fleet(workload("a", replicas=2))
    assert changes(refused(one, inventory(whole)))["p: sharing dra"]
    shared = offers_of(inventory(replace(whole, sharing=Sharing.DRA)), one.headroom)
    assert shared != offers_of(inventory(whole), one.headroom)
    assert [each[1] for each in asked if each[0] == one.workloads[0]].count(shared) == 1


def test_no_more_questions_are_tried_when_the_time_for_them_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(planning, "_QUESTIONS_SECONDS", -1.0)
    asked = fleet(workload("a", replicas=2, context_per_slot=1024))
    assert refused(asked, inventory(pool("p", CARD))).relaxations == ()


def test_a_live_pool_grows_by_a_node_of_a_new_name() -> None:
    live = pool("p", CARD, 1, 2, node_names=("ares", "zeus"), zones={"x": 1, "y": 1})
    asked = fleet(workload("a", replicas=3, spread=Spread.NODE, context_per_slot=1024))
    answer = refused(asked, inventory(live))
    assert "one more p node (1 × small 3000)" in changes(answer)


@pytest.mark.parametrize(
    ("replicas", "words"), [(3, "2 more p nodes (2"), (5, "4 more p nodes (4")]
)
def test_as_many_nodes_as_are_needed_are_offered(replicas: int, words: str) -> None:
    price = Price(Decimal("1.25"))
    live = pool("p", CARD, 1, 1, node_names=("ares",), zones={"x": 1}, price=price)
    other = pool("q", gpu(1000), 1, 1)
    asked = fleet(workload("a", replicas=replicas, spread=Spread.NODE, context_per_slot=1024))
    found = changes(refused(asked, inventory(live, other)))
    assert found[f"{words} × small 3000)"] == f"+{Decimal('1.25') * (replicas - 1)} USD/h"
    assert not any("q node" in one for one in found)


def test_more_nodes_than_a_few_are_not_offered() -> None:
    asked = fleet(workload("a", replicas=6, spread=Spread.NODE, context_per_slot=1024))
    assert not any("node" in one for one in changes(refused(asked, inventory(pool("p", CARD)))))


def test_nodes_others_fill_and_nodes_that_are_away_are_left_alone() -> None:
    there = inventory(
        pool(
            "p",
            gpu(4500),
            2,
            3,
            taken={"p-0": {0: 4000 * MIB}},
            unavailable=("p-1",),
            zones={"east": 1, "west": 2},
        )
    )
    made = plan(fleet(workload("a", replicas=4), headroom=Headroom(200 * MIB, 0)), there)
    assert {(one.node, *one.gpus) for one in made.placements} <= {
        ("p-0", 1),
        ("p-2", 0),
        ("p-2", 1),
    }
    assert {node.name: node.zone for node in made.nodes} == {
        "p-0": "east",
        "p-1": "west",
        "p-2": "west",
    }
    assert [node.is_used for node in made.nodes][1] is False
    assert made.nodes[0].cards[0].taken_bytes == 4000 * MIB


def test_rentable_nodes_are_listed_only_when_used() -> None:
    rentable = pool("p", CARD, 1, 9, is_rentable=True, price=CHEAP)
    made = plan(fleet(workload("a")), inventory(rentable))
    assert [node.name for node in made.nodes] == ["p-0"]
    assert made.price_per_hour == Decimal("1.20")


def test_live_nodes_keep_names_and_uuids() -> None:
    live = pool("p", CARD, 2, 1, node_names=("zeus",), gpu_uuids={"zeus": ("GPU-0", "GPU-1")})
    made = plan(fleet(workload("a")), inventory(live))
    (node,) = made.nodes
    assert (node.name, node.is_live) == ("zeus", True)
    assert [card.uuid for card in node.cards] == ["GPU-0", "GPU-1"]


def test_too_little_node_memory_is_explained() -> None:
    asked = fleet(workload("a", prompt_cache_bytes=8 * GIB))
    answer = refused(asked, inventory(pool("p", CARD, host_memory_bytes=4 * GIB)))
    assert "of node memory, a node has 4.0 GiB" in answer.refusals[0].text


def test_a_split_model_has_the_cards_of_a_router_to_itself() -> None:
    # Beside it, a process on one card would open a CUDA context on the other card too.
    asked = fleet(workload("large", "llama-3.1-8b", "Q4_K_M"), workload("small"))
    for sharing, cards in ((Sharing.DRA, 2), (Sharing.WHOLE, 3)):
        made = plan(asked, inventory(pool("p", gpu(5000), 2, 2, sharing=sharing)))
        assert made.status is Status.OPTIMAL
        assert made.cards == cards, made.placements
        assert [len(one.gpus) for one in made.placements] == [2, 1]


def test_nothing_is_called_impossible_before_every_number_of_replicas_is_excluded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = inventory(pool("l40s", find_gpu("L40S"), 1, 9))
    asked = fleet(*(demanding(name, 1.0) for name in ("a", "b", "c")))
    stuck = Solution(Solved.INFEASIBLE, conflict=("count:a",))
    monkeypatch.setattr(count_trials, "solve_rentals", lambda *_: stuck)
    with pytest.raises(OutOfTime):
        plan(asked, there, time_limit_seconds=5)


def test_spot_nodes_that_nobody_may_use_are_named() -> None:
    price = Price(Decimal(3), spot=Decimal(1))
    there = inventory(pool("p", CARD, 1, 2, price=price, payment=Payment.SPOT))
    for objective in Objective:
        answer = refused(fleet(workload("a"), objective=objective), there)
        assert {one.requirement for one in answer.reasons} == {"count:a", "types:a"}
        assert any(one.text.endswith(", and not on spot nodes") for one in answer.reasons)
        assert changes(answer)["a: spot allowed"] == "nodes may be taken back"
