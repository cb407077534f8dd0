"""The bill of a plan: what each part pays for, and that the parts are the whole."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest

from packer.plan.cost import CostKind, apportion, bill, monthly
from packer.plan.plan import Plan
from packer.units import GIB
from tests.report_plans import awkward_plan, large_plan
from tests.sample_plans import company_plan, tiny_plan


@pytest.mark.parametrize("plan", [company_plan(), awkward_plan(), large_plan(20)])
def test_the_lines_add_up_to_the_bill(plan: Plan) -> None:
    cost = bill(plan)
    assert cost.per_hour == plan.price_per_hour
    assert sum(line.per_hour for line in cost.lines) == cost.per_hour
    assert sum(line.per_month for line in cost.lines) == cost.per_month
    assert sum(line.percent for line in cost.lines) == 100


def test_a_month_has_730_hours_and_is_rounded_to_the_cent() -> None:
    assert monthly(Decimal("46.20")) == Decimal("33726.00")
    assert monthly(Decimal("0.012345")) == Decimal("9.01")
    assert monthly(None) is None


def test_a_card_is_paid_by_its_bytes() -> None:
    """One node of one card: 25 % workload, 2 % headroom and the rest left over."""
    plan = tiny_plan()
    (placement,), (node,) = plan.placements, plan.nodes
    (device,), (card,) = placement.devices, node.cards
    device = replace(device, high_bytes=10 * GIB)
    card = replace(
        card,
        allocatable_bytes=40 * GIB,
        used_bytes=10 * GIB,
        headroom_bytes=2 * GIB,
        taken_bytes=8 * GIB,
    )
    plan = replace(
        plan,
        placements=(replace(placement, devices=(device,)),),
        nodes=(replace(node, cards=(card,), price_per_hour=Decimal(4)),),
        price_per_hour=Decimal(4),
    )
    amounts = {line.kind: line.per_hour for line in bill(plan).lines}
    assert amounts == {
        CostKind.WORKLOAD: Decimal("1.0000"),
        CostKind.HEADROOM: Decimal("0.2000"),
        CostKind.HELD_BY_OTHERS: Decimal("0.8000"),
        CostKind.IDLE_MEMORY: Decimal("2.0000"),
        CostKind.IDLE_CARDS: Decimal(0),
    }
    assert bill(plan).idle_per_month == Decimal("1460.00")
    assert bill(plan).idle_percent == Decimal("50.0")


def test_cards_without_a_replica_on_a_paid_node_are_idle_but_unused_nodes_are_not_paid() -> None:
    cost = bill(company_plan())
    lines = {line.kind: line for line in cost.lines if line.kind is not CostKind.WORKLOAD}
    # 1 of 4 and 2 of 4 cards at 7.20, 5 of 8 at 19.60
    expected = Decimal("7.20") * 3 / 4 + Decimal("19.60") * 5 / 8
    assert lines[CostKind.IDLE_CARDS].per_hour == expected
    assert [node.node for node in cost.nodes] == ["l40s-0", "l40s-1", "a100-0", "rtx-0"]


def test_what_others_hold_on_an_empty_card_is_not_idle() -> None:
    plan = company_plan()
    first = plan.nodes[0]
    cards = (*first.cards[:3], replace(first.cards[3], taken_bytes=11 * GIB))
    cost = bill(replace(plan, nodes=(replace(first, cards=cards), *plan.nodes[1:])))
    held = next(line for line in cost.lines if line.kind is CostKind.HELD_BY_OTHERS)
    share = Fraction(11 * GIB, cards[3].allocatable_bytes) * Fraction("7.20") / 4
    assert abs(Fraction(held.per_hour) - share) < Fraction(1, 10000)


def test_one_unknown_price_makes_the_bill_unknown_and_names_the_node() -> None:
    cost = bill(tiny_plan())
    assert cost.unpriced_nodes == ("lab-0",)
    assert cost.per_hour is None
    assert cost.per_month is None
    assert cost.idle_per_month is None
    assert cost.idle_percent is None
    assert cost.lines == ()


def test_prices_that_cannot_be_added_up_leave_the_bill_unknown() -> None:
    cost = bill(replace(company_plan(), price_per_hour=None))
    assert cost.per_month is None
    assert cost.unpriced_nodes == ()


def test_a_node_that_costs_nothing_costs_nothing() -> None:
    plan = tiny_plan()
    node = replace(plan.nodes[0], price_per_hour=Decimal(0))
    cost = bill(replace(plan, nodes=(node,), price_per_hour=Decimal(0)))
    assert cost.per_month == 0
    assert {line.per_hour for line in cost.lines} == {Decimal(0)}


def test_what_rounding_leaves_over_goes_to_the_largest_remainders() -> None:
    thirds = [Fraction(1), Fraction(1), Fraction(1)]
    cent = Decimal("0.01")
    assert apportion(Decimal("0.05"), thirds, cent) == (2 * cent, 2 * cent, cent)
    assert apportion(Decimal("1.00"), [Fraction(2), Fraction(1)], cent) == (
        Decimal("0.67"),
        Decimal("0.33"),
    )
