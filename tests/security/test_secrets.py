"""Canary secrets in the environment and in command lines: no output of any command holds one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "01-four-models-one-card"
CANARY = "canary-7d41e0"
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": str(ROOT),
    "HF_TOKEN": f"hf_{CANARY}",
    "HUGGING_FACE_HUB_TOKEN": f"hf_{CANARY}",
    "LLAMA_API_KEY": f"sk-{CANARY}",
    "AWS_SECRET_ACCESS_KEY": f"aws-{CANARY}",
    "HF_ENDPOINT": "http://localhost:9",  # nobody answers there
}


def _run(words: list[str], directory: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "packer", *words],
        cwd=directory,
        env=ENVIRONMENT,
        capture_output=True,
        check=False,
        text=True,
        timeout=300,
    )
    return done.stdout + done.stderr


def _leaks(directory: Path) -> list[str]:
    return [
        str(path.relative_to(directory))
        for path in sorted(directory.rglob("*"))
        if path.is_file() and CANARY.encode() in path.read_bytes()
    ]


def test_no_file_and_no_message_of_a_whole_run_holds_a_secret(tmp_path: Path) -> None:
    inputs = [str(EXAMPLE / "fleet.yaml"), str(ROOT / "inventories" / "one-l40s.yaml")]
    steps = [
        ["validate", "-f", inputs[0], "-i", inputs[1]],
        ["plan", "-f", inputs[0], "-i", inputs[1], "--out", "plan.json"],
        ["explain", "plan.json", "chat"],
        ["render", "plan.json", "--out", "manifests"],
        ["report", "plan.json", "--format", "html,markdown,json,csv", "--out", "report"],
    ]
    for words in steps:
        assert CANARY not in _run(words, tmp_path), words
    assert tmp_path.joinpath("report", "index.html").exists()
    assert tmp_path.joinpath("manifests", "kustomization.yaml").exists()
    assert _leaks(tmp_path) == []


@pytest.mark.parametrize(
    "words",
    [
        ["estimate", "--gpu", "L40S", "-o", "json", "--", "llama-server", "-m",
         "catalogue:qwen3-0.6b:Q8_0", "--api-key", f"sk-{CANARY}", "--hf-token", f"hf_{CANARY}"],
        ["estimate", "--gpu", "L40S", "--", "llama-server", "-m", "catalogue:qwen3-0.6b:Q8_0",
         "--api-key", f"sk-{CANARY}", "--no-such-flag"],
        ["inspect", f"https://user:{CANARY}@localhost:9/model.gguf?token={CANARY}"],
        ["inspect", "hf://nobody/nothing/model.gguf"],
    ],
    ids=["estimate", "estimate with a wrong flag", "address with a password", "hub"],
)  # fmt: skip
def test_a_secret_on_the_command_line_is_not_repeated(words: list[str], tmp_path: Path) -> None:
    printed = _run(words, tmp_path)
    assert printed
    assert CANARY not in printed
    assert "Traceback" not in printed
