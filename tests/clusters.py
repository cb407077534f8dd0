"""Real clusters on the loopback interface, started for a test and ended with it."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_SECONDS = 120
_EQUALS = {"RAY_worker_niceness": "0"}
"""Ray's workers stand back (nice 15) unless told otherwise: on a busy machine they would starve."""


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


@contextmanager
def _running(command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process group of its own, ended by its id."""
    environment = os.environ | _EQUALS
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, start_new_session=True, env=environment
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_for(process: subprocess.Popen[bytes], log: Path, words: str) -> str:
    """The text after some words of a log, once they are there."""
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        text = log.read_text(encoding="utf-8", errors="replace")
        found = re.search(words, text)
        if found:
            return found[0]
        assert process.poll() is None, text
        time.sleep(0.2)
    raise AssertionError(log.read_text(encoding="utf-8", errors="replace"))


@contextmanager
def ray_cluster(folder: Path) -> Iterator[str]:
    """Address of a Ray cluster of this machine with two processors."""
    port, log = free_port(), folder / "ray.log"
    ray = str(Path(sys.executable).with_name("ray"))
    command = [
        *(ray, "start", "--head", "--block", "--num-cpus=2", "--disable-usage-stats"),
        *(f"--port={port}", "--node-ip-address=127.0.0.1", "--include-dashboard=false"),
        f"--object-store-memory={256 * 2**20}",
    ]
    with _running(command, log) as process:
        _wait_for(process, log, "Ray runtime started")
        yield f"127.0.0.1:{port}"


@contextmanager
def dask_cluster(folder: Path) -> Iterator[str]:
    """Address of a Dask cluster of this machine with two workers of one thread each."""
    dask = str(Path(sys.executable).with_name("dask"))
    log, worker_log = folder / "scheduler.log", folder / "worker.log"
    scheduler = [dask, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    with _running(scheduler, log) as process:
        address = _wait_for(process, log, r"tcp://127\.0\.0\.1:\d+")
        worker = [dask, "worker", address, "--nworkers", "2", "--nthreads", "1", "--no-dashboard"]
        worker += ["--local-directory", str(folder / "dask")]
        with _running(worker, worker_log) as workers:
            _wait_for(workers, worker_log, "Registered to")
            yield address
