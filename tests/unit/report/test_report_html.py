"""The page: complete, self-contained, escaped, and equal for equal plans."""

import base64
import hashlib
import itertools
import json
import re
from dataclasses import replace

import pytest

from packer.domain.workload import Objective
from packer.plan.plan import Plan
from packer.report.html import render_html
from packer.report.json_twin import render_json
from packer.units import GIB
from tests.html_tables import html_tables
from tests.report_plans import HOSTILE, awkward_plan, large_plan
from tests.sample_plans import company_plan, tiny_plan


def gib(size: int, digits: int = 1) -> str:
    return f"{size / GIB:,.{digits}f}"


@pytest.mark.parametrize("plan", [company_plan(), tiny_plan(), awkward_plan()])
def test_nothing_is_fetched_and_no_style_attribute_or_handler_is_used(plan: Plan) -> None:
    page = render_html(plan)
    assert re.findall(r'(?:src|href)="([^"#][^"]*)"', page) == ["data:,"]
    assert "@import" not in page
    assert re.findall(r"url\(([^#)][^)]*)\)", page) == []
    assert not re.search(r"<[^>]+\s(?:style|on\w+)=", page)


def test_the_content_policy_admits_only_this_style_and_script() -> None:
    page = render_html(company_plan())
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy
    assert policy[1].startswith("default-src &#39;none&#39;; ")
    for tag in ("style", "script"):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src &#39;sha256-{digest}&#39;" in policy[1].replace("&#43;", "+")


def test_names_are_escaped_everywhere() -> None:
    page = render_html(awkward_plan())
    assert HOSTILE not in page
    assert "<script>alert" not in page
    assert page.count("&lt;script&gt;alert(1)") > 10
    assert len(re.findall(r"<script>", page)) == 1


@pytest.mark.parametrize("plan", [company_plan(), awkward_plan()])
def test_tables_say_what_the_json_says(plan: Plan) -> None:
    tables = html_tables(render_html(plan))
    facts = json.loads(render_json(plan))
    cards = [card for node in facts["nodes"] for card in node["cards"] if card["processes"]]
    rows = tables["Cards in use"]
    assert [row[4].lstrip("~≈") for row in rows[1:-1]] == [
        gib(card["planned_bytes"]) for card in cards
    ]
    sizes = ("headroom_bytes", "taken_bytes", "slack_bytes")
    assert [row[7:] for row in rows[1:-1]] == [
        [gib(card[size]) for size in sizes] for card in cards
    ]
    assert rows[-1][4] == gib(facts["headline"]["memory"]["planned_bytes"])
    processes = [one for card in cards for one in card["processes"]]
    rows = tables["Processes on these cards, part by part; the parts add up to planned"]
    assert [row[2] for row in rows[1:]] == [one["name"] for one in processes]
    assert [row[-1].lstrip("~≈") for row in rows[1:]] == [
        gib(one["planned_bytes"], 2) for one in processes
    ]
    rows = tables["What the bill pays for, by share of card memory; the lines add up to the bill"]
    lines = facts["bill"]["lines"]
    assert [row[4].replace(",", "") for row in rows[1:-1]] == [one["per_month"] for one in lines]
    ways = tables["The same fleet, placed in simpler ways, and what no way can go below"]
    comparisons = facts["headline"]["comparisons"]
    assert [row[1] for row in ways[1:]] == [
        "–" if one["cards"] is None else str(one["cards"]) for one in comparisons
    ]


def test_parts_a_fleet_does_not_have_take_no_column() -> None:
    caption = "Processes on these cards, part by part; the parts add up to planned"
    company = html_tables(render_html(company_plan()))[caption][0]
    assert "Projector" in company
    assert "Draft" not in company
    assert "Draft" in html_tables(render_html(awkward_plan()))[caption][0]


def test_a_card_without_layers_says_so() -> None:
    caption = "Processes on these cards, part by part; the parts add up to planned"
    rows = html_tables(render_html(awkward_plan()))[caption]
    partly = [row[3] for row in rows if row[0] == "n-1"]
    assert partly == ["13–32", "none"]


def test_command_lines_are_exact_and_shared_by_equal_replicas() -> None:
    page = render_html(company_plan())
    commands = re.findall(r"<pre [^>]*>(.*?)</pre>", page, re.DOTALL)
    assert len(commands) == 7
    assert commands[0].startswith("llama-server --model /models/pvc/models/Llama-3.3-70B")
    assert commands[0].replace(" \\\n ", "").split() == list(company_plan().placements[0].argv)


def test_unknown_prices_are_never_zero() -> None:
    page = render_html(tiny_plan())
    assert "1 node in use without a price (lab-0)" in page
    assert "An unknown price is never counted as 0." in page
    assert "prices are in several currencies" in render_html(
        replace(company_plan(), price_per_hour=None)
    )


def test_bars_and_ratios_are_of_what_the_plan_minimises() -> None:
    caption = "The same fleet, placed in simpler ways, and what no way can go below"
    cards, price = (html_tables(render_html(one))[caption] for one in (company_plan(), by_price()))
    assert (cards[0][2], price[0][2]) == ("Cards, to scale", "Price, to scale")
    assert [row[3] for row in cards[1:]] == ["1.90", "1.30", "1.10", "1.00", "1.00"]
    assert [row[3] for row in price[1:]] == ["3.55", "2.39", "1.00", "1.00", "1.00"]
    assert [row[4] for row in cards[1:]] == ["61.20", "41.30", "–", "17.25", "–"]
    assert [row[5] for row in cards[1:]] == ["–", "–", "34.90", "34.90", "34.90"]


def by_price() -> Plan:
    return replace(company_plan(), objective=Objective.PRICE)


def test_nodes_in_another_currency_say_so() -> None:
    plan = company_plan()
    euro = replace(plan.nodes[0], currency="EUR")
    mixed = replace(plan, nodes=(euro, *plan.nodes[1:]), price_per_hour=None, currency="")
    tables = html_tables(render_html(mixed))
    rows = tables["Nodes in use, and the memory their replicas take of the node"]
    assert [row[-2] for row in rows[:3]] == ["price/h", "7.20 €", "7.20 $"]


def test_refused_choices_carry_their_arithmetic() -> None:
    rows = html_tables(render_html(company_plan()))["Choices of chat that were not taken"]
    assert rows[1] == ["Q5_K_M", "needs 52.3 GiB on 2 × L40S; 43.5 GiB are left on the second"]


def test_inputs_versions_and_caveats_are_on_the_page() -> None:
    page = render_html(company_plan())
    for text in ("1f" * 32, "2e" * 32, "9.15.6755", "2026-11", "Memory limits (dra)", "730 hours"):
        assert text in page


def test_only_the_footer_differs_between_equal_plans() -> None:
    plan = company_plan()
    later = replace(plan, run=replace(plan.run, created="2027-01-01", platform="other"))
    one, other = (re.split("</?footer>", render_html(each)) for each in (plan, later))
    assert one[1] != other[1]
    assert (one[0], one[2]) == (other[0], other[2])


def test_a_hundred_cards_take_less_than_500_kilobytes() -> None:
    assert len(render_html(large_plan(100)).encode()) < 500_000


def test_headings_do_not_skip_levels_and_every_table_has_a_caption() -> None:
    page = render_html(company_plan())
    levels = [int(level) for level in re.findall(r"<h([1-6])", page)]
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))
    assert page.count("<table") == page.count("<caption>")
    assert len(re.findall(r'<svg(?![^>]*(?:aria-hidden="true"|role="img"))', page)) == 0
