"""Ends a test cluster when whoever started it is gone, however that went.

Runs as a process of its own, with a pipe from the test process as standard input: once that closes,
the whole process group is stopped and the data folder removed.
"""

import os
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

_PATIENCE_SECONDS = 0.5
"""Nothing of a test cluster is worth waiting for its programs to end in order."""


def main(folder: str) -> None:
    """Wait for the end of standard input, then clean up."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    print("ready", flush=True)
    sys.stdin.read()
    os.killpg(0, signal.SIGTERM)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline and _others():
        time.sleep(0.05)
    while others := _others():
        for process in others:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.02)
    shutil.rmtree(folder, ignore_errors=True)


def _others() -> list[int]:
    """The other processes of this group that still run; a zombie does not."""
    found: list[int] = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            state, _parent, group = (process / "stat").read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(group) == os.getpgid(0) and state != "Z" and int(process.name) != os.getpid():
            found.append(int(process.name))
    return found


if __name__ == "__main__":
    main(sys.argv[1])
