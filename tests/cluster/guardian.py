"""Ends a test cluster when whoever started it is gone, however that went.

Runs as a process of its own, with a pipe from the test process as standard input: once that closes,
the whole process group is stopped and the data folder removed.
"""

import os
import shutil
import signal
import sys
import time
from pathlib import Path

_PATIENCE_SECONDS = 3.0


def main(folder: str) -> None:
    """Wait for the end of standard input, then clean up."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    print("ready", flush=True)
    sys.stdin.read()
    os.killpg(0, signal.SIGTERM)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline and _others(os.getpgid(0)):
        time.sleep(0.05)
    shutil.rmtree(folder, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


def _others(group: int) -> bool:
    """Whether another process of the group still runs; a zombie does not."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            state, _parent, its_group = (
                (process / "stat").read_text().rpartition(")")[2].split()[:3]
            )
        except OSError:
            continue
        if int(its_group) == group and state != "Z" and int(process.name) != os.getpid():
            return True
    return False


if __name__ == "__main__":
    main(sys.argv[1])
