"""``gpu-packer estimate``: its JSON keys, exit statuses, cards, batches, and hostile input."""

import io
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from packer.cli import exit_status
from packer.cli.main import run
from packer.units import GIB, MIB
from tests.tiny_models import TinyShape, write_tiny_model

DEVICE_KEYS = [
    "name",
    "weights_bytes",
    "context_bytes",
    "compute_bytes",
    "draft_weights_bytes",
    "draft_context_bytes",
    "draft_compute_bytes",
    "projector_bytes",
    "process_bytes",
    "total_bytes",
    "low_bytes",
    "high_bytes",
    "allocatable_bytes",
    "basis",
]
HOST_KEYS = [
    "weights_bytes",
    "context_bytes",
    "compute_bytes",
    "output_bytes",
    "draft_weights_bytes",
    "draft_context_bytes",
    "draft_compute_bytes",
    "prompt_cache_bytes",
    "checkpoint_bytes",
    "process_bytes",
    "total_bytes",
]
KEYS = [
    "devices",
    "host",
    "layers",
    "n_ctx",
    "n_ctx_seq",
    "n_slots",
    "flash_attention",
    "fits",
    "build",
    "notes",
    "speed",
]
BASES = {"exact", "calibrated", "estimated"}
CATALOGUE = ["llama-server", "-m", "catalogue:qwen3-8b:Q4_K_M", "-c", "32768", "-np", "4"]
TINY = ["llama-server", "-m", "tiny.gguf", "-c", "4096", "-np", "2"]

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one model, where the command runs."""
    write_tiny_model(tmp_path / "tiny.gguf", TinyShape(layers=4))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _json(capsys: Capture, *arguments: str, status: int = exit_status.DONE) -> dict[str, Any]:
    assert run(["estimate", "-o", "json", *arguments]) == status
    out, err = capsys.readouterr()
    assert err == ""
    document: dict[str, Any] = json.loads(out)
    return document


def _refused(capsys: Capture, *arguments: str) -> str:
    """What stderr says of a command that must be refused; never a traceback."""
    assert run(["estimate", *arguments]) == exit_status.INVALID
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    assert err.startswith(("error[P0", "Usage:"))
    return err


def test_every_key_is_there_in_order(capsys: Capture) -> None:
    found = _json(capsys, "--gpus", "80Gi,24Gi", "--", *CATALOGUE)
    assert list(found) == KEYS
    assert list(found["host"]) == HOST_KEYS
    for device in found["devices"]:
        assert list(device) == DEVICE_KEYS
        parts = [key for key in DEVICE_KEYS[1:9] if key.endswith("_bytes")]
        assert sum(device[part] for part in parts) == device["total_bytes"]
        assert list(device["basis"]) == [part.removesuffix("_bytes") for part in parts]
        assert set(device["basis"].values()) <= BASES
        assert device["low_bytes"] <= device["total_bytes"] <= device["high_bytes"]
        assert all(type(device[key]) is int for key in DEVICE_KEYS[1:-1])
    assert all(type(size) is int for size in found["host"].values())
    assert sum(found["host"][key] for key in HOST_KEYS[:-1]) == found["host"]["total_bytes"]
    assert [device["name"] for device in found["devices"]] == ["CUDA0", "CUDA1"]
    assert [device["allocatable_bytes"] for device in found["devices"]] == [80 * GIB, 24 * GIB]


def test_layers_name_a_card_each_and_the_output_layer_is_last(capsys: Capture) -> None:
    found = _json(capsys, "--gpus", "80Gi,24Gi", "--", *CATALOGUE, "-ngl", "30", "-ts", "1,1")
    assert found["layers"] == [-1] * 7 + [0] * 15 + [1] * 15
    assert (found["n_ctx"], found["n_ctx_seq"], found["n_slots"]) == (32768, 8192, 4)
    assert found["flash_attention"] is True


def test_no_card_is_an_empty_list(capsys: Capture) -> None:
    found = _json(capsys, "--", *TINY)
    assert found["devices"] == []
    assert found["layers"] == [-1] * 5
    assert found["fits"] is True


def test_exit_1_when_it_does_not_fit(capsys: Capture) -> None:
    found = _json(capsys, "--gpus", "6Gi", "--", *CATALOGUE, status=exit_status.NO)
    assert found["fits"] is False
    assert run(["estimate", "--gpus", "6Gi", "--", *CATALOGUE]) == exit_status.NO
    assert "does not fit: CUDA0 lacks" in capsys.readouterr().out


def test_the_host_can_be_too_small(capsys: Capture) -> None:
    assert run(["estimate", "--host-memory", "1Gi", "--", *TINY]) == exit_status.NO
    assert "does not fit: the host's memory" in capsys.readouterr().out
    assert run(["estimate", "--host-memory", "64Gi", "--", *TINY]) == exit_status.DONE


def test_cards_of_the_catalogue(capsys: Capture) -> None:
    found = _json(capsys, "--gpu", "RTX-4090:2", "--gpu", "nvidia l40s", "--", *TINY)
    assert [device["name"] for device in found["devices"]] == ["RTX 4090", "RTX 4090", "L40S"]
    both = _json(capsys, "--gpu", "L40S", "--gpus", "24Gi", "--", *TINY)
    assert [device["name"] for device in both["devices"]] == ["CUDA0", "L40S"]


def test_free_memory_decides_where_no_split_is_given(capsys: Capture) -> None:
    free = _json(capsys, "--gpus", "80Gi:20Gi,80Gi:60Gi", "--", *TINY)
    split = _json(capsys, "--gpus", "80Gi,80Gi", "--", *TINY, "-ts", "1,3")
    assert free["layers"] == split["layers"] == [0, 0, 1, 1, 1]


def test_the_command_line_may_follow_without_dashes(capsys: Capture) -> None:
    with_dashes = _json(capsys, "--gpus", "24Gi", "--", *TINY)
    assert _json(capsys, "--gpus", "24Gi", *TINY) == with_dashes


def test_variables_of_the_environment_count(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMA_ARG_N_PARALLEL", "3")
    monkeypatch.setenv("LLAMA_ARG_CTX_SIZE", "6144")
    found = _json(capsys, "--", "llama-server", "-m", "tiny.gguf")
    assert (found["n_slots"], found["n_ctx"]) == (3, 6144)
    assert _json(capsys, "--", *TINY)["n_slots"] == 2
    monkeypatch.setenv("LLAMA_ARG_N_PARALLEL", "none")
    assert "LLAMA_ARG_N_PARALLEL" in _refused(capsys, "--", "llama-server", "-m", "tiny.gguf")


@pytest.mark.parametrize("build", ["b11434", "b11549"])
def test_builds_known_by_name(capsys: Capture, build: str) -> None:
    found = _json(capsys, "--build", build, "--", *TINY)
    assert found["build"] == build
    assert not any("is not known by name" in note for note in found["notes"])


def test_another_build_gets_a_note(capsys: Capture) -> None:
    found = _json(capsys, "--build", "b9000", "--", *TINY)
    assert any("b9000" in note for note in found["notes"])


FLAGS = (
    "-c 16384,-np 2,-b 1024,-ub 256,-ngl 3,-ts 3;1,-ctk q8_0,-ctv q8_0,-fa on,--no-op-offload,"
    "--cache-ram 512,--fit off,--threads 4,--port 80,-ot blk\\.1\\..*=CPU,--ctx-checkpoints 4,"
    "--load-mode none,--host localhost,-m tiny.gguf,--spec-draft-n-max 2,--metrics"
)


@pytest.mark.parametrize("seed", range(12))
def test_the_order_of_flags_does_not_matter(capsys: Capture, seed: int) -> None:
    groups = [group.replace(";", ",").split() for group in FLAGS.split(",")]
    straight = [word for group in groups for word in group]
    random.Random(seed).shuffle(groups)
    shuffled = [word for group in groups for word in group]
    gpus = ["--gpus", "24Gi,24Gi", "--", "llama-server"]
    assert _json(capsys, *gpus, *shuffled) == _json(capsys, *gpus, *straight)


def test_the_table_says_the_same(capsys: Capture) -> None:
    assert run(["estimate", "--gpu", "L40S:2", "--", *CATALOGUE]) == exit_status.DONE
    out = capsys.readouterr().out
    assert "0: L40S  1: L40S" in out
    assert "4 slots of 8192 cells (32768 in all), flash attention on, b11434" in out
    assert "\nfits\n" in out


def test_jsonl_is_one_line(capsys: Capture) -> None:
    assert run(["estimate", "-o", "jsonl", "--", *TINY]) == exit_status.DONE
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert list(json.loads(out)) == KEYS


def test_the_oracle_stands_beside_it(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    found = _json(capsys, "--oracle", "--", *TINY)
    assert list(found) == [*KEYS, "oracle"]
    assert [part["difference_bytes"] for part in found["oracle"]["parts"][:2]] == [0, 0]
    assert run(["estimate", "--oracle", "--", *TINY]) == exit_status.DONE
    assert "DIFFERENCE" in capsys.readouterr().out
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("packer.llamacpp.oracle.wheel_version", lambda: "")
    assert "error[P0491]" in _refused(capsys, "--oracle", "--", *TINY)


def _batch(capsys: Capture, text: str | bytes, *more: str) -> list[dict[str, Any]]:
    data = text.encode() if isinstance(text, str) else text
    Path("lines.tsv").write_bytes(data)
    assert run(["estimate", "--batch", "lines.tsv", "-o", "jsonl", *more]) == exit_status.DONE
    out, err = capsys.readouterr()
    assert err == ""
    assert out.count("\n") == data.count(b"\n") + (not data.endswith(b"\n"))
    return [json.loads(line) for line in out.splitlines()]


def test_a_batch_answers_line_by_line(capsys: Capture, models: Path) -> None:
    folder = models / "elsewhere"
    folder.mkdir()
    (models / "tiny.gguf").rename(folder / "tiny.gguf")
    line = " ".join(TINY)
    text = f"24576\t{line}\n\n81920:40960,24576\t{line}\nnonsense\n\t{line}"
    found = _batch(capsys, text, "--models", str(folder))
    assert ["error" in answer for answer in found] == [False, True, False, True, False]
    assert found[1]["error"]["code"] == found[3]["error"]["code"] == "P0411"
    assert [len(answer["devices"]) for answer in found if "devices" in answer] == [1, 2, 0]
    assert found[2]["devices"][0]["allocatable_bytes"] == 81920 * MIB
    assert all(list(answer) == KEYS for answer in found if "error" not in answer)


def test_a_batch_is_the_default_format_and_reads_standard_input(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = io.TextIOWrapper(io.BytesIO(f"24576\t{' '.join(TINY)}\n".encode()))
    monkeypatch.setattr(sys, "stdin", text)
    assert run(["estimate", "--batch", "-"]) == exit_status.DONE
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_the_host_of_a_batch_is_checked_too(capsys: Capture) -> None:
    (found,) = _batch(capsys, f"\t{' '.join(TINY)}", "--host-memory", "1Gi")
    assert found["fits"] is False


HOSTILE_LINES = (
    "24576",
    "\t",
    "24576\t\t",
    "\0\tllama-server -m \0",
    "24576\tllama-server -m tiny.gguf -c 99999999999999999999",
    "24576\tllama-server -m tiny.gguf -c 2147483647 -np 256",
    "24576\tllama-server -m tiny.gguf -np 0",
    "24576\tllama-server -m tiny.gguf -np -1 -c -1",
    "24576\tllama-server -m tiny.gguf -ub 2147483647 -b 2147483647",
    "24576\tllama-server -m tiny.gguf -ts 1e39,nan",
    "24576\tllama-server -m tiny.gguf -ot ((((=CPU",
    "24576\tllama-server -m tiny.gguf -ot .*=CUDA9",
    "24576\tllama-server -m tiny.gguf -dev CUDA7 -mg 9",
    "24576\tllama-server -m tiny.gguf -ctk q9_9",
    "24576\tllama-server -m tiny.gguf --override-kv llama.block_count=int:999999999",
    "24576\tllama-server -m tiny.gguf --override-kv llama.attention.head_count=int:0",
    "24576\tllama-server -m tiny.gguf --override-kv llama.context_length=str:x",
    "24576\tllama-server -m тест😀.gguf --alias 模型",
    "24576\tllama-server -m . ",
    "24576\tllama-server -m lines.tsv",
    "24576\tllama-server -m /dev/null",
    "24576\tllama-server -m catalogue:::: ",
    "24576\tllama-server -m tiny.gguf -md tiny.gguf --mmproj tiny.gguf --lora tiny.gguf",
    "24576\tllama-server " + "-m tiny.gguf " * 2000,
    "24576\tllama-server " + "x" * 100_000,
    "9" * 5000 + "\tllama-server -m tiny.gguf",
    ",".join(["24576"] * 5000) + "\tllama-server -m tiny.gguf",
    "24576\trm -rf tiny.gguf",
    "24576\t$(reboot) `reboot`",
)


def test_no_line_is_too_hostile(capsys: Capture) -> None:
    found = _batch(capsys, "\n".join(HOSTILE_LINES))
    codes = [answer.get("error", {}).get("code", "") for answer in found]
    assert len(codes) == len(HOSTILE_LINES)
    internal = [line for line, code in zip(HOSTILE_LINES, codes, strict=True) if code == "internal"]
    assert internal == []
    assert all(code == "" or code.startswith("P0") for code in codes)
    assert Path("tiny.gguf").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "error[P0485]"),
        (["--gpus", "24Gi"], "error[P0485]"),
        (["--gpus", "24GB", "--", *TINY], "write 24Gi"),
        (["--gpus", "-24Gi", "--", *TINY], "error[P0486]"),
        (["--gpus", "24Gi,", "--", *TINY], "error[P0486]"),
        (["--gpus", "24576", "--", *TINY], "write 24576Mi"),
        (["--host-memory", "0", "--", *TINY], "error[P0486]"),
        (["--gpu", "L40S:0", "--", *TINY], "error[P0487]"),
        (["--gpu", "L40S:17", "--", *TINY], "error[P0487]"),
        (["--gpu", "", "--", *TINY], "error[P0487]"),
        (["--gpu", "MI300X", "--", *TINY], "error[P0520]"),
        (["--gpu", "H100", "--", *TINY], "error[P0902]"),
        (["--build", "newest", "--", *TINY], "error[P0490]"),
        (["--calibration", "tiny.gguf", "--", *TINY], "error[P0102]"),
        (["--", "llama-server"], "error[P0406]"),
        (["--", "llama-bench", "-m", "tiny.gguf"], "error[P0407]"),
        (["--", "llama-server", "-m", "."], "error[P0301]"),
        (["--", "llama-server", "-m", "gone.gguf"], "error[P0301]"),
        (["--", *TINY, "-np", "0"], "error[P0404]"),
        (["--", *TINY, "-c", "-1"], "error[P0404]"),
        (["--", *TINY, "--ctx-sizes", "5"], "did you mean --ctx-size?"),
        (["--", *TINY, "--mlock"], "write --load-mode mlock"),
        (["--batch", "gone.tsv"], "error[P0101]"),
        (["--batch", "."], "error[P0101]"),
        (["--batch", "tiny.gguf"], "error[P0102]"),
        (["--batch", "a", "--", *TINY], "error[P0495]"),
        (["--batch", "a", "--gpus", "24Gi", "-o", "json"], "a batch is no json"),
        (["--batch", "a", "--build", "newest"], "error[P0101]"),
        (["--gpuz", "24Gi", "--", *TINY], "No such option: --gpuz"),
        (["-o", "xml", "--", *TINY], "xml"),
    ],
)
def test_what_is_refused(arguments: list[str], words: str, capsys: Capture) -> None:
    assert words in _refused(capsys, *arguments)


def test_every_problem_of_a_command_line_has_its_caret(capsys: Capture) -> None:
    err = _refused(capsys, "--", *TINY, "-ngl", "many", "--nonsense")
    lines = err.splitlines()
    carets = [index for index, line in enumerate(lines) if "^" in line]
    assert len(carets) == 2
    command = lines[carets[0] - 1].index("llama-server")
    under = lines[carets[0]].index("^")
    assert lines[carets[0] - 1][under:].startswith("many")
    assert under > command


def test_garbage_is_no_model(capsys: Capture) -> None:
    Path("garbage.gguf").write_bytes(random.Random(1).randbytes(5000))
    assert "error[P0302]" in _refused(capsys, "--", "llama-server", "-m", "garbage.gguf")
    real = Path("tiny.gguf").read_bytes()
    for size in (0, 3, 24, 100, len(real) // 2, len(real) - 1):
        Path("cut.gguf").write_bytes(real[:size])
        assert "cut.gguf" in _refused(capsys, "--", "llama-server", "-m", "cut.gguf")


def test_a_calibration_is_used(capsys: Capture) -> None:
    row = {"gpu": "L40S", "computeCapability": "8.9", "bytes": 400 * MIB, "from": "server log"}
    head = {"apiVersion": "gpu-packer/v1", "kind": "Calibration"}
    Path("c.json").write_text(json.dumps(head | {"process": [row]}))
    found = _json(capsys, "--calibration", "c.json", "--gpu", "L40S", "--", *TINY)
    assert found["devices"][0]["process_bytes"] == 400 * MIB
    (line,) = _batch(capsys, f"24576\t{' '.join(TINY)}", "--calibration", "c.json")
    assert line["devices"][0]["basis"]["process"] == "calibrated"


_HEAVY = ("ortools", "kubernetes", "networkx", "numpy", "pandas", "jinja2", "httpx2")


@pytest.mark.parametrize(
    "arguments",
    [
        ["estimate", "--gpu", "L40S", "-o", "json", "--", *TINY],
        ["estimate", "--batch", "lines.tsv"],
        ["inspect", "tiny.gguf", "--gpu", "L40S"],
    ],
)
def test_nothing_heavy_is_loaded(arguments: list[str]) -> None:
    Path("lines.tsv").write_text(f"24576\t{' '.join(TINY)}\n")
    program = (
        "import sys\nfrom packer.cli.main import run\n"
        f"assert run({arguments!r}) == 0\n"
        f"print([name for name in {_HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "[]\n")
