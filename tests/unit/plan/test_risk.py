"""Losing cards, nodes and zones, and growing: the answers of re-planning."""

from dataclasses import replace
from decimal import Decimal

from packer.domain.node import Inventory, Price
from packer.domain.workload import Fleet, Objective, Spread
from packer.plan.assessing import assess
from packer.plan.risk import Risk, StressKind, Unit, Verdict
from packer.plan.stresses import tightest_card
from packer.solver.stopping import Limits
from tests.small_fleets import fleet, gpu, inventory, plan, pool, workload

CARD = gpu(4100)
LIMITS = Limits(time_seconds=600, workers=1)
PRICE = Price(Decimal(2))


def risk(asked: Fleet, there: Inventory, seconds: float = 120.0) -> Risk:
    return assess(plan(asked, there), asked, there, limits=LIMITS, total_seconds=seconds)


TWICE = fleet(workload("a", replicas=2, spread=Spread.NODE), workload("b"))


def test_a_lost_node_that_is_needed_is_missed_and_the_remedy_priced() -> None:
    found = risk(TWICE, inventory(pool("p", CARD, nodes=2, price=PRICE)))
    (node,) = [one for one in found.losses if one.unit is Unit.NODE]
    assert node.alike == 2
    assert node.replicas_lost == 2
    assert node.workloads_out == ("b",)
    assert node.after.verdict is Verdict.DOES_NOT_FIT
    assert any("no two of its 2 replicas" in reason for reason in node.after.reasons)
    assert node.remedy == "one more p node (1 × small 4100), +2 USD/h"
    assert found.breaks_first.startswith("losing p-")


def test_a_spare_node_makes_the_loss_harmless() -> None:
    found = risk(TWICE, inventory(pool("p", CARD, nodes=3, price=PRICE)))
    assert {one.after.verdict for one in found.losses} == {Verdict.FITS}
    assert all(one.after.is_proved and one.after.objective_change == 0 for one in found.losses)
    assert all(one.remedy == "" for one in found.losses)


def test_a_zone_takes_the_nodes_of_every_pool() -> None:
    zones = {"x": 1, "y": 1}
    there = inventory(
        pool("p", CARD, nodes=2, zones=zones), pool("q", CARD, nodes=2, zones={"x": 2})
    )
    found = risk(fleet(workload("a", replicas=2, spread=Spread.NODE)), there)
    by_zone = {one.example: one for one in found.losses if one.unit is Unit.ZONE}
    assert set(by_zone) == {"zone x", "zone y"}
    assert by_zone["zone x"].after.verdict is Verdict.DOES_NOT_FIT
    assert by_zone["zone y"].after.verdict is Verdict.FITS


def test_cards_of_a_node_where_others_hold_memory_are_not_alike() -> None:
    there = inventory(pool("p", CARD, 2, 1, taken={"p-0": {1: 4000 * 2**20}}))
    found = risk(fleet(workload("b")), there)
    cards = [one for one in found.losses if one.unit is Unit.CARD]
    assert [(one.example, one.alike) for one in cards] == [("p-0 card 0", 1), ("p-0 card 1", 1)]
    verdicts = [one.after.verdict for one in cards]
    assert verdicts == [Verdict.DOES_NOT_FIT, Verdict.FITS]


def test_a_rented_node_can_be_rented_again() -> None:
    rented = pool("p", CARD, nodes=5, is_rentable=True, price=PRICE)
    asked = replace(TWICE, objective=Objective.PRICE)
    found = risk(asked, inventory(rented))
    assert {one.after.verdict for one in found.losses} == {Verdict.FITS}
    assert {one.after.price_per_hour for one in found.losses} == {Decimal(4)}


def test_growth_is_answered_in_place_and_anew() -> None:
    asked = fleet(*(workload(name, "qwen3-0.6b", "Q8_0", "Q4_K_M") for name in "ab"))
    found = risk(asked, inventory(pool("p", CARD, nodes=1, price=PRICE)))
    by_change = {one.change: one for one in found.stresses}
    grown = by_change["memory of every process on its cards +10 %"]
    shrunk = by_change["memory of every process on its cards -10 %"]
    assert shrunk.after.verdict is Verdict.FITS
    assert shrunk.breaks_in_place == ()
    tight = found.tightest
    assert tight is not None
    # A card breaks in place exactly when it cannot grow by as much.
    assert (grown.breaks_in_place != ()) == (tight.growth_percent < 10)
    everything = by_change["every price +20 %"]
    assert everything.price_in_place == everything.after.price_per_hour == Decimal("2.4")
    assert {one.kind for one in found.stresses} == set(StressKind)


def test_one_more_replica_breaks_a_spread_over_all_nodes() -> None:
    found = risk(TWICE, inventory(pool("p", CARD, nodes=2)))
    more = {one.change: one.after for one in found.stresses if one.kind is StressKind.REPLICAS}
    assert more["one replica more of a"].verdict is Verdict.DOES_NOT_FIT
    assert more["one replica more of b"].verdict is Verdict.FITS
    assert more["one replica more of every workload"].verdict is Verdict.DOES_NOT_FIT


def test_a_cheaper_pool_may_change_the_choice() -> None:
    cards = (pool("p", CARD, price=Price(Decimal(20))), pool("q", CARD, price=Price(Decimal(21))))
    asked = fleet(workload("a"), objective=Objective.PRICE)
    found = risk(asked, inventory(*cards))
    by_change = {one.change: one for one in found.stresses}
    dearer = by_change["price of p +20 %"]
    assert dearer.price_in_place == 24
    assert dearer.after.price_per_hour == 21
    assert by_change["price of q -20 %"].after.price_per_hour == Decimal("16.80")


def test_questions_stop_when_the_time_is_spent() -> None:
    found = risk(TWICE, inventory(pool("p", CARD, nodes=2)), seconds=0.0)
    solved = [one.after for one in found.losses]
    assert {one.verdict for one in solved} == {Verdict.NOT_ASKED}
    assert any("not asked about" in note for note in found.notes)


def test_the_tightest_card_is_the_one_that_can_grow_least() -> None:
    made = plan(TWICE, inventory(pool("p", CARD, nodes=2)))
    tight = tightest_card(made)
    assert tight is not None
    growths = [
        Decimal(card.slack_bytes) * 100 / card.used_bytes
        for node in made.nodes
        for card in node.cards
        if card.used_bytes
    ]
    assert abs(tight.growth_percent - min(growths)) < Decimal("0.01")
    assert tight.growth_percent <= min(growths)
