"""Processes of one test cluster: one group, one data folder, ended together."""

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

_GUARDIAN = Path(__file__).with_name("guardian.py")


class Processes:
    """Children in a process group that outlives none of its tests.

    Attributes:
        folder: Data of the cluster; removed at the end.
    """

    def __init__(self) -> None:
        """Make the folder and the guardian that removes it."""
        self.folder = Path(tempfile.mkdtemp(prefix="gpu-packer-cluster-"))
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._guardian = subprocess.Popen(
            [sys.executable, "-I", _GUARDIAN, self.folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            process_group=0,
        )
        assert self._guardian.stdout is not None
        assert self._guardian.stdout.readline() == b"ready\n"

    def start(self, name: str, command: Sequence[str | Path]) -> None:
        """Start a program; what it says goes to ``NAME.log`` in the folder."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self._children[name] = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                process_group=self._guardian.pid,
            )

    def kill(self, name: str) -> None:
        """End a program at once, as a crash would; nobody misses it."""
        child = self._children.pop(name)
        child.kill()
        child.wait()

    def wait_until(self, done: Callable[[], bool], what: str, seconds: float) -> None:
        """Return once something is so.

        Raises:
            RuntimeError: A program ended, or it takes too long; with the end of the logs.
        """
        deadline = time.monotonic() + seconds
        while not done():
            ended = [name for name, child in self._children.items() if child.poll() is not None]
            if ended or time.monotonic() > deadline:
                state = f"{', '.join(ended)} ended" if ended else f"after {seconds:g} s"
                raise RuntimeError(f"{what}: not ready, {state}\n{self._logs()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End everything and remove the folder."""
        assert self._guardian.stdin is not None
        self._guardian.stdin.close()
        for child in self._children.values():
            child.wait()
        self._guardian.wait()
        assert self._guardian.stdout is not None
        self._guardian.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _logs(self) -> str:
        ends = (
            f"--- {log.name}\n{log.read_text('utf-8', 'replace')[-1500:]}" for log in self._found()
        )
        return "\n".join(ends)

    def _found(self) -> list[Path]:
        return sorted(self.folder.glob("*.log"))


def free_ports(count: int) -> list[int]:
    """Ports of the loopback address that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports
