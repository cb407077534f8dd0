"""Nothing of a test cluster outlives its test process, however that ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

_STARTS_TWO = """
import sys, time
from tests.cluster.processes import Processes
processes = Processes()
processes.start("one", ["sleep", "1000"])
processes.start("two", ["sh", "-c", "trap '' TERM; sleep 1001"])
(processes.folder / "data").mkdir()
print(processes.folder, *(child.pid for child in processes._children.values()), flush=True)
if sys.argv[1] == "ends":
    processes.stop()
else:
    time.sleep(1000)
"""


def is_running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.parametrize("how", ["ends", "is killed"])
def test_processes_and_data_go_with_the_test_process(how: str) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", _STARTS_TWO, how], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    folder, *pids = child.stdout.readline().split()
    if how == "is killed":
        assert all(is_running(int(one)) for one in pids)
        os.kill(child.pid, signal.SIGKILL)
    child.wait(timeout=30)
    child.stdout.close()
    deadline = time.monotonic() + 30
    while Path(folder).exists() or any(is_running(int(one)) for one in pids):
        assert time.monotonic() < deadline
        time.sleep(0.05)
