"""The headline: cards and money beside simpler ways and the bound."""

from dataclasses import replace
from decimal import Decimal

from packer.plan.headline import Way, headline, percent
from packer.plan.plan import Baselines, Status
from tests.report_plans import awkward_plan
from tests.sample_plans import company_plan, tiny_plan


def test_cards_nodes_and_replicas_are_counted() -> None:
    top = headline(company_plan())
    assert (top.cards, top.cards_available, top.cards_paid) == (10, 22, 18)
    assert (top.nodes, top.workloads, top.replicas) == (4, 7, 9)
    assert top.is_proved


def test_every_way_stands_beside_the_plan() -> None:
    ways = {one.way: one for one in headline(company_plan()).comparisons}
    assert list(ways) == list(Way)
    fp16 = ways[Way.FP16_ONE_MODEL_PER_CARD_SET]
    assert (fp16.cards, fp16.cards_ratio) == (19, Decimal("1.90"))
    assert fp16.card_share_per_hour == Decimal("61.20")
    assert fp16.price_per_month is None
    ours = ways[Way.THIS_PLAN]
    # 5 of 4-card nodes at 7.20, 3 of 8 cards at 19.60, both cards at 0.90
    assert ours.card_share_per_hour == Decimal("17.2500")
    assert fp16.price_ratio == Decimal("3.55")
    first_fit = ways[Way.FIRST_FIT_DECREASING]
    assert first_fit.price_per_month == Decimal("25477.00")
    assert first_fit.price_ratio == 1
    assert ways[Way.THIS_PLAN].cards_ratio == 1
    assert ways[Way.LOWER_BOUND].cards == 10


def test_what_is_not_known_has_no_ratio() -> None:
    nothing = Baselines(*(None,) * 8)
    ways = {one.way: one for one in headline(replace(tiny_plan(), baselines=nothing)).comparisons}
    assert ways[Way.FIRST_FIT_DECREASING].cards_ratio is None
    assert ways[Way.THIS_PLAN].price_ratio is None
    assert ways[Way.THIS_PLAN].price_per_month is None


def test_memory_counts_only_cards_with_a_replica_and_its_parts_add_up() -> None:
    memory = headline(awkward_plan()).memory
    whole = memory.planned_bytes + memory.headroom_bytes + memory.taken_bytes + memory.slack_bytes
    assert whole == memory.allocatable_bytes
    assert memory.expected_bytes < memory.planned_bytes
    assert memory.planned_percent == percent(memory.planned_bytes, memory.allocatable_bytes)


def test_a_plan_that_is_not_proved_has_a_gap() -> None:
    top = headline(replace(company_plan(), status=Status.FEASIBLE, gap=0.12345))
    assert not top.is_proved
    assert top.gap_percent == Decimal("12.34")


def test_a_share_of_nothing_is_nothing() -> None:
    assert percent(0, 0) == 0
    assert percent(1, 3) == Decimal("33.3")
