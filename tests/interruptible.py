"""A command that can be interrupted as a user interrupts it, and that no test leaves behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tests.planned import ROOT

# A KeyboardInterrupt inside the tracer of coverage.py (7.17, Collector.lock_data) leaves its lock
# taken, and the process waits for it for ever. What gets a signal is therefore not measured.
_MEASURES = "COVERAGE_PROCESS_"


def environment() -> dict[str, str]:
    """The environment of a process that gets a signal."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(_MEASURES)}
    return kept | {"PYTHONUNBUFFERED": "1"}


@contextmanager
def interruptible(
    arguments: list[str],
    *,
    cwd: Path = ROOT,
    stdin: int = subprocess.DEVNULL,
    stdout: int | IO[str] = subprocess.PIPE,
    stderr: int | IO[str] = subprocess.PIPE,
) -> Iterator[subprocess.Popen[bytes]]:
    """A running ``gpu-packer`` that answers to SIGINT, killed at the end if it still runs."""
    with subprocess.Popen(
        [sys.executable, "-m", "packer", *arguments],
        cwd=cwd,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        # Jobs in the background of a shell ignore SIGINT; a user's do not.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        env=environment(),
    ) as process:
        try:
            yield process
        finally:
            process.kill()
