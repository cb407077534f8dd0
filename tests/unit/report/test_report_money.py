"""Stacked costs, growth, other keys and what other commands say: plain arithmetic from the JSON."""

import json
import re
from dataclasses import replace
from decimal import ROUND_FLOOR, Decimal
from fractions import Fraction
from typing import Any

import pytest

from packer.plan.cost import CostKind
from packer.plan.plan import Plan
from packer.report.csv_tables import render_csv
from packer.report.html import render_html
from packer.report.json_twin import render_json
from packer.report.markdown import render_markdown
from packer.report.node_bills import node_bills
from packer.report.svg_stacked import MOST_ROWS, rows_of
from packer.report.wording import COST_NAMES
from tests.html_tables import html_tables
from tests.report_answers import beside
from tests.report_plans import HOSTILE, awkward_plan, large_plan
from tests.sample_plans import company_plan, tiny_plan

PRICED = [company_plan(), awkward_plan(), large_plan(16)]


def twin(plan: Plan) -> Any:
    return json.loads(render_json(plan))


@pytest.mark.parametrize("plan", PRICED)
def test_each_nodes_bill_follows_from_its_price_and_bytes(plan: Plan) -> None:
    facts = twin(plan)
    nodes = {node["name"]: node for node in facts["nodes"]}
    bills = {one["node"]: one for one in facts["node_bills"]}
    assert set(bills) == {name for name, node in nodes.items() if node["is_used"]}
    for name, bill in bills.items():
        node = nodes[name]
        assert Decimal(bill["per_month"]) == Decimal(
            format(Decimal(node["price_per_hour"]) * 730, ".2f")
        )
        for period in ("per_hour", "per_month"):
            assert sum(Decimal(line[period]) for line in bill["lines"]) == Decimal(bill[period])
        held: dict[str, Fraction] = {}
        for card in node["cards"]:
            price = Fraction(node["price_per_hour"]) / len(node["cards"])
            for process in card["processes"]:
                part = price * process["planned_bytes"] / card["allocatable_bytes"]
                held[process["workload"]] = held.get(process["workload"], Fraction(0)) + part
        for line in bill["lines"]:
            if line["kind"] == "workload":
                exact = held[line["name"]] * 730
                assert abs(Fraction(line["per_month"]) - exact) <= Fraction(1, 100)


@pytest.mark.parametrize("plan", PRICED)
def test_growth_follows_from_the_budget_of_each_card(plan: Plan) -> None:
    facts = twin(plan)
    cards = {(card["node"], card["gpu"]): card for node in facts["nodes"] for card in node["cards"]}
    assert len(facts["growth"]) == facts["headline"]["cards"]
    for one in facts["growth"]:
        card = cards[one["node"], one["gpu"]]
        room = card["slack_bytes"]
        for key, more in (("keeps_headroom_percent", 0), ("fits_percent", card["headroom_bytes"])):
            share = Decimal(100 * (room + more)) / card["planned_bytes"]
            assert Decimal(one[key]) == share.quantize(Decimal("0.01"), ROUND_FLOOR)
    kept = [Decimal(one["keeps_headroom_percent"]) for one in facts["growth"]]
    assert kept == sorted(kept)
    words = re.search(r"at \+25 % (\d+) cards? loses? headroom and (\d+) overflow", _text(plan))
    assert words
    fits = [Decimal(one["fits_percent"]) for one in facts["growth"]]
    assert int(words[1]) == sum(one < 25 for one in kept)
    assert int(words[2]) == sum(one < 25 for one in fits)


def _text(plan: Plan) -> str:
    return render_markdown(plan).replace("\\", "")


@pytest.mark.parametrize("plan", PRICED)
def test_every_key_divides_the_same_bill(plan: Plan) -> None:
    facts = twin(plan)
    assert [one["key"] for one in facts["attributions"]] == ["memory", "load", "both"]
    for share in facts["attributions"]:
        for period in ("per_hour", "per_month"):
            total = sum(Decimal(line[period]) for line in share["lines"])
            assert total == Decimal(facts["bill"][period])
    assert facts["attributions"][0]["lines"] == facts["bill"]["lines"]
    caption = "What each workload pays under other keys, {} a month; headroom, others and idle stay"
    tables = html_tables(render_html(plan))
    (rows,) = [
        rows for name, rows in tables.items() if name.startswith(caption.split(",", maxsplit=1)[0])
    ]
    for row in rows[1:]:
        for cell, share in zip(row[1:], facts["attributions"], strict=True):
            (line,) = [one for one in share["lines"] if one["name"] == row[0]]
            assert cell.replace(",", "") == line["per_month"]


