"""Commands end to end in this process: what they print where, and their exit statuses."""

import json
from pathlib import Path

import pytest
import yaml

from packer import __version__
from packer.cli import exit_status, main
from packer.cli.main import run
from tests.planned import ROOT

EXAMPLE = ROOT / "examples" / "01-four-models-one-card" / "fleet.yaml"
INVENTORY = ROOT / "inventories" / "one-l40s.yaml"
FILES = ["-f", str(EXAMPLE), "-i", str(INVENTORY)]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plan") / "plan.json"
    assert run(["plan", *FILES, "--out", str(path)]) == exit_status.DONE
    return path


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == exit_status.DONE
    assert capsys.readouterr().out == f"gpu-packer {__version__}\n"


def test_validate_says_what_it_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", *FILES]) == exit_status.DONE
    out, err = capsys.readouterr()
    assert out == ""
    assert "4 workloads, 1 pools, 1 cards" in err


def test_plan_prints_a_table_that_says_optimal(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", *FILES]) == exit_status.DONE
    out, err = capsys.readouterr()
    assert "optimal, proved" in out
    assert "l40s-0" in out
    assert err == ""


@pytest.mark.parametrize(("name", "load"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_plan_as_data(name: str, load, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    assert run(["plan", *FILES, "-o", name]) == exit_status.DONE
    document = load(capsys.readouterr().out)
    assert document["apiVersion"] == "gpu-packer/v1"
    assert document["status"] == "optimal"
    assert len(document["placements"]) == 4


def test_wide_has_more_than_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    run(["plan", *FILES])
    table = capsys.readouterr().out
    run(["plan", *FILES, "-o", "wide"])
    assert len(capsys.readouterr().out) > len(table)


@pytest.mark.parametrize(
    ("limit", "word"),
    [
        (["--max-cost", "1/h"], "at most 1 is allowed"),
        (["--min-headroom", "60%"], "at least 60.0%"),
    ],
)
def test_a_broken_policy_is_a_no(
    limit: list[str], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["plan", *FILES, *limit]) == exit_status.NO
    assert word in capsys.readouterr().err


@pytest.mark.parametrize(
    "limit", [["--max-cost", "cheap"], ["--max-cost", "-1"], ["--min-headroom", "10"]]
)
def test_a_limit_that_is_none_is_refused(
    limit: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["plan", *FILES, *limit]) == exit_status.INVALID
    assert "error[P04" in capsys.readouterr().err


def test_infeasible_is_an_answer_with_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    folder = ROOT / "examples" / "03-does-not-fit"
    arguments = ["plan", "-f", str(folder / "fleet.yaml"), "-i", str(folder / "inventory.yaml")]
    assert run(arguments) == exit_status.NO
    out, err = capsys.readouterr()
    assert out == ""
    assert "chat: no two of its 3 replicas on one node" in err
    assert "chat: spread none" in err


def test_explain_names_the_place_and_the_command(
    saved: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["explain", str(saved), "chat"]) == exit_status.DONE
    out = capsys.readouterr().out
    assert "chat-0 on l40s-0 (L40S)" in out
    assert "--fit off" in out


def test_explain_of_an_unknown_workload_names_the_nearest(
    saved: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["explain", str(saved), "chatt"]) == exit_status.INVALID
    assert "did you mean chat?" in capsys.readouterr().err


def test_render_and_report_write_folders(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifests, report = tmp_path / "manifests", tmp_path / "report"
    assert run(["render", str(saved), "--out", str(manifests)]) == exit_status.DONE
    assert (manifests / "kustomization.yaml").is_file()
    assert "not enforced" in capsys.readouterr().err
    formats = "html,markdown,json,csv"
    assert run(["report", str(saved), "--out", str(report), "--format", formats]) == 0
    assert {"index.html", "report.md", "report.json"} <= {p.name for p in report.iterdir()}


def test_a_folder_that_is_not_ours_is_left_alone(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    assert run(["render", str(saved), "--out", str(tmp_path)]) == exit_status.INVALID
    assert "error[P07" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_unknown_report_format_is_refused(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["report", str(saved), "--out", str(tmp_path / "r"), "--format", "pdf"]
    assert run(arguments) == exit_status.INVALID
    assert "choose from html, markdown, json, csv" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(["frobnicate"], 2), (["plan"], 2), (["plan", "--gap", "7"], 2), (["help", "P9999"], 2)],
)
def test_usage_errors_exit_2(arguments: list[str], status: int) -> None:
    assert run(arguments) == status


def test_help_pages(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["help", "exit-status"]) == exit_status.DONE
    assert "130  interrupted" in capsys.readouterr().out
    assert run(["help", "p0103"]) == exit_status.DONE
    assert capsys.readouterr().out.startswith("## P0103")


@pytest.mark.parametrize("document", ["fleet", "inventory", "plan"])
def test_schema_is_the_published_one(document: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema", document]) == exit_status.DONE
    published = (ROOT / "schemas" / f"{document}.schema.json").read_text(encoding="utf-8")
    assert capsys.readouterr().out == published


@pytest.mark.parametrize("shelf", ["gpus", "models", "prices"])
def test_catalogue_formats(shelf: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["catalogue", shelf]) == exit_status.DONE
    table = capsys.readouterr().out.splitlines()
    assert run(["catalogue", shelf, "-o", "json"]) == exit_status.DONE
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == len(table) - 1
    assert run(["catalogue", shelf, "-o", "name"]) == exit_status.DONE
    assert len(capsys.readouterr().out.splitlines()) == len(rows)


def test_a_bug_is_called_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(**_: object) -> None:
        raise RuntimeError("impossible")

    monkeypatch.setattr(main, "app", broken)
    assert run(["plan"]) == exit_status.BUG
    assert "This is a bug of gpu-packer" in capsys.readouterr().err


def test_an_interruption_is_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(main, "app", interrupted)
    assert run(["plan"]) == exit_status.INTERRUPTED
    assert capsys.readouterr().err == "interrupted; no output is half written\n"
