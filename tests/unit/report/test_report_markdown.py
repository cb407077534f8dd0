"""Markdown for a pull request, and CSV for spreadsheets."""

import csv
import io
import re
from dataclasses import replace

from packer.report.csv_tables import render_csv
from packer.report.markdown import escaped, render_markdown
from packer.units import GIB
from tests.report_plans import HOSTILE, awkward_plan
from tests.sample_plans import company_plan, tiny_plan


def test_the_summary_comes_first() -> None:
    lines = render_markdown(company_plan()).splitlines()
    assert lines[0] == "## fleet.yaml on inventory.yaml"
    assert lines[2] == (
        "**10 cards of 22** for 7 workloads in 9 replicas · optimal, proved. "
        "No plan on this inventory takes fewer cards."
    )
    assert lines[4] == r"**34.90 \$/h** · 25,477 \$/month (730 h), of which idle 17,322 (68.0 %)."


def test_rows_have_as_many_cells_as_their_head() -> None:
    for plan in (company_plan(), awkward_plan()):
        for block in re.findall(r"(?:^\|.*\n)+", render_markdown(plan), re.MULTILINE):
            counts = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
            assert len(counts) == 1


def test_names_are_escaped() -> None:
    text = render_markdown(awkward_plan())
    outside_code = re.sub(r"^(`{3,})sh\n.*?\n\1$", "", text, flags=re.DOTALL | re.MULTILINE)
    assert HOSTILE not in outside_code
    assert escaped(HOSTILE) in outside_code
    assert escaped("a\nb|*c*") == r"a b\|\*c\*"


def test_a_fence_is_longer_than_any_in_the_command() -> None:
    plan = tiny_plan()
    placement = replace(plan.placements[0], argv=("llama-server", "--alias", "a```b"))
    text = render_markdown(replace(plan, placements=(placement,)))
    assert "````sh\nllama-server --alias 'a```b'\n````" in text


def test_unknown_money_and_cards_are_said() -> None:
    text = render_markdown(tiny_plan())
    assert "**Price unknown**, which is never counted as 0." in text
    assert "Unknown: a node in use has no price" in text
    assert "| one FP16 model per card set | – | – | – | – |" in render_markdown(awkward_plan())


def test_run_facts_are_left_out() -> None:
    plan = company_plan()
    later = replace(plan, run=replace(plan.run, created="2027-01-01", total_seconds=99.0))
    assert render_markdown(plan) == render_markdown(later)


def test_csv_tables_hold_whole_bytes_and_exact_money() -> None:
    tables = {
        name: list(csv.DictReader(io.StringIO(text)))
        for name, text in render_csv(company_plan()).items()
    }
    assert len(tables["cards.csv"]) == 22
    assert len(tables["processes.csv"]) == 13
    assert len(tables["nodes.csv"]) == 5
    chat = tables["workloads.csv"][0]
    assert (chat["workload"], chat["replicas"], chat["quantization"]) == ("chat", "2", "Q4_K_M")
    assert sum(float(row["percent"]) for row in tables["cost.csv"]) == 100.0
    first = tables["processes.csv"][0]
    assert (first["first_layer"], first["last_layer"]) == ("0", "39")
    planned = sum(int(row["planned_bytes"]) for row in tables["processes.csv"])
    assert planned == sum(int(row["planned_bytes"]) for row in tables["cards.csv"])
    assert planned > 300 * GIB
    assert tables["comparison.csv"][0]["cards"] == "19"


def test_csv_cells_are_no_formulas_and_unknown_money_is_empty() -> None:
    plan = tiny_plan()
    why = replace(plan.workloads[0], why_not_better="=HYPERLINK(1)")
    tables = render_csv(replace(plan, workloads=(why,)))
    assert tables["workloads.csv"].rstrip().endswith("'=HYPERLINK(1)")
    (node,) = csv.DictReader(io.StringIO(tables["nodes.csv"]))
    assert node["price_per_hour"] == ""
