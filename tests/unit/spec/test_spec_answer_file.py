"""Saved answers of compare, risk and sweep: read as written, refused when they are not."""

import json
from pathlib import Path

import pytest

from packer import api
from packer.errors import InvalidInput
from packer.report.json_twin import document_json
from packer.spec.answer_file import read_saved_answer
from packer.spec.contract_text import format_contract
from packer.spec.kept_answer import format_answer, read_answer
from tests.report_answers import change_of, comparison_of, risk_of, sweep_of
from tests.sample_plans import company_plan, tiny_plan

PLAN = company_plan()


def test_they_are_read_as_they_were_written() -> None:
    for written in (risk_of(PLAN), comparison_of(PLAN), change_of(PLAN)):
        assert read_saved_answer(format_contract(written), "f.json") == written
    sweep = sweep_of(PLAN)
    assert read_saved_answer(document_json(sweep), "sweep.json") == sweep


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"apiVersion": "gpu-packer/v1", "kind": "Plan"}',
        '{"apiVersion": "gpu-packer/v9", "kind": "Risk"}',
        '{"apiVersion": "gpu-packer/v1", "kind": "Risk"}',
        '{"apiVersion": "gpu-packer/v1", "kind": ["Risk"]}',
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="P0810"):
        read_saved_answer(text, "f.json")


def test_a_key_that_is_not_ours_is_refused_with_its_place() -> None:
    values = json.loads(format_contract(risk_of(PLAN)))
    values["losses"][0]["colour"] = "red"
    with pytest.raises(InvalidInput, match=r"losses\.0\.colour"):
        read_saved_answer(json.dumps(values), "f.json")


def saved(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_answers_beside_a_plan_are_about_its_files(tmp_path: Path) -> None:
    risk = saved(tmp_path, "risk.json", format_contract(risk_of(PLAN)))
    comparison = saved(tmp_path, "compare.json", format_contract(comparison_of(PLAN)))
    sweep = saved(tmp_path, "sweep.json", document_json(sweep_of(PLAN)))
    change = saved(tmp_path, "change.json", format_contract(change_of(PLAN)))
    found = api.read_beside(PLAN, [risk, comparison, sweep, change])
    assert found.change == change_of(PLAN)
    assert found.risk == risk_of(PLAN)
    assert found.comparison == comparison_of(PLAN)
    assert found.sweep == sweep_of(PLAN)
    with pytest.raises(InvalidInput, match="this is the second"):
        api.read_beside(PLAN, [risk, risk])
    other = tiny_plan().inputs
    values = json.loads(risk.read_text())
    values["inputs"]["inventory_sha256"] = other.inventory_sha256[:-1] + "f"
    changed = saved(tmp_path, "other.json", json.dumps(values))
    with pytest.raises(InvalidInput, match="about another inventory than the plan"):
        api.read_beside(PLAN, [changed])


def test_a_report_shows_them(tmp_path: Path) -> None:
    sweep = saved(tmp_path, "sweep.json", document_json(sweep_of(PLAN)))
    shown = api.read_beside(PLAN, [sweep])
    written = api.report(PLAN, tmp_path / "out", formats=["html", "csv"], beside=shown)
    assert "index.html" in written
    assert "What growth costs" in (tmp_path / "out" / "index.html").read_text()


def test_kept_answers_are_only_found_for_their_inputs() -> None:
    answer = sweep_of(PLAN).rows[0].answer
    assert answer is not None
    text = format_answer("a" * 64, answer, 1.5, "2026-11-22T12:00:00+00:00")
    assert read_answer(text, "a" * 64) == answer
    assert read_answer(text, "b" * 64) is None
    assert read_answer(text.replace("optimal", "great"), "a" * 64) is None
    assert read_answer(text.replace('"answer"', '"reply"'), "a" * 64) is None
    for damaged in ("", "[]", "{}", text[:-20], text.replace("gpu-packer/v1", "gpu-packer/v0")):
        assert read_answer(damaged, "a" * 64) is None
