"""Sweeps through the API: every scenario a row, nothing computed twice, nothing half written."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from packer import api
from packer.api.scenario_answers import Setting, answer_scenario
from packer.api.sweeping import SweepProgress
from packer.errors import InvalidInput
from packer.plan.sweep import Outcome, Sweep, SweepLimits
from packer.spec.sweep_file import read_sweep
from tests.interruptible import interruptible
from tests.sweep_files import GRID, write_sweep

TABLES = ("sweep.csv", "sweep.md")
BAD = """
apiVersion: gpu-packer/v1
kind: Sweep
metadata: {name: bad}
fleet: fleet.yaml
scenarios:
- {name: good, inventory: large.yaml}
- {name: good again, inventory: large.yaml}
- {name: no such file, inventory: missing.yaml}
- {name: broken file, inventory: fleet.yaml}
- {name: no such workload, inventory: large.yaml, demand: {name: x, workloads: {nobody: 2}}}
- {name: no such pool, inventory: large.yaml, prices: {name: x, pools: {nowhere: 2}}}
- {name: too long, inventory: large.yaml, context: 1000}
- {name: too fine, inventory: large.yaml, quantizationFloor: F16}
- {name: too many, inventory: large.yaml, demand: 900}
- {name: no such price, inventory: large.yaml, prices: {name: x, payment: reserved-1y}}
- {name: spot, inventory: large.yaml, prices: {name: spot, payment: spot}}
"""


def outcomes(sweep: Sweep) -> dict[str, Outcome]:
    return {row.scenario: row.answer.outcome for row in sweep.rows if row.answer}


def tables(out: Path) -> list[str]:
    sweep = json.loads((out / "sweep.json").read_text())
    del sweep["run"]
    return [json.dumps(sweep), *((out / name).read_text() for name in TABLES)]


def test_the_table_is_the_same_on_one_process_and_on_two(tmp_path: Path) -> None:
    path = write_sweep(tmp_path, 2)
    steps: list[SweepProgress] = []
    one = api.sweep(path, tmp_path / "one", processes=1, progress=steps.append)
    two = api.sweep(path, tmp_path / "two", processes=2)
    assert one.rows == two.rows
    assert tables(tmp_path / "one") == tables(tmp_path / "two")
    assert [step.answered for step in steps] == [*range(1, 17)]
    assert steps[-1].seconds_left == 0
    assert {row.answer.outcome for row in one.rows if row.answer} == {Outcome.OPTIMAL}
    assert (one.run.computed, one.run.kept) == (16, 0)


def test_kept_answers_are_not_computed_again_and_damaged_ones_are(tmp_path: Path) -> None:
    path, out = write_sweep(tmp_path, 1), tmp_path / "out"
    first = api.sweep(path, out, processes=1)
    before, kept = tables(out), sorted((out / "results").iterdir())
    assert len(kept) == first.run.computed == 8
    kept[0].write_text(kept[0].read_text()[:100])
    kept[1].write_text(kept[1].read_text().replace("optimal", "splendid"))
    again = api.sweep(path, out, processes=1)
    assert (again.run.computed, again.run.kept) == (2, 6)
    assert tables(out) == before
    other_seed = api.sweep(path, out, processes=1, seed=2)
    assert other_seed.run.computed == 8


def test_bad_scenarios_are_rows_and_stop_no_other(tmp_path: Path) -> None:
    path = write_sweep(tmp_path, text=BAD)
    result = api.sweep(path, tmp_path / "out", processes=1)
    assert outcomes(result) == {
        "good": Outcome.OPTIMAL,
        "good again": Outcome.OPTIMAL,
        "no such file": Outcome.INVALID,
        "broken file": Outcome.INVALID,
        "no such workload": Outcome.INVALID,
        "no such pool": Outcome.INVALID,
        "too long": Outcome.INVALID,
        "too fine": Outcome.INFEASIBLE,
        "too many": Outcome.INFEASIBLE,
        "no such price": Outcome.INVALID,
        "spot": Outcome.INFEASIBLE,
    }
    reasons = {row.scenario: row.answer.reason for row in result.rows if row.answer}
    assert reasons["no such file"].startswith("P0101")
    assert reasons["no such workload"] == "P0261: demand x: the fleet has no workload nobody"
    assert "has no pool nowhere" in reasons["no such pool"]
    assert reasons["too long"].startswith("P0205: chat: context 2048000")
    assert reasons["too fine"] == "no quantization of chat reaches F16; " + (
        "no quantization of embed reaches F16"
    )
    assert "900 replicas, each at least" in reasons["too many"]
    # Equal scenarios are one computation; what makes no sense is none.
    assert result.run.computed == 4
    text = (tmp_path / "out" / "index.html").read_text()
    assert "the fleet has no workload nobody" in text


def test_prices_and_growth_say_what_they_do(tmp_path: Path) -> None:
    path = write_sweep(tmp_path, 2)
    rows = {row.scenario: row.answer for row in api.sweep(path, tmp_path / "out").rows}
    listed, dear = (rows[f"large · {name} · any · demand ×1"] for name in ("listed", "dear"))
    assert listed is not None
    assert dear is not None
    assert listed.price_per_hour is not None
    assert dear.price_per_hour == listed.price_per_hour * 6 / 5
    assert listed.replicas == 2
    double = rows["large · listed · any · demand ×2"]
    assert double is not None
    assert double.replicas == 4
    fine = rows["large · listed · Q8_0 or finer · demand ×2"]
    assert fine is not None
    assert fine.bits_per_weight == listed.bits_per_weight
    assert fine.first_choices == fine.replicas


def test_a_sweep_without_a_single_sound_inventory_is_refused(tmp_path: Path) -> None:
    path = write_sweep(tmp_path, 1)
    (tmp_path / "fleet.yaml").write_text("kind: Fleet")
    with pytest.raises(InvalidInput):
        api.sweep(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("engine", "address", "words"),
    [
        ("spark", "", "spark is no engine"),
        ("processes", "somewhere:1", "--address goes with"),
        ("ray", "", "needs the address"),
        ("dask", "", "needs the address"),
    ],
)
def test_engines_and_addresses_belong_together(
    tmp_path: Path, engine: str, address: str, words: str
) -> None:
    with pytest.raises(InvalidInput, match=words):
        api.sweep(write_sweep(tmp_path), tmp_path / "out", engine=engine, address=address)


def test_a_folder_of_others_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "theirs").write_text("keep")
    with pytest.raises(InvalidInput, match="P0701"):
        api.sweep(write_sweep(tmp_path), tmp_path / "out")


def test_another_gpu_packer_on_the_cluster_is_refused(tmp_path: Path) -> None:
    path = write_sweep(tmp_path, 1)
    asked = read_sweep(path.read_text(), str(path))
    inputs = {asked.sources[0]: api.load(tmp_path / "fleet.yaml", tmp_path / "small.yaml")}
    setting = Setting(inputs, None, SweepLimits(0.1, 60.0, 0.0, 1, 1))
    answer = answer_scenario(setting, asked.scenarios[0]).answer
    assert answer.outcome is Outcome.OPTIMAL
    with pytest.raises(RuntimeError, match=r"is installed there, 0\.0 here"):
        answer_scenario(replace(setting, version="0.0"), asked.scenarios[0])


def test_killed_in_the_middle_it_goes_on_where_it_was(tmp_path: Path) -> None:
    path, out = write_sweep(tmp_path, 3), tmp_path / "out"
    command = [sys.executable, "-m", "packer", "sweep", str(path), "--out", str(out)]
    process = subprocess.Popen([*command, "--processes", "1"], stdout=subprocess.DEVNULL)
    results, deadline = out / "results", time.monotonic() + 60
    while not results.is_dir() or len(list(results.glob("[!.]*"))) < 4:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = {one: one.stat().st_mtime_ns for one in results.glob("[!.]*")}
    assert 4 <= len(kept) < 24
    partial = json.loads((out / "sweep.json").read_text())
    assert len(partial["rows"]) == 24
    resumed = api.sweep(path, out, processes=2)
    assert (resumed.run.kept, resumed.run.computed) == (len(kept), 24 - len(kept))
    assert {one: one.stat().st_mtime_ns for one in kept} == kept
    whole = api.sweep(path, tmp_path / "whole", processes=2)
    assert resumed.rows == whole.rows
    assert tables(out) == tables(tmp_path / "whole")


def test_workers_end_with_the_process_that_started_them(tmp_path: Path) -> None:
    path, out = write_sweep(tmp_path, 3), tmp_path / "out"
    command = [sys.executable, "-m", "packer", "sweep", str(path), "--out", str(out)]
    process = subprocess.Popen([*command, "--processes", "2"], stdout=subprocess.DEVNULL)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    if not children.parent.exists():
        process.kill()
        process.wait()
        pytest.skip("no /proc to see children in")
    deadline = time.monotonic() + 60
    while len(workers := children.read_text().split()) < 2 or not (out / "results").is_dir():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 30
    while any(_is_alive(int(pid)) for pid in workers):
        assert time.monotonic() < deadline, "orphans"
        time.sleep(0.1)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie nobody waits for has ended all the same.
    return ") Z " not in Path(f"/proc/{pid}/stat").read_text()


def test_ctrl_c_leaves_a_table_of_what_was_answered(tmp_path: Path) -> None:
    path, out = write_sweep(tmp_path, 3, GRID), tmp_path / "out"
    command = ["sweep", str(path), "--out", str(out), "--processes", "1"]
    with interruptible(command, stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while not (out / "results").is_dir() or len(list((out / "results").glob("[!.]*"))) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    rows = json.loads((out / "sweep.json").read_text())["rows"]
    answered = sum(row["answer"] is not None for row in rows)
    # An answer that was kept just before the signal need not have reached the table.
    assert len(list((out / "results").glob("[!.]*"))) - answered in (0, 1)
    assert 0 < answered < 24
