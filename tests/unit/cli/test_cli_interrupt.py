"""Ctrl-C at several moments: exit 130 or a finished result, never half-written output."""

import contextlib
import json
import signal
import time
from pathlib import Path

import pytest

from packer import api
from packer.cli import exit_status, main, progress
from packer.cli.interruption import CtrlC
from packer.cli.main import run
from packer.cli.progress import SolverProgress
from packer.solver.outcome import Progress
from tests.interruptible import interruptible
from tests.planned import ROOT, plan

EXAMPLE = "01-four-models-one-card"
FILES = [
    *("-f", str(ROOT / "examples" / EXAMPLE / "fleet.yaml")),
    *("-i", str(ROOT / "inventories" / "one-l40s.yaml")),
]
# After so many seconds: before, while and after the files are read, the solver runs, and writing.
MOMENTS = (0.25, 0.6, 1.0, 1.4, 2.0)
OLD = "what was there before"
# Interrupted before Python has called main(), the process ends by the signal itself.
INTERRUPTED = {exit_status.INTERRUPTED, -signal.SIGINT}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("interrupted") / "plan.json"
    api.save(plan(EXAMPLE), path)
    return path


def interrupted(arguments: list[str], seconds: float) -> int:
    """Exit status of a command that gets SIGINT after some time."""
    with interruptible(arguments) as process:
        time.sleep(seconds)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert b"This is a bug" not in err
    if b"Fatal Python error: init" in err:
        return exit_status.INTERRUPTED  # before Python itself was ready
    if b"KeyboardInterrupt" in err and b"packer" not in err.replace(b"gpu-packer", b""):
        return exit_status.INTERRUPTED  # while Python read what site-packages adds to its start
    return process.returncode


@pytest.mark.parametrize("seconds", MOMENTS)
def test_plan(seconds: float, tmp_path: Path) -> None:
    out = tmp_path / "plan.json"
    out.write_text(OLD)
    status = interrupted(["plan", *FILES, "--out", str(out)], seconds)
    assert list(tmp_path.iterdir()) == [out]
    if out.read_text() == OLD:
        assert status in INTERRUPTED
    else:
        assert status in {exit_status.DONE, *INTERRUPTED}
        assert len(api.read_plan(out).placements) == 4


def test_in_the_middle_of_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def half(path: Path, text: str) -> None:
        path.write_text(text[: len(text) // 2])
        raise KeyboardInterrupt

    made, out = plan(EXAMPLE), tmp_path / "plan.json"
    out.write_text(OLD)
    monkeypatch.setattr("packer.files.single_file._write_new", half)
    monkeypatch.setattr("packer.api.plan", lambda *_, **__: made)
    assert run(["plan", *FILES, "--out", str(out)]) == exit_status.INTERRUPTED
    assert list(tmp_path.iterdir()) == [out]
    assert out.read_text() == OLD
    assert capsys.readouterr() == ("", "interrupted; no output is half written\n")


def test_while_a_module_is_loaded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Python wraps what a class raises while it is made."""

    def load(**_: object) -> None:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as stop:
            raise RuntimeError("Error calling __set_name__ on 'cached_property'") from stop

    monkeypatch.setattr(main, "app", load)
    assert run([]) == exit_status.INTERRUPTED
    assert "bug" not in capsys.readouterr().err


def test_a_library_that_keeps_only_the_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As pydantic-core does while it builds a validator."""

    def load(**_: object) -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt as stop:
            words = repr(stop)
        raise ValueError(words)

    monkeypatch.setattr(main, "app", load)
    monkeypatch.setattr(main, "CTRL_C", CtrlC())
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(SystemExit) as stopped:
            main.main()
    finally:
        signal.signal(signal.SIGINT, before)
    assert stopped.value.code == exit_status.INTERRUPTED
    assert capsys.readouterr().err == "interrupted; no output is half written\n"


def test_what_a_library_swallows_while_it_is_loaded_ends_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pressed, step = CtrlC(), Progress("bound", None, 1, 0.1)
    monkeypatch.setattr(progress, "CTRL_C", pressed)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with SolverProgress() as show:
            show(step)
            pressed.listen()
            with contextlib.suppress(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
            show(step)
        with SolverProgress() as show, pytest.raises(KeyboardInterrupt):
            show(step)
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_job_told_to_ignore_ctrl_c_ignores_it() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        CtrlC().listen()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("seconds", MOMENTS[:3])
@pytest.mark.parametrize(("command", "marker"), [("render", "manifests"), ("report", "report")])
def test_folders(command: str, marker: str, seconds: float, saved: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    status = interrupted([command, str(saved), "--out", str(out)], seconds)
    assert status in {exit_status.DONE, *INTERRUPTED}
    assert {path.name for path in tmp_path.iterdir()} <= {"out"}
    if not out.exists():
        assert status in INTERRUPTED
        return
    told = json.loads((out / ".gpu-packer").read_text())
    assert told["holds"] == marker
    files = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert files == {*told["files"], ".gpu-packer"}
