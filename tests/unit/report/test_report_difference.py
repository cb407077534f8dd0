"""Two plans compared: every change adds up, and unknown money is never a saving."""

import csv
import json
from dataclasses import replace
from decimal import Decimal
from io import StringIO

import pytest

from packer.plan.plan import Plan
from packer.report.difference import difference
from packer.report.difference_page import render_difference
from packer.report.difference_text import difference_csv, difference_markdown, verdict_words
from packer.report.json_twin import document_json, render_json
from tests.html_tables import html_tables
from tests.report_plans import HOSTILE, awkward_plan, large_plan
from tests.sample_plans import company_plan, tiny_plan


def smaller() -> Plan:
    """The company's plan without its last workload, on a node less, one node dearer."""
    plan = company_plan()
    gone = plan.workloads[-1].name
    placements = tuple(one for one in plan.placements if one.workload != gone)
    nodes = list(plan.nodes)
    nodes[0] = replace(nodes[0], price_per_hour=Decimal("8.00"))
    used = {one.node for one in placements}
    nodes = [replace(node, is_used=node.name in used) for node in nodes]
    price = sum((node.price_per_hour or Decimal(0) for node in nodes if node.is_used), Decimal(0))
    return replace(
        plan,
        workloads=plan.workloads[:-1],
        placements=placements,
        nodes=tuple(nodes),
        price_per_hour=price,
        cards=len({(one.node, gpu) for one in placements for gpu in one.gpus}),
    )


PAIRS = [
    (company_plan(), smaller()),
    (smaller(), company_plan()),
    (large_plan(16), company_plan()),
    (company_plan(), company_plan()),
]


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_changes_add_up_and_follow_from_both_reports(old: Plan, new: Plan) -> None:
    facts = json.loads(document_json(difference(old, new)))
    before, after = (json.loads(render_json(plan)) for plan in (old, new))
    figures = {one["figure"]: one for one in facts["figures"]}
    month = figures["price-per-month"]
    assert (month["before"], month["after"]) == (
        before["bill"]["per_month"],
        after["bill"]["per_month"],
    )
    for one in facts["figures"]:
        assert Decimal(one["change"]) == Decimal(one["after"]) - Decimal(one["before"])
    lines = facts["lines"]
    assert sum(Decimal(one["change"]) for one in lines) == Decimal(month["change"])
    assert sum(Decimal(one["after"]) for one in lines) == Decimal(month["after"])
    hours = Decimal(figures["price-per-hour"]["change"])
    assert sum(Decimal(one["change"]) for one in facts["nodes"]) == hours
    assert facts["is_same"] == (old == new)


def test_the_page_the_text_and_the_tables_say_the_same() -> None:
    facts = difference(company_plan(), smaller())
    tables = html_tables(render_difference(facts))
    rows = tables["Both bills by share of card memory; the changes add up to that of the bill"]
    shown = {row[0]: row[3] for row in rows[1:]}
    table = csv.DictReader(StringIO(difference_csv(facts)["cost.csv"]))
    for line in table:
        change = Decimal(line["change_per_month"])
        words = f"{change:+,.2f}".replace("-", "−") if change else "±0"
        assert shown[line["part"]] == words
        assert not change or words in difference_markdown(facts)
    assert set(difference_csv(facts)) == {"figures.csv", "cost.csv", "nodes.csv"}


def test_workloads_and_nodes_that_change_are_named() -> None:
    facts = difference(company_plan(), smaller())
    changes = {one.name: one.changes for one in facts.workloads}
    assert changes[company_plan().workloads[-1].name] == ("no longer asked for",)
    back = difference(smaller(), company_plan())
    assert ("new",) in [one.changes for one in back.workloads]
    assert {one.what for one in facts.nodes} >= {"another price"}
    chat = company_plan().workloads[0]
    asked = replace(chat, context_per_slot=2 * chat.context_per_slot, replicas=5)
    other = replace(company_plan(), workloads=(asked, *company_plan().workloads[1:]))
    found = difference(company_plan(), other).workloads
    assert [one.name for one in found] == [chat.name]
    assert found[0].changes == (f"replicas {chat.replicas} → 5", "context 16Ki → 32Ki")


def test_unknown_prices_and_other_currencies_are_never_a_saving() -> None:
    priced = replace(tiny_plan(), nodes=company_plan().nodes[:0])
    unknown = difference(tiny_plan(), replace(priced, nodes=tiny_plan().nodes))
    money = [one for one in unknown.figures if one.figure.value.startswith(("price", "idle"))]
    assert [(one.before, one.after, one.change) for one in money] == [(None, None, None)] * 3
    assert unknown.lines == ()
    text = difference_markdown(difference(tiny_plan(), company_plan()))
    assert "unknown" in text
    euro = difference(company_plan(), awkward_plan())
    assert euro.currency == ""
    assert euro.lines == ()
    assert euro.nodes == ()
    assert "different currencies" in difference_markdown(euro)
    assert "different currencies" in render_difference(euro)
    assert verdict_words(euro).startswith("The change in money is unknown")


def test_the_same_plan_twice_changes_nothing() -> None:
    facts = difference(awkward_plan(), awkward_plan())
    assert facts.is_same
    assert verdict_words(facts) == "Nothing changes."
    assert all(not one.change for one in facts.figures)


def test_names_are_escaped() -> None:
    page = render_difference(difference(awkward_plan(), company_plan()))
    assert HOSTILE not in page
    assert page.count("<script>") == 1
    assert "<script" not in difference_markdown(difference(awkward_plan(), company_plan())).replace(
        r"\<script", ""
    )
    assert render_difference(difference(awkward_plan(), company_plan())) == page
