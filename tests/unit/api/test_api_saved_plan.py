"""Saved plans: written whole, read back equal, shown as JSON, YAML, table and explanation."""

import io
import json
import sys
from pathlib import Path

import pytest
import yaml

from packer import api
from packer.errors import InvalidInput
from tests.planned import plan

EXAMPLE = "01-four-models-one-card"


def test_what_is_saved_reads_back_equal(tmp_path: Path) -> None:
    path = tmp_path / "new" / "plan.json"
    api.save(plan(EXAMPLE), path)
    assert api.read_plan(path) == plan(EXAMPLE)


def test_yaml_has_the_keys_of_the_json() -> None:
    text = api.plan_yaml(plan(EXAMPLE))
    assert yaml.safe_load(text) == json.loads(api.plan_text(plan(EXAMPLE)))
    assert text.startswith("apiVersion: gpu-packer/v1\nkind: Plan\n")


def test_standard_input_is_named_so(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stdin:
        buffer = io.BytesIO(api.plan_text(plan(EXAMPLE)).encode())

    monkeypatch.setattr(sys, "stdin", Stdin())
    assert api.read_plan("-") == plan(EXAMPLE)
    Stdin.buffer = io.BytesIO(b"{}")
    with pytest.raises(InvalidInput, match="<stdin>"):
        api.read_plan("-")


def test_tables_and_explanations() -> None:
    made = plan(EXAMPLE)
    table = api.plan_table(made, width=100)
    assert "optimal, proved" in table
    assert max(map(len, table.splitlines())) <= 100
    assert len(api.plan_table(made, wide=True)) > len(table)
    assert api.explain(made, "chat").startswith("chat: ")
