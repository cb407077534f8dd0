"""plan --watch beside a real control plane: a node that goes is a reason to plan again."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from packer import api
from packer.cli import exit_status
from tests.cluster.control_plane import ControlPlane
from tests.cluster.deployed import NAMESPACE, prepare_namespace
from tests.cluster.fleets import fleet, workload
from tests.cluster.furnishing import furnished
from tests.cluster.hardware import L40S, Machine

MACHINES = [Machine(f"l40s-{n}", L40S, 1, "384Gi", "eu-a") for n in range(3)]
EMBED = workload("embed", "qwen3-4b")
SMALL = workload("small", "qwen3-0.6b", replicas=2)
_PATIENCE_SECONDS = 180.0


class Watch:
    """A running ``plan --watch``."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process, self._log = process, log

    def wait_for(self, words: str, times: int = 1) -> str:
        """Everything said, once some words are among it so often."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while (text := self._log.read_text()).count(words) < times:
            assert self.process.poll() is None, text
            assert time.monotonic() < deadline, text
            time.sleep(0.1)
        return text

    def interrupt(self) -> tuple[int, str]:
        """Exit status after Ctrl-C, and everything said."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60), self._log.read_text()


@contextmanager
def watching(folder: Path, *options: str) -> Iterator[Watch]:
    command = [sys.executable, "-m", "packer", "plan", "--watch", "--watch-every", "0.2", *options]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
    try:
        yield Watch(process, folder / "log")
    finally:
        process.kill()
        process.wait()


def test_nodes_that_go_and_files_that_change_are_planned_for(
    plane: ControlPlane, tmp_path: Path
) -> None:
    with furnished(plane, MACHINES, "dra"):
        prepare_namespace(plane)
        asked, at = fleet(tmp_path, EMBED, SMALL), ["--kubeconfig", str(plane.kubeconfig)]
        saved = tmp_path / "plan.json"
        options = ["-f", str(asked), "-i", "live", "--out", str(saved), *at]
        first = api.PlanSources(str(asked), "live", kubeconfig=str(plane.kubeconfig))
        plan = api.plan(first.read(), brief=True)
        found = api.diff(plan, kubeconfig=str(plane.kubeconfig))
        api.apply(found, api.order_of(found), patience_seconds=120)
        used = plan.placements[0].node
        with watching(tmp_path, *options, "--from", "live") as watch:
            watch.wait_for("against the current plan: kept 3")
            plane.kubectl("cordon", used)
            text = watch.wait_for("cost per hour:")
            assert "the cluster changed; planning again" in text
            assert f"move     embed-0: {used} gpu0 → " in text
            after = api.read_plan(saved)
            assert used not in {one.node for one in after.placements}
            asked.write_text(asked.read_text().replace("replicas: 2", "replicas: 1"))
            text = watch.wait_for("cost per hour:", 2)
            assert f"{asked} changed" in text
            assert "gone     small-" in text
            # What was changed by hand is said, and the watch goes on.
            plane.kubectl("scale", "deployment/embed-0", "--replicas=0", "-n", NAMESPACE)
            plane.kubectl("uncordon", used)
            text = watch.wait_for("still watching")
            assert "P1035" in text
            plane.kubectl("scale", "deployment/embed-0", "--replicas=1", "-n", NAMESPACE)
            plane.kubectl("cordon", used)
            watch.wait_for("cost per hour:", 3)
            status, text = watch.interrupt()
        assert status == exit_status.INTERRUPTED
        assert "Traceback" not in text
