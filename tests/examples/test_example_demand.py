"""The example of demand and goals: what its plan derives, decides and promises."""

from functools import cache
from pathlib import Path

import pytest

from packer import api
from packer.errors import InvalidInput
from packer.plan.plan import Plan, WorkloadSummary
from tests.planned import ROOT

FOLDER = ROOT / "examples" / "06-demand-and-goals"
INVENTORY = ROOT / "inventories/eu-cluster.yaml"


@cache
def plan() -> Plan:
    return api.plan(api.load(FOLDER / "fleet.yaml", INVENTORY))


def summary(name: str) -> WorkloadSummary:
    return next(one for one in plan().workloads if one.name == name)


def test_bands_are_sized_apart_and_tell_gateways_their_border() -> None:
    short, long = summary("chat-8k").band, summary("chat-64k").band
    assert short is not None
    assert long is not None
    assert short.route == long.route == "chat"
    assert short.max_prompt_tokens == long.above_prompt_tokens < short.max_tokens == 8192
    served = [summary(name).demand for name in ("chat-8k", "chat-64k")]
    assert all(served)
    assert sum(one.requests_per_second for one in served if one) == pytest.approx(2.0, rel=1e-5)


def test_a_shared_pool_is_smaller_than_every_slot_its_context_and_its_risk_is_printed() -> None:
    placed = [one for one in plan().placements if one.workload == "chat-8k"]
    for one in placed:
        assert one.variant.cache_cells < one.variant.slots * 8192
        assert "--kv-unified" in one.argv
        assert one.speed is not None
        assert 0 < one.speed.overflow_probability <= 0.001
    assert any("share" in note and "chat-8k" in note for note in plan().notes)


def test_every_goal_is_promised_and_no_card_has_more_load_than_is_allowed() -> None:
    loads: dict[tuple[str, int], int] = {}
    for one in plan().placements:
        assert one.speed is not None
        goal = summary(one.workload).demand
        for gpu in one.gpus:
            place = (one.node, gpu)
            loads[place] = loads.get(place, 0) + one.speed.load_permille
        if goal is None or one.speed.first_token_p95_seconds is None:
            continue
        assert one.speed.first_token_p95_seconds <= goal.goal_first_token_p95_seconds * 1.001
    assert plan().policy.load_limit_permille == 800
    assert 0 < max(loads.values()) <= 800


def test_one_person_gets_drafts_and_hears_why_not_other_ones() -> None:
    (code,) = [one for one in plan().placements if one.workload == "code"]
    assert code.variant.speculation.startswith("mtp")
    assert "draft-mtp" in code.argv
    said = api.explain(plan(), "code")
    assert "chosen: " in said
    assert "ngram, depth 8" in said
    assert "are needed" in said


def test_high_fidelity_keeps_caches_fine() -> None:
    assert {one.variant.cache_type_k for one in plan().placements} <= {"f16", "q8_0"}


def test_a_goal_beyond_physics_names_the_division(tmp_path: Path) -> None:
    text = (FOLDER / "fleet.yaml").read_text().replace("Second: 45", "Second: 2000")
    (tmp_path / "fleet.yaml").write_text(text)
    (tmp_path / "trace.csv").write_bytes((FOLDER / "trace.csv").read_bytes())
    with pytest.raises(InvalidInput) as caught:
        api.load(tmp_path / "fleet.yaml", INVENTORY)
    (problem,) = caught.value.problems
    assert problem.code == "P1105"
    assert "GB/s ÷" in problem.why
