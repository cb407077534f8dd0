"""plan --watch, as a user runs it: changes, a bad file in between, an answer that is no, Ctrl-C."""

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from packer import api
from packer.cli import exit_status
from packer.cli.main import run
from tests.interruptible import interruptible
from tests.planned import ROOT

FLEET = """\
apiVersion: gpu-packer/v1
kind: Fleet
metadata: {name: small}
serverImage: {image: ghcr.io/ggml-org/llama.cpp:server-cuda-b11434, build: b11434}
workloads:
- {name: small, model: "catalogue:qwen3-0.6b", quantizations: [Q8_0], context: 4Ki, slots: 2}
"""
SECOND = FLEET + FLEET.splitlines()[-1].replace("name: small", "name: second") + "\n"
_PATIENCE_SECONDS = 120.0


class Watch:
    """A running ``plan --watch``, with everything it has said so far."""

    process: subprocess.Popen[bytes]

    def __init__(self, folder: Path) -> None:
        self.fleet, self.inventory = folder / "fleet.yaml", folder / "inventory.yaml"
        self.out, self._log = folder / "plan.json", folder / "log"
        self.fleet.write_text(FLEET)
        self.inventory.write_text((ROOT / "inventories/one-l40s.yaml").read_text())

    @contextmanager
    def running(self) -> Iterator[None]:
        """Start the command; end it at the end."""
        command = ["plan", "-f", str(self.fleet), "-i", str(self.inventory), "--watch"]
        command += ["--watch-every", "0.1", "--out", str(self.out)]
        with (
            self._log.open("w") as log,
            interruptible(command, stdout=log, stderr=log) as self.process,
        ):
            yield

    def wait_for(self, words: str, times: int = 1) -> str:
        """Everything said, once some words are among it so often."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while (text := self._log.read_text()).count(words) < times:
            assert self.process.poll() is None, text
            assert time.monotonic() < deadline, text
            time.sleep(0.05)
        return text

    def interrupt(self) -> tuple[int, str]:
        """Exit status after Ctrl-C, and everything said."""
        self.process.send_signal(signal.SIGINT)
        status = self.process.wait(60)
        return status, self._log.read_text()


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    watch = Watch(tmp_path)
    with watch.running():
        yield watch


def test_changes_bad_files_and_ctrl_c(watch: Watch) -> None:
    watch.wait_for("small")
    watch.wait_for("cards")
    watch.fleet.write_text(SECOND)
    text = watch.wait_for("cost per hour:")
    assert f"{watch.fleet} changed; planning again" in text
    assert "new      second-0 on" in text
    assert "servers: 1 stay as they are" in text
    assert "cards: 1 → 1" in text
    assert len(api.read_plan(watch.out).placements) == 2

    watch.fleet.write_text(SECOND.replace("slots: 2", "slotz: 2"))
    text = watch.wait_for("still watching")
    assert "slotz" in text
    assert len(api.read_plan(watch.out).placements) == 2
    watch.fleet.write_text(SECOND.replace("context: 4Ki", "context: 400Mi"))
    text = watch.wait_for("still watching", 2)

    watch.fleet.write_text(FLEET)
    text = watch.wait_for("cost per hour:", 2)
    assert "gone     second-0" in text
    assert len(api.read_plan(watch.out).placements) == 1
    status, text = watch.interrupt()
    assert status == exit_status.INTERRUPTED
    assert text.rstrip().endswith("interrupted; no output is half written")
    assert "Traceback" not in text


def test_the_inventory_is_watched_too(watch: Watch) -> None:
    watch.wait_for("cards")
    text = watch.inventory.read_text()
    watch.inventory.write_text(text.replace("one-l40s", "another"))
    said = watch.wait_for("cost per hour:")
    assert f"{watch.inventory} changed" in said
    assert "nothing moves" in said


def test_standard_input_cannot_be_watched(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["plan", "-f", "-", "-i", str(ROOT / "inventories/one-l40s.yaml"), "--watch"]
    assert run(command) == exit_status.INVALID
    assert "P0475" in capsys.readouterr().err
