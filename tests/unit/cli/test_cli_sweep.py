"""``sweep`` and ``report`` at the command line: tables, statuses, progress, differences."""

import io
import re
from pathlib import Path

import pytest

from packer import api
from packer.api.sweeping import SweepProgress
from packer.cli import exit_status
from packer.cli.main import run
from packer.cli.progress import SweepLine, duration
from tests.report_answers import risk_of
from tests.sample_plans import company_plan, tiny_plan
from tests.sweep_files import write_sweep

SINGLE = """
apiVersion: gpu-packer/v1
kind: Sweep
metadata: {name: single}
fleet: fleet.yaml
scenarios:
- {name: good, inventory: large.yaml}
"""


@pytest.fixture
def plans(tmp_path: Path) -> tuple[str, str]:
    """Files of two plans."""
    paths = tmp_path / "old.json", tmp_path / "new.json"
    for path, plan in zip(paths, (tiny_plan(), company_plan()), strict=True):
        api.save(plan, path)
    return str(paths[0]), str(paths[1])


def test_a_sweep_prints_its_table_and_says_where_the_rest_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = write_sweep(tmp_path, text=SINGLE), tmp_path / "out"
    assert run(["sweep", str(path), "--out", str(out), "--processes", "1"]) == exit_status.DONE
    said = capsys.readouterr()
    assert said.out.splitlines()[1].split()[:3] == ["good", "1", "1"]
    assert "1 scenario: proved optimal 1" in said.out
    assert re.search(r"1 computed, 0 kept from earlier, .* on processes; wrote", said.err)
    assert run(["sweep", str(path), "--out", str(out)]) == exit_status.DONE
    assert "0 computed, 1 kept from earlier" in capsys.readouterr().err


def test_a_scenario_that_makes_no_sense_is_a_no(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = f"{SINGLE}- {{name: bad, inventory: missing.yaml}}\n"
    path = write_sweep(tmp_path, text=text)
    assert run(["sweep", str(path), "--out", str(tmp_path / "out")]) == exit_status.NO
    assert "the scenario makes no sense: P0101" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--engine", "ray"], "P0471"),
        (["--engine", "spark"], "spark"),
        (["--address", "x:1"], "P0471"),
        (["--processes", "-1"], "--processes"),
    ],
)
def test_options_that_do_not_belong_together_are_refused(
    tmp_path: Path, options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_sweep(tmp_path, text=SINGLE)
    status = run(["sweep", str(path), "--out", str(tmp_path / "out"), *options])
    assert status == exit_status.INVALID
    assert words in capsys.readouterr().err


def test_progress_names_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    monkeypatch.setattr("sys.stderr", stream)
    with SweepLine() as line:
        line(SweepProgress(scenarios=200, answered=50, computed=40, seconds=80.0))
    assert "50 of 200 scenarios, 5:00 left" in stream.getvalue()
    assert stream.getvalue().endswith("\r\x1b[2K")
    assert duration(3723.4) == "1:02:03"


def test_a_difference_is_printed_or_written(
    plans: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = plans
    assert run(["report", "--diff", old, new]) == exit_status.DONE
    assert capsys.readouterr().out.startswith("## What changes: ")
    out = str(tmp_path / "diff")
    options = ["--out", out, "--format", "html,markdown,json,csv"]
    assert run(["report", new, "--diff", old, *options]) == exit_status.DONE
    written = {path.name for path in Path(out).iterdir()} - {".gpu-packer"}
    assert written == {
        *("index.html", "report.md", "report.json"),
        *("figures.csv", "cost.csv", "nodes.csv"),
    }
    assert run(["report", new, "--out", out]) == exit_status.INVALID
    assert "holds difference, not report" in capsys.readouterr().err


def test_a_report_without_a_folder_is_refused(
    plans: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["report", plans[1]]) == exit_status.INVALID
    assert "P0472" in capsys.readouterr().err


def test_answers_are_shown_beside_a_plan(
    plans: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    risk = tmp_path / "risk.json"
    risk.write_text(api.risk_text(risk_of(company_plan()), "json"), encoding="utf-8")
    out = tmp_path / "report"
    assert run(["report", plans[1], "--out", str(out), "--with", str(risk)]) == exit_status.DONE
    assert "Planned anew after a change" in (out / "index.html").read_text(encoding="utf-8")
    assert run(["report", plans[1], "--out", str(out), "--with", plans[0]]) == exit_status.INVALID
    assert "P0810" in capsys.readouterr().err
