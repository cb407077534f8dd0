"""Each example does what its README says, run as a user runs it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from packer import api
from packer.errors import Infeasible
from tests.planned import ROOT, inputs, plan

FOLDERS = sorted(path for path in (ROOT / "examples").iterdir() if path.is_dir())


def gpu_packer(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "packer", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_every_command_of_the_readme_runs(folder: Path, tmp_path: Path) -> None:
    """Lines that start with ``gpu-packer`` in the README's shell blocks, in their order."""
    text = (folder / "README.md").read_text(encoding="utf-8")
    lines = [line.strip() for line in text.splitlines()]
    commands = [line.split("  #")[0] for line in lines if line.startswith("gpu-packer ")]
    assert commands, "an example shows at least one command"
    exits = [line.split() for line in lines if line.startswith("exit ")]
    expected = {words[1]: int(words[-1]) for words in exits}
    for command in commands:
        words = [word.replace("build/", f"{tmp_path}/") for word in command.split()[1:]]
        done = gpu_packer(*words)
        assert done.returncode == expected.get(words[0], 0), (command, done.stderr)


def test_four_models_share_the_card_that_takes_four_at_fp16() -> None:
    result = plan("01-four-models-one-card")
    assert result.status == "optimal"
    assert result.cards == 1
    fp16 = result.baselines.fp16_one_model_per_card_set_cards
    assert fp16 is not None
    assert fp16 >= 4


def test_the_company_fleet_is_proven() -> None:
    result = plan("02-company-fleet")
    assert len(result.workloads) >= 12
    assert result.status == "optimal"
    assert result.bound == result.objective_value
    chat = [one for one in result.placements if one.workload == "chat"]
    assert len({one.node for one in chat}) == 2
    reasoning = next(one for one in result.placements if one.workload == "reasoning")
    assert len(reasoning.gpus) >= 2
    fp16 = result.baselines.fp16_one_model_per_card_set_cards
    assert fp16 is not None
    assert fp16 > 2 * result.cards


def test_the_cheapest_company_fleet_is_proven_and_beats_first_fit() -> None:
    folder = ROOT / "examples" / "02-company-fleet"
    result = api.plan(api.load(folder / "fleet-price.yaml", ROOT / "inventories/eu-cluster.yaml"))
    assert result.status == "optimal"
    assert result.price_per_hour == result.bound
    greedy = result.baselines.first_fit_decreasing_price_per_hour
    assert greedy is not None
    assert result.price_per_hour < greedy


def test_both_company_files_ask_for_the_same() -> None:
    folder = ROOT / "examples" / "02-company-fleet"
    by_cards, by_price = (
        (folder / name).read_text(encoding="utf-8").split("objective:")[1].split("\n", 1)[1]
        for name in ("fleet.yaml", "fleet-price.yaml")
    )
    assert by_cards == by_price


def test_the_same_inputs_give_the_same_plan() -> None:
    again = api.plan(inputs("02-company-fleet"))
    first, second = (json.loads(api.plan_text(p)) for p in (plan("02-company-fleet"), again))
    del first["run"], second["run"]
    assert first == second


def test_what_does_not_fit_is_explained_with_verified_changes() -> None:
    folder = ROOT / "examples" / "03-does-not-fit"
    given = api.load(folder / "fleet.yaml", folder / "inventory.yaml")
    with pytest.raises(Infeasible) as caught:
        api.plan(given)
    answer = caught.value
    assert {reason.requirement for reason in answer.reasons} == {
        "count:chat",
        "antiaff:chat:node",
    }
    assert all(one.verified for one in answer.relaxations)
    assert any("spread none" in one.change for one in answer.relaxations)
    assert any("one more l40s node" in one.change for one in answer.relaxations)
