"""``gpu-packer calibrate``: files in, a calibration out."""

import json
from pathlib import Path

import pytest

from packer.cli import exit_status
from packer.cli.main import run
from packer.units import MIB

Capture = pytest.CaptureFixture[str]

# Lines as the CUDA backend formats them; the figures are made up.
LOG = """
  Device 0: NVIDIA L40S, compute capability 8.9, VMM: yes, VRAM: 45596 MiB
llama_model_loader: loaded meta data with 23 key-value pairs and 29 tensors from m.gguf (version GGUF V3 (latest))
load_tensors:        CUDA0 model buffer size =  2000.00 MiB
common_memory_breakdown_print: |   - CUDA0 (L40S)   | 45596 = 40000 + (2816 =  2000 +     512 +     304) +        480 |
"""  # noqa: E501 — log lines are long
SMI = "pid, gpu_name, used_gpu_memory [MiB]\n77, NVIDIA L40S, 2400 MiB\n78, NVIDIA L40S, 9 MiB\n"


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "server.log").write_text(LOG)
    (tmp_path / "smi.csv").write_text(SMI)
    monkeypatch.chdir(tmp_path)


def test_measurements_add_up(capsys: Capture) -> None:
    first = ["calibrate", "--log", "server.log", "--nvidia-smi", "smi.csv", "--pid", "77"]
    assert run([*first, "--out", "c.json"]) == exit_status.DONE
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "L40S: 400.0 MiB beyond the buffers, 300.0 MiB to 500.0 MiB (1 measured)\n"
    assert run(["calibrate", "--log", "server.log", "--add", "c.json"]) == exit_status.DONE
    out, err = capsys.readouterr()
    assert "(2 measured)" in err
    rows = json.loads(out)["process"]
    assert [row["bytes"] for row in rows] == [400 * MIB, 480 * MIB]
    assert [row["from"] for row in rows] == ["nvidia-smi", "server log"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([], "P0497"),
        (["--log", "gone.log"], "P0101"),
        (["--log", "smi.csv"], "P0497"),
        (["--log", "server.log", "--nvidia-smi", "smi.csv"], "P0499"),
        (["--log", "server.log", "--nvidia-smi", "server.log"], "P0496"),
        (["--log", "server.log", "--add", "smi.csv"], "P0498"),
    ],
)
def test_what_is_refused(arguments: list[str], code: str, capsys: Capture) -> None:
    assert run(["calibrate", *arguments, "--out", "c.json"]) == exit_status.INVALID
    assert f"error[{code}]" in capsys.readouterr().err
    assert not Path("c.json").exists()
