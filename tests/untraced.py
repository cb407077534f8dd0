"""A fresh interpreter without coverage's tracer, for tests that measure time or memory."""

import os
import subprocess
import sys


def run_untraced(code: str) -> str:
    """What ``code`` prints."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE")}
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, capture_output=True, check=True, text=True, env=environment)
    return found.stdout
