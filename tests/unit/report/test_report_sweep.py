"""Sweeps as tables and pages: every figure is that of the JSON, the front is not beaten."""

import csv
import json
from dataclasses import replace
from decimal import Decimal
from io import StringIO
from typing import Any

from packer.plan.sweep import Answer, Outcome, Sweep
from packer.report.sweep_figures import cost_of, fidelity_front, placed_rows
from packer.report.sweep_files import sweep_files
from packer.report.sweep_tables import sweep_table
from tests.html_tables import html_tables
from tests.report_answers import sweep_of
from tests.report_plans import HOSTILE
from tests.sample_plans import company_plan

SWEEP = sweep_of(company_plan())
FILES = sweep_files(SWEEP)
CAPTION = "One plan each; no plan of a scenario takes less than its bound"


def twin() -> Any:
    return json.loads(FILES["sweep.json"])


def test_every_file_is_there_and_versioned() -> None:
    assert list(FILES) == ["index.html", "sweep.md", "sweep.csv", "sweep.json"]
    assert (twin()["apiVersion"], twin()["kind"]) == ("gpu-packer/v1", "Sweep")
    assert list(twin())[-1] == "run"


def test_the_page_and_the_csv_say_what_the_json_says() -> None:
    rows = html_tables(FILES["index.html"])[CAPTION][1:]
    table = list(csv.DictReader(StringIO(FILES["sweep.csv"])))
    assert len(rows) == len(table) == len(twin()["rows"]) == 14
    for shown, line, row in zip(rows, table, twin()["rows"], strict=True):
        assert shown[0] == row["scenario"]
        answer = row["answer"] or {"outcome": ""}
        assert line["outcome"] == answer["outcome"]
        if answer["outcome"] == "optimal":
            assert shown[4].replace(",", "") == answer["price_per_month"]
            assert shown[2] == str(answer["cards"]) == line["cards"]
            assert shown[8] == answer["bits_per_weight"] == line["bits_per_weight"]
            month = Decimal(answer["price_per_hour"]) * 730
            assert abs(month - Decimal(answer["price_per_month"])) < Decimal("0.01")
        else:
            assert shown[2:9] == ["–"] * 7
            assert line["price_per_month"] == ""


def test_no_scenario_beats_one_on_the_front() -> None:
    front = fidelity_front(SWEEP)
    assert [row.scenario for row, _ in front] == [
        "own · any · demand ×1",
        "cloud · any · demand ×1",
        "cloud · Q6_K · demand ×1",
    ]
    for _, best in front:
        for row, other in placed_rows(SWEEP):
            if row.demand == "×1":
                figures = (best.price_per_month, best.bits_per_weight, other.bits_per_weight)
                assert None not in (*figures, other.price_per_month)
                cheaper = (other.price_per_month or 0) < (best.price_per_month or 0)
                finer = (other.bits_per_weight or 0) > (best.bits_per_weight or 0)
                assert not (cheaper and finer)


def test_every_point_and_every_cross_of_the_pictures_has_its_figures() -> None:
    page = FILES["index.html"]
    assert page.count('class="mark"') == 9
    assert page.count('class="gone"') == 3
    assert "<title>own · any · demand ×3: does not fit</title>" in page
    assert "<title>cloud · Q6_K · demand ×3: 3,322 $ a month</title>" in page
    assert page.count('class="dot best"') == 3


def test_names_are_escaped_and_nothing_is_fetched() -> None:
    page = FILES["index.html"]
    assert HOSTILE not in page
    assert page.count("<script>") == 1
    assert "<script" not in FILES["sweep.md"].replace(r"\<script", "")


def test_unknown_prices_are_compared_by_cards_and_never_0() -> None:
    unpriced = _without_prices(SWEEP)
    assert cost_of(unpriced).words == "cards"
    files = sweep_files(unpriced)
    rows = html_tables(files["index.html"])[CAPTION][1:]
    assert rows[0][4] == "unknown"
    assert "0.00" not in {row[4] for row in rows}


def _without_prices(sweep: Sweep) -> Sweep:
    def unpriced(answer: Answer | None) -> Answer | None:
        nothing = {"price_per_hour": None, "price_per_month": None, "idle_per_month": None}
        return None if answer is None else replace(answer, **nothing)  # type: ignore[arg-type]

    rows = tuple(replace(row, answer=unpriced(row.answer)) for row in sweep.rows)
    return replace(sweep, rows=rows)


def test_a_sweep_without_any_plan_is_a_table_without_pictures() -> None:
    rows = tuple(
        replace(row, answer=Answer(Outcome.INFEASIBLE, "too small")) for row in SWEEP.rows[:2]
    )
    page = sweep_files(replace(SWEEP, rows=rows))["index.html"]
    assert 'id="front"' not in page
    assert page.count("too small") == 2


def test_only_the_run_differs_between_equal_sweeps() -> None:
    later = sweep_files(replace(SWEEP, run=replace(SWEEP.run, seconds=99.0, engine="ray")))
    assert later["sweep.md"] == FILES["sweep.md"]
    assert later["sweep.csv"] == FILES["sweep.csv"]
    one, other = (json.loads(text["sweep.json"]) for text in (later, FILES))
    assert one.pop("run") != other.pop("run")
    assert one == other
    assert later["index.html"].split("<footer>")[0] == FILES["index.html"].split("<footer>")[0]


def test_the_terminal_shows_outcomes_and_what_is_wrong() -> None:
    text = sweep_table(SWEEP, width=200)
    lines = text.splitlines()
    assert lines[1].split()[-2:] == ["proved", "optimal"]
    assert "not computed yet" in text
    assert "P0261" in text
    assert lines[-1].startswith("14 scenarios: proved optimal 9, does not fit 3")


def test_rows_that_the_clock_cut_short_say_so() -> None:
    answer = SWEEP.rows[0].answer
    assert answer is not None
    cut = replace(answer, outcome=Outcome.FEASIBLE, is_cut_short=True, gap_percent=Decimal("4.20"))
    text = sweep_table(replace(SWEEP, rows=(replace(SWEEP.rows[0], answer=cut),)), width=200)
    assert "feasible, gap 4.20 %, cut short by the clock" in text
