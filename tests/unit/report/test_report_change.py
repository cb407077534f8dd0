"""The way to a plan, as an apply kept it, in words, on the page and in Markdown."""

from dataclasses import replace

from packer.plan.rollout.record import Ending
from packer.report.beside import Beside
from packer.report.change_rows import ENDINGS, change_words, gap_rows, peak_rows, step_rows
from packer.report.html import render_html
from packer.report.json_twin import render_json
from packer.report.markdown import render_markdown
from tests.report_answers import change_of
from tests.report_plans import HOSTILE
from tests.sample_plans import company_plan

PLAN = company_plan()
CHANGE = change_of(PLAN)


def test_steps_peaks_and_gaps_have_rows() -> None:
    assert [*step_rows(CHANGE)] == [
        ("1", "code-0", "stop first, for chat-0"),
        ("1", HOSTILE, "start"),
        ("2", "chat-0", "start new, wait until it answers, stop old"),
        ("2", "code-0", "start"),
    ]
    assert [*peak_rows(CHANGE)] == [
        ("l40s-0 gpu0", "30.0 GiB", "44.0 GiB", "68.2 %"),
        ("l40s-0 memory", "8.0 GiB", "0 B", ""),
    ]
    assert [*gap_rows(CHANGE)] == [
        ("code", "nothing answers for about 90 s"),
        ("code", "0 of at least 1 answer while code-0 stopped"),
    ]


def test_every_ending_has_words() -> None:
    assert set(ENDINGS) == set(Ending)
    words = change_words(CHANGE)
    assert "failed on the way; run the same command again. 4 steps, 1 forced stop (" in words
    assert "expected 120 s, took 77 s; 1 object written or deleted." in words
    shown = change_words(replace(CHANGE, ending=Ending.SHOWN, taken_seconds=None))
    assert "shown, not carried out" in shown
    assert "took" not in shown


def test_every_format_shows_it_only_where_it_is_given() -> None:
    beside = Beside(change=CHANGE)
    for render in (render_html, render_markdown):
        assert "The way to this plan" in render(PLAN, beside)
        assert "The way to this plan" not in render(PLAN)
    page = render_html(PLAN, beside)
    assert HOSTILE not in page
    assert "took 77 s" in page
    assert '"ending": "failed"' in render_json(PLAN, beside)
    calm = replace(CHANGE, gaps=(), shortfalls=())
    assert "Every workload answers at every moment." in render_html(PLAN, Beside(change=calm))
