"""What a server's objects carry of its replicas: written, read back, and refused where it lies."""

import json
from typing import Any

import pytest

from packer.plan.running import running_placement
from packer.plan.running_text import read_running_text, running_text
from tests.sample_plans import company_plan

PLAN = company_plan()
UUIDS = {(node.name, card.index): card.uuid for node in PLAN.nodes for card in node.cards}


def test_what_was_written_is_read_back() -> None:
    for one in PLAN.placements:
        (carried,) = read_running_text(running_text([one], UUIDS))
        assert carried.running == running_placement(one)
        assert carried.uuids in ((), tuple(UUIDS[one.node, gpu] for gpu in one.gpus))
    whole = read_running_text(running_text(PLAN.placements, {}))
    assert [one.running.name for one in whole] == [
        f"{one.workload}-{one.replica}" for one in PLAN.placements
    ]
    assert all(one.uuids == () for one in whole)


def test_cards_are_named_by_uuid_where_the_plan_names_them() -> None:
    one = PLAN.placements[0]
    named = {(one.node, gpu): f"GPU-{gpu}" for gpu in one.gpus}
    (carried,) = read_running_text(running_text([one], named))
    assert carried.uuids == tuple(f"GPU-{gpu}" for gpu in one.gpus)


ROW: dict[str, Any] = json.loads(running_text(PLAN.placements[:1], {}))[0]


@pytest.mark.parametrize(
    "change",
    [
        {"workload": ""},
        {"workload": 3},
        {"replica": -1},
        {"replica": True},
        {"gpus": []},
        {"gpus": [0, 0], "layersPerGpu": [1, 1]},
        {"gpus": "0"},
        {"layersPerGpu": [1, 2, 3]},
        {"uuids": ["GPU-a", "GPU-b", "GPU-c"]},
        {"more": 1},
    ],
)
def test_rows_that_cannot_be_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no list of placed replicas"):
        read_running_text(json.dumps([ROW | change]))


@pytest.mark.parametrize("text", ["", "{}", "[]", "[1]", "[" * 20, "x" * 200_000])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_running_text(text)
