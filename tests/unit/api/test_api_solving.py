"""The bare engine through the API and the command line: solve, write, verify, refuse."""

import copy
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from packer import api
from packer.api import solving
from packer.cli import exit_status
from packer.cli.main import run
from packer.errors import InvalidInput
from packer.solver.certificate_check import Refused


def instance(count: int = 3, share: int = 6) -> dict[str, Any]:
    alternative = {
        "name": "x",
        "shares": [[share]],
        "node": [],
        "gpu_types": None,
        "one_link": False,
    }
    return {
        "schema": "gpupack/1",
        "name": "tiny",
        "dims": ["vram"],
        "node_dims": [],
        "objective": "gpus",
        "node_types": [
            {
                "name": "t",
                "gpu_type": "A",
                "count": 2,
                "gpus": 2,
                "gpu_cap": [10],
                "node_cap": [],
                "gpu_price": 1,
                "node_price": 1,
            }
        ],
        "items": [
            {
                "name": "a",
                "count": count,
                "alts": [alternative],
                "max_per_gpu": None,
                "max_per_node": None,
                "max_per_zone": None,
            }
        ],
        "constraints": [],
    }


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "instance.json").write_text(json.dumps(instance()))
    (tmp_path / "instance.json.gz").write_bytes(gzip.compress(json.dumps(instance()).encode()))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_object_and_its_files_give_the_same(folder: Path) -> None:
    found = [
        api.solve(one, workers=1)
        for one in (instance(), folder / "instance.json", str(folder / "instance.json.gz"))
    ]
    for one in found:
        one.pop("seconds", None)
        assert (one["status"], one["objective"], one["bound"]) == ("optimal", 3, 3)
    assert found[0]["placed"] == found[1]["placed"] == found[2]["placed"]


def test_a_solution_is_verified_and_a_lie_is_refused() -> None:
    solution = api.solve(instance(), workers=1)
    verdict = api.verify(instance(), solution)
    assert (verdict.objective, verdict.bound) == (3, 3)
    lie = copy.deepcopy(solution)
    lie["bound"] = 4
    with pytest.raises(Refused):
        api.verify(instance(), lie)


def test_the_command_line_writes_and_verifies(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["solve", "instance.json.gz", "--out", "new/s.json", "--workers", "1"]) == 0
    assert capsys.readouterr().err == "optimal: objective 3, bound 3\n"
    assert run(["solve", "instance.json", "--verify", "new/s.json"]) == exit_status.DONE
    assert json.loads(capsys.readouterr().out) == {"objective": 3, "bound": 3}
    solution = json.loads((folder / "new" / "s.json").read_text())
    solution["objective"] = 2
    (folder / "lie.json").write_text(json.dumps(solution))
    assert run(["solve", "instance.json", "--verify", "lie.json"]) == exit_status.NO
    assert capsys.readouterr().err.startswith("refused: ")


def test_an_infeasible_instance_is_a_no(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "instance.json").write_text(json.dumps(instance(count=5)))
    assert run(["solve", "instance.json", "--out", "s.json"]) == exit_status.NO
    assert capsys.readouterr().err == "infeasible: count:a\n"
    assert json.loads((folder / "s.json").read_text())["status"] == "infeasible"


def test_out_of_time_says_the_bound(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("packer.api.solve", lambda *_, **__: {"status": "unknown", "bound": 2})
    assert run(["solve", "instance.json", "--out", "s.json"]) == exit_status.OUT_OF_TIME
    assert capsys.readouterr().err == "no placement in time; at least 2 is needed\n"


def test_somewhere_to_write_is_needed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["solve", "instance.json"]) == exit_status.INVALID
    assert "error[P0489]" in capsys.readouterr().err


BROKEN = {
    "text": b"no json",
    "cut": gzip.compress(json.dumps(instance()).encode())[:-12],
    "torn": gzip.compress(bytes(range(256)) * 9)[:40] + b"\xff" * 60,
    "other": b"\x1f\x8bno gzip at all",
    "deep": b"[" * 100_000,
    "latin": b'{"name": "\xff"}',
    "digits": b"9" * 5000,
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_refused_by_name(
    content: bytes, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "broken.json").write_bytes(content)
    assert run(["solve", "broken.json", "--out", "s.json"]) == exit_status.INVALID
    err = capsys.readouterr().err
    assert err.startswith(("error[P0609]", "error[P0101]"))
    assert "--> broken.json" in err
    assert not (folder / "s.json").exists()


def test_a_missing_file_and_one_that_is_no_instance(folder: Path) -> None:
    with pytest.raises(InvalidInput, match="No such file"):
        api.solve("missing.json")
    (folder / "list.json").write_text("[]")
    with pytest.raises(InvalidInput, match="P06"):
        api.solve("list.json")


@pytest.mark.parametrize("name", ["instance.json", "instance.json.gz"])
def test_no_more_is_read_than_an_instance_may_have(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(solving, "_MOST_BYTES", 100)
    with pytest.raises(InvalidInput, match="larger than a gigabyte"):
        api.solve(folder / name)