@pytest.mark.parametrize("plan", [company_plan(), large_plan(16)])
def test_every_bar_shows_an_amount_of_the_json(plan: Plan) -> None:
    facts = twin(plan)
    shown = dict(
        re.findall(r"<title>([^<:]+(?:: [^<:]+)?): ([\d,.]+) \$ a month</title>", html(plan))
    )
    expected = {}
    for bill in ({"node": "bill", "lines": facts["bill"]["lines"]}, *facts["node_bills"]):
        for line in bill["lines"]:
            name = line["name"] or COST_NAMES[CostKind(line["kind"])]
            expected[f"{bill['node']}, {name}"] = line["per_month"]
    assert len(shown) > 20
    assert {name: amount.replace(",", "") for name, amount in shown.items()} == expected


def html(plan: Plan) -> str:
    return render_html(plan).partition('id="cost"')[2]


def test_many_nodes_become_a_bar_per_pool_with_the_same_money() -> None:
    bills = node_bills(large_plan(8 * (MOST_ROWS + 2)))
    assert len(bills) == MOST_ROWS + 2
    (row,) = rows_of(bills)
    assert row.per_month == sum((one.per_month for one in bills), Decimal(0))
    assert sum((line.per_month for line in row.lines), Decimal(0)) == row.per_month


def test_an_unknown_price_draws_no_bars() -> None:
    assert node_bills(tiny_plan()) == ()
    page = render_html(tiny_plan())
    assert "Every paid node" not in page
    assert twin(tiny_plan())["attributions"][0]["lines"] == []
    mixed = replace(company_plan(), price_per_hour=None)
    assert node_bills(mixed) == ()


def test_answers_of_other_commands_are_on_every_form() -> None:
    plan = company_plan()
    shown = beside(plan)
    page, text = render_html(plan, shown), render_markdown(plan, shown)
    facts = json.loads(render_json(plan, shown))
    assert facts["beside"]["risk"]["stresses"][0]["change"] == "memory +10 %"
    assert facts["beside"]["sweep"]["rows"][0]["answer"]["price_per_month"] == "730.00"
    tables = html_tables(page)
    (stresses,) = [rows for name, rows in tables.items() if name.startswith("Changes of demand")]
    assert stresses[1] == ["memory +10 %", "1", "fits", "11", "36.10"]
    assert stresses[4] == ["one replica more of chat", "0", "not asked", "–", "–"]
    losses = tables["Losing one card, node or zone"]
    assert losses[1][0] == "node: l40s-0"
    contenders = tables["The same fleet, planned on each, cheapest first"]
    assert [row[-1] for row in contenders[1:]] == [
        "chosen",
        "costs 1.00 per hour more",
        "chat: needs more",
    ]
    assert contenders[3][3:8] == ["–"] * 5
    # 1.20 $ an hour more are 876 $ a month; what has no plan has words instead of a bar.
    assert "<title>memory +10 %: +876 $ a month</title>" in page
    assert page.count('class="worse"') == 1
    assert page.count('class="better"') == 1
    assert ">does not fit</text>" in page
    assert page.count('class="dot best"') == 3
    for form in (page, text):
        assert "memory +10 %" in form
        assert "26,207.00" in form
        assert HOSTILE not in form


def test_the_tables_are_there_as_csv_too() -> None:
    files = render_csv(company_plan(), beside(company_plan()))
    assert {"node-cost.csv", "growth.csv", "attribution.csv"} < set(files)
    facts = twin(company_plan())
    assert files["growth.csv"].count("\n") == 1 + len(facts["growth"])
    assert files["attribution.csv"].count("\n") == 1 + 3 * len(facts["bill"]["lines"])
