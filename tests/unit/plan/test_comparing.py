"""Comparing scenarios: ranks, reasons, mixes and simpler ways."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from packer.api.inputs import Input
from packer.api.planning import facts_of, tools_for
from packer.domain.node import Inventory, NodePool, Price
from packer.domain.payment import Payment
from packer.domain.workload import Fleet, Objective
from packer.errors import InvalidInput
from packer.plan.audit import find_contradictions
from packer.plan.comparing import Planned, compare_scenarios, price_days
from packer.plan.comparison import Contender, Outcome
from packer.plan.currency import in_currency
from packer.plan.headline import Way
from packer.plan.priced_inventory import PricedInventory, as_written, each_type, on_terms
from packer.solver.stopping import Limits
from tests.small_fleets import BUILD, fleet, gpu, inventory, pool, workload

CARD = gpu(4100)
LIMITS = Limits(time_seconds=600, workers=1)


def rentable(name: str, price: str, **options: Any) -> NodePool:
    known = {"price": Price(Decimal(price), spot=Decimal(price) / 2), "nodes": 4, **options}
    return pool(name, CARD, is_rentable=True, instance_type=name, **known)


def compared(asked: Fleet, *scenarios: PricedInventory) -> list[Contender]:
    found = planned(asked, *scenarios)
    return [one.contender for one in found]


def planned(asked: Fleet, *scenarios: PricedInventory) -> tuple[Planned, ...]:
    return compare_scenarios(
        asked,
        scenarios,
        tools_for(BUILD),
        lambda one: facts_of(Input(asked, one.inventory, "0" * 64, one.inventory_sha256)),
        limits=LIMITS,
    )


def scenario(name: str, *pools: NodePool) -> PricedInventory:
    return as_written(Inventory(name, pools), "1" * 64)


TWO = fleet(workload("a"), workload("b", "gemma-3-1b", "Q4_K_M"))


def test_the_cheapest_is_chosen_and_the_others_say_why_not() -> None:
    cheap, dear = rentable("one", "2.00"), rentable("one", "2.50")
    big = fleet(workload("a", "gpt-oss-20b", "MXFP4"))
    rows = compared(TWO, scenario("dear", dear), scenario("cheap", cheap))
    first, second = rows
    assert (first.scenario, first.is_chosen, first.rank, first.why_not) == ("cheap", True, 1, "")
    assert first.price_per_hour == first.bound_per_hour == 2
    assert first.price_per_month == 1460
    assert first.gap_percent == 0
    assert second.why_not == (
        "costs 0.50 per hour more (+25.0 %); proved: nothing on it costs less than 2.5"
    )
    assert second.is_proved_dearer
    (nothing,) = compared(big, scenario("small", cheap))
    assert (nothing.outcome, nothing.rank) == (Outcome.INFEASIBLE, 1)
    assert nothing.why_not.startswith("does not fit: a: 1 replica")
    assert nothing.price_per_hour is None


def test_an_unknown_price_is_a_row_and_never_nothing() -> None:
    unknown = replace(rentable("one", "2.00"), price=None)
    rows = compared(TWO, scenario("unknown", unknown), scenario("known", rentable("one", "99")))
    assert [one.scenario for one in rows] == ["known", "unknown"]
    last = rows[1]
    assert last.cards == 1
    assert last.price_per_hour is None
    assert last.idle_per_month is None
    assert last.why_not == "its price is unknown: one"
    assert not last.is_proved_dearer


def test_nothing_is_chosen_where_no_price_is_known() -> None:
    unknown = replace(rentable("one", "2.00"), price=None)
    (row,) = compared(TWO, scenario("unknown", unknown))
    assert not row.is_chosen
    assert row.rank == 1


def test_whole_nodes_are_paid_and_the_mix_says_which() -> None:
    single, double = rentable("single", "2.00"), rentable("double", "3.00", gpus_per_node=2)
    asked = fleet(*(workload(name, "gemma-3-1b", "F16") for name in "abc"))
    (row,) = compared(asked, scenario("menu", single, double))
    assert row.cards is not None
    assert row.price_per_hour == sum((part.price_per_hour or 0) * part.nodes for part in row.mix)
    assert row.cards_paid == sum(part.gpus_per_node * part.nodes for part in row.mix)
    assert sum(part.cards_used for part in row.mix) == row.cards
    assert row.idle_per_hour is not None
    assert 0 <= row.idle_per_hour <= (row.price_per_hour or 0)


def test_only_workloads_that_allow_it_sit_on_spot() -> None:
    one = scenario("menu", rentable("one", "2.00"))
    spot = on_terms(one, "spot")
    assert [pool.name for pool in spot.inventory.pools] == ["one", "one-spot"]
    refusing = compared(TWO, spot)[0]
    assert [part.payment for part in refusing.mix] == [Payment.ON_DEMAND]
    allowing = replace(
        TWO, workloads=tuple(replace(one, spot_allowed=True) for one in TWO.workloads)
    )
    (row,) = compared(allowing, spot)
    assert [part.payment for part in row.mix] == [Payment.SPOT]
    assert row.price_per_hour == 1
    half = replace(TWO, workloads=(TWO.workloads[0], allowing.workloads[1]))
    (found,) = planned(half, spot)
    assert found.plan is not None
    spots = {place.workload for place in found.plan.placements if "spot" in place.node}
    assert spots <= {"b"}


def test_the_audit_refuses_a_spot_node_for_others() -> None:
    allowing = replace(
        TWO, workloads=tuple(replace(one, spot_allowed=True) for one in TWO.workloads)
    )
    spot = on_terms(scenario("menu", rentable("one", "2.00")), "spot")
    (found,) = planned(allowing, spot)
    assert found.plan is not None
    parse = tools_for(BUILD).parse_arguments
    by_price = replace(TWO, objective=Objective.PRICE)
    findings = list(find_contradictions(found.plan, by_price, spot.inventory, parse))
    assert any("spot is not allowed" in finding for finding in findings)


def test_terms_need_a_known_price() -> None:
    one = scenario("menu", rentable("one", "2.00"))
    with pytest.raises(InvalidInput, match="P0915"):
        on_terms(one, "reserved-3y")
    with pytest.raises(InvalidInput, match="P0915"):
        on_terms(one, "lease")
    ours = scenario("ours", pool("p", CARD))
    assert on_terms(ours, "reserved-3y").inventory.pools == ours.inventory.pools


def test_each_type_alone_leaves_the_others_out() -> None:
    whole = scenario("menu", rentable("one", "2"), rentable("two", "3"), pool("own", CARD))
    parts = each_type(whole)
    assert [part.name for part in parts] == ["menu · only one", "menu · only two"]
    assert [[p.name for p in part.inventory.pools] for part in parts] == [["one"], ["two"]]
    assert each_type(scenario("single", rentable("one", "2"))) == ()


def test_simpler_ways_are_never_cheaper_and_pay_whole_nodes() -> None:
    (row,) = compared(TWO, scenario("menu", rentable("one", "2.00")))
    ways = {way.way: way for way in row.ways}
    assert list(ways) == list(Way)
    ours = ways[Way.THIS_PLAN]
    alone = ways[Way.QUANTIZED_ONE_MODEL_PER_CARD_SET]
    assert (ours.cards, alone.cards) == (1, 2)
    assert (alone.price_per_hour, alone.price_ratio) == (Decimal(4), Decimal("2.00"))
    assert ways[Way.LOWER_BOUND].price_per_hour == row.bound_per_hour
    fp16 = ways[Way.FP16_ONE_MODEL_PER_CARD_SET]
    assert fp16.price_per_hour is not None
    assert fp16.price_per_hour >= 4


def test_too_few_cards_for_a_simpler_way_are_said() -> None:
    (row,) = compared(TWO, scenario("menu", rentable("one", "2.00", nodes=1)))
    alone = row.ways[1]
    assert alone.cards == 2
    assert "supply ignored" in alone.note
    assert not alone.is_proved


def test_prices_are_converted_by_stated_rates_only() -> None:
    from packer.domain.price_book import ExchangeRate

    euros = inventory(pool("p", CARD, price=Price(Decimal(2), currency="EUR")))
    rates = (ExchangeRate("EUR", "USD", Decimal("1.5")),)
    changed, used = in_currency(euros, "USD", rates)
    assert changed.pools[0].price_per_hour == 3
    assert used == ("1 EUR = 1.5 USD, no date",)
    assert in_currency(euros, "EUR", ()) == (euros, ())
    with pytest.raises(InvalidInput, match="P0913"):
        in_currency(euros, "GBP", rates)


def test_undated_prices_are_counted() -> None:
    rows = compared(TWO, scenario("menu", rentable("one", "2.00")))
    assert price_days(rows) == (None, 1)
