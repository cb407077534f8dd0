"""Ctrl-C at the question and in the middle of an apply: nothing, or a second apply finishes.

The signal is a real SIGINT to a real process, the control plane is real, and so is what is written.
"""

import os
import pty
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from packer import api
from packer.cli import exit_status
from packer.plan.plan import Plan
from packer.plan.rollout.record import AppliedChange, Ending
from packer.spec.answer_file import read_saved_answer
from tests.cluster.campaign import full_only
from tests.cluster.control_plane import ControlPlane
from tests.cluster.deployed import NAMESPACE, planned, pods, prepare_namespace
from tests.cluster.fleets import fleet, workload
from tests.cluster.furnishing import furnished
from tests.cluster.hardware import L40S, Machine
from tests.interruptible import interruptible

MACHINES = [Machine(f"l40s-{n}", L40S, 2, "384Gi", "eu-a") for n in range(3)]
WORKLOADS = (
    workload("chat", "qwen3-14b", replicas=2, least=1),
    workload("embed", "qwen3-4b"),
    workload("small", "qwen3-0.6b"),
)
_PATIENCE_SECONDS = 120.0


@dataclass
class Pair:
    """Two plans of one fleet that replace each other, and where they are kept."""

    plane: ControlPlane
    folder: Path
    plans: tuple[Plan, Plan]
    before: str = ""

    def command(self, plan: Plan, *options: str) -> list[str]:
        """An ``apply`` of one of them."""
        saved = self.folder / "plan.json"
        api.save(plan, saved)
        at = ["--kubeconfig", str(self.plane.kubeconfig), "--out", str(self.kept)]
        return ["apply", str(saved), "--prune", *at, *options]

    @property
    def kept(self) -> Path:
        return self.folder / "change.json"

    def record(self) -> AppliedChange:
        """What the last apply kept."""
        found = read_saved_answer(self.kept.read_text(), "change.json")
        assert isinstance(found, AppliedChange)
        return found

    def version(self) -> str:
        """What changes with every write to a Deployment or claim of the namespace."""
        found = self.plane.read("deployments,resourceclaims,services", "-n", NAMESPACE)["items"]
        return str(sorted(one["metadata"]["resourceVersion"] for one in found))

    def runs(self, plan: Plan) -> bool:
        return api.diff(plan, kubeconfig=str(self.plane.kubeconfig)).is_empty


@pytest.fixture(scope="module")
def pair(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("pair")
    with furnished(plane, MACHINES, "dra"):
        prepare_namespace(plane)
        first = planned(plane, folder, fleet=fleet(folder, *WORKLOADS)).plan
        bigger = [one.replace("8Ki", "16Ki") for one in WORKLOADS[:-1]]
        second = planned(plane, folder, fleet=fleet(folder, *bigger), replaced="small").plan
        yield Pair(plane, folder, (first, second))


def test_at_the_question_nothing_is_written(pair: Pair) -> None:
    mine, theirs = pty.openpty()
    with interruptible(pair.command(pair.plans[0]), stdin=theirs) as process:
        os.close(theirs)
        assert process.stderr is not None
        said = b""
        while b"Carry this out?" not in said:
            more = os.read(process.stderr.fileno(), 4096)
            assert more, said
            said += more
        # What was shown is kept already: the steps, the peaks and the gaps.
        shown = pair.record()
        assert shown.ending is Ending.SHOWN
        assert {one.step for one in shown.steps} == {"start"}
        assert all(0 < one.peak_bytes <= one.allocatable_bytes for one in shown.peaks)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    os.close(mine)
    assert process.returncode == exit_status.INTERRUPTED, err
    assert b"interrupted" in err
    assert b"Traceback" not in err
    assert b"new      chat-0" in out
    assert pods(pair.plane) == []
    assert pair.plane.read("deployments", "-n", NAMESPACE)["items"] == []


@pytest.mark.parametrize(
    "moment",
    [
        "first wave",
        pytest.param("first write", marks=full_only),
        pytest.param("last wave", marks=full_only),
    ],
)
def test_in_the_middle_a_second_apply_finishes(pair: Pair, moment: str) -> None:
    plan = pair.plans[1] if pair.runs(pair.plans[0]) else pair.plans[0]
    pair.before = pair.version()
    with interruptible(pair.command(plan, "--yes")) as process:
        said = _wait_for(process, pair, moment)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=120)
    said += err
    assert process.returncode == exit_status.INTERRUPTED, said
    assert b"run the same command again to finish" in said
    assert b"Traceback" not in said
    cut = pair.record()
    assert cut.ending is Ending.INTERRUPTED
    assert not pair.runs(plan)

    with interruptible(pair.command(plan, "--yes")) as again:
        _, err = again.communicate(timeout=_PATIENCE_SECONDS)
    assert again.returncode == exit_status.DONE, err
    assert pair.record().ending is Ending.DONE
    assert pair.record().written
    assert pair.runs(plan)
    assert len(pods(pair.plane)) == len(plan.placements)


def _wait_for(process: subprocess.Popen[bytes], pair: Pair, moment: str) -> bytes:
    """What was said until some moment of an apply."""
    assert process.stderr is not None
    os.set_blocking(process.stderr.fileno(), False)
    said, deadline = b"", time.monotonic() + _PATIENCE_SECONDS
    while not _is_there(said, pair, moment):
        assert process.poll() is None, said
        assert time.monotonic() < deadline, said
        said += process.stderr.read() or b""
        time.sleep(0.01)
    os.set_blocking(process.stderr.fileno(), True)
    return said


def _is_there(said: bytes, pair: Pair, moment: str) -> bool:
    waves = re.findall(rb"^(\d+) of (\d+): ", said, re.M)
    if moment == "first write":
        return bool(waves) or pair.version() != pair.before
    return bool(waves) and (moment == "first wave" or waves[-1][0] == waves[-1][1])


def test_a_report_shows_what_was_kept(pair: Pair, tmp_path: Path) -> None:
    plan = pair.plans[1] if pair.runs(pair.plans[0]) else pair.plans[0]
    with interruptible(pair.command(plan, "--yes")) as done:
        done.communicate(timeout=_PATIENCE_SECONDS)
    assert done.returncode == exit_status.DONE
    beside = api.read_beside(plan, [pair.kept])
    api.report(plan, tmp_path / "report", beside=beside)
    record = pair.record()
    assert record.taken_seconds
    page = (tmp_path / "report" / "index.html").read_text()
    text = (tmp_path / "report" / "report.md").read_text()
    for shown in (page, text):
        assert "The way to this plan" in shown
        assert "carried out" in shown
        assert all(one.server in shown for one in record.steps)
