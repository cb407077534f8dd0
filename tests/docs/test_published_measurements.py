"""docs/published-measurements.md is what is computed today, and keeps what was promised of it."""

import pytest

from benchmarks import published_decisions, published_drafts, published_memory, published_mtp
from benchmarks.published_measurements import ARTICLES, document
from packer.performance.speculation_choice import SpeculationRule
from tests.planned import ROOT

DRAFT, MTP = ARTICLES["draft"], ARTICLES["mtp"]


def test_the_page_is_what_is_computed() -> None:
    page = (ROOT / "docs/published-measurements.md").read_text(encoding="utf-8")
    assert page == document(), "make published renews it"


def test_figures_of_the_memory_article_differ_by_units_alone() -> None:
    article = ARTICLES["memory"]
    ours = published_memory.our_figures(article["model"])
    for row, figure in zip(article["figures"], ours, strict=True):
        assert figure == pytest.approx(row["measured"], rel=0.08)
    compute, process = published_memory.buffer_shares(article["model"])
    assert compute < article["activations_percent"][0] / 100
    assert process < article["framework_percent"][0] / 100


def test_the_8_gb_card_ranks_as_measured_and_refuses_every_draft() -> None:
    found = published_drafts.configurations(DRAFT)
    ours = [published_drafts.our_speed(one) for one in found]
    assert ours == sorted(ours, reverse=True)
    drafts = [one.verdict for one in found if one.verdict]
    assert [verdict.failed for verdict in drafts] == [SpeculationRule.MEMORY] * 3
    implied = [one.implied_acceptance for one in found if one.implied_acceptance]
    assert implied == sorted(implied)
    assert all(0.5 < share < 0.7 for share in implied)


def test_experts_on_the_cpu_beat_layers_there() -> None:
    _, speed = published_drafts.best_experts_on_cpu(DRAFT)
    by_layers = published_drafts.our_speed(published_drafts.configurations(DRAFT)[1])
    assert speed > 1.2 * by_layers > DRAFT["rows"][1]["measured"]


@pytest.mark.parametrize("row", MTP["rows"], ids=lambda row: f"{row['model']}-{row['measured']}")
def test_speeds_on_the_16_gb_card(row: dict[str, float]) -> None:
    allowed = 0.20 if "a3b" in str(row["model"]) else 0.15
    speed = 1 / published_mtp.verdict(MTP, row).seconds_per_token
    assert speed == pytest.approx(row["measured"], rel=allowed)


@pytest.mark.parametrize("row", MTP["rows"][:3], ids=lambda row: str(row["context_ki"]))
def test_contexts_that_memory_explains(row: dict[str, int]) -> None:
    correction = published_mtp.file_correction(MTP, str(row["model"]))
    found = published_mtp.ceiling_ki(MTP, row, correction)
    assert found == pytest.approx(row["context_ki"], rel=0.15)


@pytest.mark.parametrize("wish", MTP["decisions"], ids=lambda wish: wish["use"])
def test_decisions_of_the_article(wish: dict[str, str]) -> None:
    decided = wish["decided"].replace("depth 2 or 3", "depth 2")
    assert published_mtp.decision(MTP, wish) == decided


PLANNED = {
    "agentic work, at least 64Ki": ("standard, q8_0", "mtp, depth 1, q8_0"),
    "code, 32 to 48Ki": ("mtp, depth 2, q8_0", "mtp, depth 2, q8_0"),
    "long summaries, lower fidelity accepted": ("standard, q8_0", "mtp, depth 1, q8_0"),
    "mixture of experts on 16 GB": ("standard, q8_0", "mtp, depth 2, q8_0"),
    "mixture of experts on 24 GB": ("mtp, depth 2, q8_0", "mtp, depth 2, q8_0"),
}
"""What plans choose with the article's build and with the newest; the page says why they differ."""


@pytest.mark.parametrize("wish", MTP["decisions"], ids=lambda wish: wish["use"])
def test_decisions_of_real_plans(wish: dict[str, str]) -> None:
    chosen = tuple(
        published_decisions.planned_decision(MTP, wish, build) for build in ("", "b11434")
    )
    assert chosen == PLANNED[wish["use"]]


def test_plans_decide_as_the_article_but_for_the_row_measured_near_an_empty_context() -> None:
    differing = [
        wish["use"]
        for wish in MTP["decisions"]
        if published_decisions.planned_decision(MTP, wish)
        != wish["decided"].replace("depth 2 or 3", "depth 2")
    ]
    assert differing == ["long summaries, lower fidelity accepted"]


def test_no_bytes_alike_in_both_rows_explain_the_contexts_of_the_mixture_of_experts() -> None:
    first, second = (published_mtp.freed_band(MTP, row) for row in MTP["rows"][4:6])
    assert 0 < second[0] < second[1] < first[0] < first[1]


def test_over_provision_of_our_own_on_six_fleets() -> None:
    found = list(published_memory.fleet_ratios())
    assert len(found) == 6
    assert all(one.ratio > 1.5 for one in found)
    four = next(one for one in found if one.name == "four-models")
    assert (four.replicas, four.fp16, four.planned) == (4, 4, 1)


def test_a_card_with_kernels_for_q5_1_drafts_faster() -> None:
    slow, quick = (
        published_mtp.verdict(MTP, MTP["rows"][5], build).seconds_per_token
        for build in ("b9000", "b11434")
    )
    assert slow > 1.15 * quick
