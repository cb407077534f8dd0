"""Bad input through the command line: one clear error with its place and a fix, nothing written."""

import re
from pathlib import Path

import pytest

from packer.cli import exit_status
from packer.cli.main import run
from tests.gguf_bytes import llama

FLEET = """\
apiVersion: gpu-packer/v1
kind: Fleet
metadata: {name: company}
serverImage: {image: "llama:server-b11434", build: b11434}
workloads:
- name: chat
  model: catalogue:qwen3-0.6b
  quantizations: [Q8_0]
  context: 4Ki
  slots: 2
  cacheTypes: [f16]
"""
INVENTORY = """\
apiVersion: gpu-packer/v1
kind: Inventory
metadata: {name: one}
nodePools:
- name: l40s
  gpu: L40S
  gpusPerNode: 1
  nodes: 1
  hostMemory: 64Gi
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with sound files, which is the working directory."""
    (tmp_path / "fleet.yaml").write_text(FLEET)
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refuse(folder: Path, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    """What ``plan`` says on stderr of files it must refuse, having written nothing."""
    before = contents(folder)
    arguments = ["plan", "-f", "fleet.yaml", "-i", "inventory.yaml", "--out", "new/plan.json"]
    assert run([*arguments, *more]) == exit_status.INVALID
    assert contents(folder) == before
    assert not (folder / "new").exists()
    out, err = capsys.readouterr()
    assert out == ""
    return err


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_the_files_that_the_cases_change_are_fine(folder: Path) -> None:
    assert run(["validate", "-f", "fleet.yaml", "-i", "inventory.yaml"]) == exit_status.DONE


CASES = [
    # file, what is written, by what it is replaced, code, line:column, part of the fix
    ("fleet", "slots: 2", "slotz: 2", "P0104", "10:3", "did you mean slots?"),
    ("fleet", "slots: 2", "slots: 2\n  slots: 3", "P0111", "11:3", "line 10"),
    ("fleet", "context: 4Ki", "context: 24GB", "P0103", "9:12", "24Gi"),
    ("fleet", "context: 4Ki", "context: -5", "P0107", "9:12", "at least 1"),
    ("fleet", "context: 4Ki", "context: 1e30", "P0107", "9:12", "at most"),
    ("fleet", "context: 4Ki", "context: 64Ki", "P0205", "9:12", "write context: 40960 or less"),
    ("fleet", "slots: 2", "slots: -1", "P0107", "10:10", "at least 1"),
    ("fleet", "slots: 2", "slots: 1000000", "P0107", "10:10", "at most 256"),
    ("fleet", "qwen3-0.6b", "qwen3-0.6", "P0903", "7:10", "did you mean qwen3-0.6b"),
    ("fleet", "[Q8_0]", "[Q9_0]", "P0202", "8:19", "Q8_0"),
    (
        "fleet",
        "cacheTypes: [f16]",
        "cacheTypes: [q8_0]\n  flashAttention: off",
        "P0204",
        "11:16",
        "write flashAttention: on",
    ),
    ("inventory", "gpu: L40S", "gpu: L40SS", "P0901", "6:8", "did you mean L40S"),
    ("inventory", "hostMemory: 64Gi", "hostMemory: 24GB", "P0103", "9:15", "24Gi"),
    ("inventory", "gpusPerNode: 1", "gpusPerNode: -1", "P0107", "7:16", "at least 1"),
    ("inventory", "nodes: 1", "nodes: 0", "P0220", "4:1", "add a pool with nodes:"),
    ("inventory", "nodes: 1", "nodes: 1\n  unavailable: [l40s-0]", "P0220", "4:1", "add a pool"),
]


@pytest.mark.parametrize(("file", "old", "new", "code", "place", "fix"), CASES)
def test_one_clear_error(
    file: str,
    old: str,
    new: str,
    code: str,
    place: str,
    fix: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    change(folder / f"{file}.yaml", old, new)
    err = refuse(folder, capsys)
    assert re.findall(r"error\[(P[0-9]{4})\]", err) == [code]
    assert f"  --> {file}.yaml:{place}\n" in err
    assert fix in err
    assert "^" in err


def test_two_cards_of_one_name(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (folder / "inventory.yaml").read_text()
    again = text[text.index("- name") :].replace("name: l40s", "name: other")
    by_hand = again.replace(
        "L40S", '{name: L40S, memory: 8Gi, bandwidth: 1G, computeCapability: "6.1"}'
    )
    (folder / "inventory.yaml").write_text(text + again.replace("other", "same") + by_hand)
    err = refuse(folder, capsys)
    assert "error[P0233]: another pool has a different card called L40S" in err
    assert err.count("error[") == 1
    assert "--> inventory.yaml:16:8" in err


def test_every_problem_of_both_files_is_told_at_once(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(folder / "fleet.yaml", "slots: 2", "slotz: 2")
    change(folder / "inventory.yaml", "64Gi", "64GB")
    err = refuse(folder, capsys)
    assert {"P0104", "P0103"} <= set(re.findall(r"error\[(P[0-9]{4})\]", err))
    assert "problems; nothing was written" in err


def test_a_yaml_bomb_is_refused_at_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    levels = "".join(f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9)}]\n" for i in range(1, 12))
    (folder / "fleet.yaml").write_text(f"l0: &l0 [lol]\n{levels}{FLEET}")
    err = refuse(folder, capsys)
    assert re.search(r"error\[P0110\].*\n  --> fleet\.yaml:[0-9]+:[0-9]+", err)


def test_a_truncated_model_is_refused_by_name(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = llama().file()
    (folder / "model.gguf").write_bytes(whole[: len(whole) // 2])
    change(folder / "fleet.yaml", "catalogue:qwen3-0.6b\n  quantizations: [Q8_0]", "./model.gguf")
    err = refuse(folder, capsys)
    assert "error[P03" in err
    assert "  --> model.gguf\n" in err
    assert "named at fleet.yaml:7:10" in err
    assert "help: " in err


def test_a_file_that_is_no_model_is_refused_by_name(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "model.gguf").write_bytes(b"PK\x03\x04 this is an archive")
    change(folder / "fleet.yaml", "catalogue:qwen3-0.6b\n  quantizations: [Q8_0]", "./model.gguf")
    err = refuse(folder, capsys)
    assert "error[P0302]: not a GGUF file" in err
    assert "  --> model.gguf\n   = why: (named at fleet.yaml:7:10)" in err
    assert "help: give a .gguf file" in err


def test_a_quantized_draft_cache_without_flash_attention(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drafted = "slots: 2\n  flashAttention: off\n  draft: {model: catalogue:qwen3-0.6b, "
    change(folder / "fleet.yaml", "slots: 2", drafted + "quantization: Q8_0, cacheType: q8_0}")
    err = refuse(folder, capsys)
    assert "error[P0204]" in err
    assert "--> fleet.yaml:12:71" in err
    assert "write flashAttention: on, or cacheType: f16" in err


def test_an_output_that_is_a_folder_is_refused_before_solving(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "taken").mkdir()
    monkeypatch.setattr("packer.api.plan", lambda *_, **__: pytest.fail("it was solved"))
    err = refuse(folder, capsys, "--out", "taken")
    assert "error[P0701]: taken is not a file" in err


def test_two_files_from_one_standard_input(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["validate", "-f", "-", "-i", "-"]) == exit_status.INVALID
    err = capsys.readouterr().err
    assert "cannot both come from standard input" in err
    assert "save one of them in a file" in err


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"- just\n- a list\n"])
def test_a_file_that_is_no_fleet(
    content: bytes, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "fleet.yaml").write_bytes(content)
    err = refuse(folder, capsys)
    assert "error[P01" in err
    assert "--> fleet.yaml" in err


def test_a_missing_file_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "inventory.yaml").unlink()
    (folder / "fleet.yaml").unlink()
    err = refuse(folder, capsys)
    assert err.count("error[P0101]") == 2
    assert "--> inventory.yaml" in err


@pytest.mark.parametrize("command", [["render"], ["report"]])
def test_a_broken_plan_writes_nothing(
    command: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "plan.json").write_text('{"apiVersion": "gpu-packer/v1", "kind": "Plan"')
    before = contents(folder)
    assert run([*command, "plan.json", "--out", "out"]) == exit_status.INVALID
    assert contents(folder) == before
    assert "--> plan.json" in capsys.readouterr().err
