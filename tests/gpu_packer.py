"""The command line in a process of its own, as a user runs it."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def run_gpu_packer(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What a command printed, and its exit status."""
    command = [sys.executable, "-m", "packer", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
