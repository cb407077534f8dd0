"""The JSON twin: every figure of the report follows from it by plain arithmetic."""

import json
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from packer.plan.plan import Plan
from packer.report.json_twin import render_json
from tests.report_plans import awkward_plan, large_plan
from tests.sample_plans import company_plan, tiny_plan

PLANS = [company_plan(), tiny_plan(), awkward_plan(), large_plan(16)]


def twin(plan: Plan) -> Any:
    return json.loads(render_json(plan))


def cards_of(facts: Any) -> list[Any]:
    return [card for node in facts["nodes"] for card in node["cards"]]


def share(part: int, whole: int) -> str:
    return format((Decimal(100 * part) / whole).quantize(Decimal("0.1")), "f")


@pytest.mark.parametrize("plan", PLANS)
def test_budgets_add_up(plan: Plan) -> None:
    facts = twin(plan)
    for card in cards_of(facts):
        for process in card["processes"]:
            assert sum(part["bytes"] for part in process["parts"]) == process["planned_bytes"]
        assert card["planned_bytes"] == sum(one["planned_bytes"] for one in card["processes"])
        assert card["expected_bytes"] == sum(one["expected_bytes"] for one in card["processes"])
        parts = ("planned_bytes", "headroom_bytes", "taken_bytes", "slack_bytes")
        assert card["allocatable_bytes"] == sum(card[part] for part in parts)
        assert card["planned_percent"] == share(card["planned_bytes"], card["allocatable_bytes"])
    for node in facts["nodes"]:
        assert node["host_percent"] == share(
            node["host_used_bytes"], node["host_allocatable_bytes"]
        )


@pytest.mark.parametrize("plan", PLANS)
def test_headline_follows_from_the_cards(plan: Plan) -> None:
    facts = twin(plan)
    top, busy = facts["headline"], [card for card in cards_of(facts) if card["processes"]]
    assert top["cards"] == len(busy)
    assert top["cards_available"] == len(cards_of(facts))
    used = [node for node in facts["nodes"] if node["is_used"]]
    assert top["nodes"] == len(used)
    assert top["cards_paid"] == sum(len(node["cards"]) for node in used)
    for part in ("allocatable", "planned", "expected", "headroom", "taken", "slack"):
        assert top["memory"][f"{part}_bytes"] == sum(card[f"{part}_bytes"] for card in busy)
    assert top["replicas"] == sum(
        len(group["places"]) for one in facts["workloads"] for group in one["groups"]
    )


@pytest.mark.parametrize("plan", PLANS)
def test_comparisons_follow_from_their_cards_and_prices(plan: Plan) -> None:
    facts = twin(plan)
    for one in facts["headline"]["comparisons"]:
        cards, price = one["cards"], one["price_per_hour"]
        ours = facts["headline"]["cards"]
        assert one["cards_ratio"] == (None if cards is None else rounded(cards, ours))
        month = None if price is None else format(Decimal(price) * 730, ".2f")
        assert one["price_per_month"] == month


@pytest.mark.parametrize("plan", [company_plan(), awkward_plan(), large_plan(16)])
def test_the_price_of_the_cards_alone_is_their_share(plan: Plan) -> None:
    facts = twin(plan)
    share = sum(
        Fraction(node["price_per_hour"]) / len(node["cards"])
        for node in facts["nodes"]
        for card in node["cards"]
        if card["processes"]
    )
    ways = {one["way"]: one for one in facts["headline"]["comparisons"]}
    ours = ways["this-plan"]
    assert abs(Fraction(ours["card_share_per_hour"]) - share) <= Fraction(1, 20000)
    for one in ways.values():
        key = "card_share_per_hour" if one["price_per_hour"] is None else "price_per_hour"
        if one[key] is not None:
            ratio = Decimal(one[key]) / Decimal(ours[key])
            assert abs(Decimal(one["price_ratio"]) - ratio) <= Decimal("0.005")


def rounded(theirs: int, ours: int) -> str:
    return format((Decimal(theirs) / ours).quantize(Decimal("0.01")), "f")


@pytest.mark.parametrize("plan", [company_plan(), awkward_plan(), large_plan(16)])
def test_the_bill_follows_from_prices_and_bytes(plan: Plan) -> None:
    facts = twin(plan)
    bill = facts["bill"]
    used = [node for node in facts["nodes"] if node["is_used"]]
    assert Decimal(bill["per_hour"]) == sum(Decimal(node["price_per_hour"]) for node in used)
    assert bill["per_month"] == format(Decimal(bill["per_hour"]) * 730, ".2f")
    expected: dict[tuple[str, str], Fraction] = {}
    for node in used:
        for card in node["cards"]:
            price = Fraction(node["price_per_hour"]) / len(node["cards"])
            kinds = {
                ("headroom", ""): card["headroom_bytes"],
                ("held-by-others", ""): card["taken_bytes"],
                ("idle-memory" if card["processes"] else "idle-cards", ""): card["slack_bytes"],
            }
            for process in card["processes"]:
                key = ("workload", process["workload"])
                kinds[key] = kinds.get(key, 0) + process["planned_bytes"]
            for key, size in kinds.items():
                part = price * size / card["allocatable_bytes"]
                expected[key] = expected.get(key, Fraction(0)) + part
    for line in bill["lines"]:
        exact = expected.get((line["kind"], line["name"]), Fraction(0))
        assert abs(Fraction(line["per_hour"]) - exact) <= Fraction(1, 10000)
        assert abs(Fraction(line["per_month"]) - exact * 730) <= Fraction(1, 100)
        assert abs(Fraction(line["percent"]) - exact * 100 / Fraction(bill["per_hour"])) < 1
    for period in ("per_hour", "per_month"):
        idle = [Decimal(one[period]) for one in bill["lines"] if one["kind"].startswith("idle")]
        assert Decimal(bill[f"idle_{period}"]) == sum(idle)
        assert sum(Decimal(one[period]) for one in bill["lines"]) == Decimal(bill[period])


@pytest.mark.parametrize("plan", PLANS)
def test_workloads_follow_from_their_processes(plan: Plan) -> None:
    facts = twin(plan)
    processes = [one for card in cards_of(facts) for one in card["processes"]]
    amounts = {
        line["name"]: line["per_month"]
        for line in facts["bill"]["lines"]
        if line["kind"] == "workload"
    }
    for one in facts["workloads"]:
        name = one["asked"]["name"]
        mine = [process for process in processes if process["workload"] == name]
        assert one["planned_bytes"] == sum(process["planned_bytes"] for process in mine)
        assert one["per_month"] == amounts.get(name)
        for group in one["groups"]:
            each = len(group["places"]) * group["planned_bytes"]
            assert each <= one["planned_bytes"]


def test_it_is_versioned_and_money_is_exact() -> None:
    text = render_json(awkward_plan())
    facts = json.loads(text)
    assert list(facts)[:2] == ["apiVersion", "kind"]
    assert (facts["apiVersion"], facts["kind"]) == ("gpu-packer/v1", "Report")
    assert facts["bill"]["per_hour"] == "4.333333"
    assert json.loads(render_json(tiny_plan()))["bill"]["per_hour"] is None


def test_only_the_run_block_differs_between_equal_plans() -> None:
    plan = company_plan()
    later = replace(plan, run=replace(plan.run, created="2027-01-01", solver_seconds=9.0))
    one, other = twin(plan), twin(later)
    assert one.pop("run") != other.pop("run")
    assert one == other
    assert render_json(plan) == render_json(company_plan())
