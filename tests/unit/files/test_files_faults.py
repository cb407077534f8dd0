"""What happens when the system refuses or the process is killed; each in a child process."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from packer.files.directory import write_tree
from packer.files.exchange import exchange
from packer.files.single_file import write_file
from tests.interruptible import environment
from tests.planned import ROOT

KILLS = int(os.environ.get("GPU_PACKER_KILLS", "12"))
"""Moments at which a writer is ended; a campaign takes 150 for each signal."""

TRY_FILE = """
import os, resource, sys
from pathlib import Path
from packer.errors import InvalidInput
from packer.files.single_file import write_file
from packer.files.directory import write_tree
out, kind = Path(sys.argv[1]), sys.argv[2]
os.chdir(out.parent)
if sys.argv[3] == "no-room":
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
elif os.geteuid() == 0:
    os.setuid(65534)  # nothing is forbidden to root
out = Path(out.name)
try:
    if kind == "file":
        write_file(out, "new" * 10_000)
    else:
        write_tree(out, {"a": "new" * 10_000}, "manifests")
except InvalidInput as error:
    sys.exit(str(error))
"""

WRITE_FOREVER = """
import itertools, sys
from pathlib import Path
from packer.files.single_file import write_file
from packer.files.directory import write_tree
out = Path(sys.argv[1])
print("ready", flush=True)
for turn in itertools.count():
    text = str(turn % 10) * 50_000
    write_file(out / "plan.json", text)
    write_tree(out / "tree", {f"d{part}/f": text for part in range(8)}, "manifests")
"""


def _try(out: Path, kind: str, fault: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", TRY_FILE, str(out), kind, fault],
        check=False,
        capture_output=True,
        text=True,
        # One that may not write cannot save how much of it was covered either.
        env=environment() | {"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def _old(out: Path, kind: str) -> None:
    if kind == "file":
        write_file(out, "old")
    else:
        write_tree(out, {"a": "old"}, "manifests")


@pytest.mark.parametrize("kind", ["file", "tree"])
def test_no_room_keeps_the_old(tmp_path: Path, kind: str) -> None:
    out = tmp_path / "out"
    _old(out, kind)
    message = _try(out, kind, "no-room")
    assert "error[P0702]: cannot write" in message
    assert "make room on that disk" in message
    assert (out if kind == "file" else out / "a").read_text() == "old"
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("kind", ["file", "tree"])
def test_a_directory_without_permission_keeps_the_old(tmp_path: Path, kind: str) -> None:
    out = tmp_path / "shelf" / "out"
    _old(out, kind)
    out.parent.chmod(0o555)
    try:
        message = _try(out, kind, "no-permission")
    finally:
        out.parent.chmod(0o755)
    assert "error[P0702]: cannot write" in message
    assert "Permission denied" in message
    assert (out if kind == "file" else out / "a").read_text() == "old"
    assert list(out.parent.iterdir()) == [out]


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGINT])
def test_ended_at_any_moment_leaves_old_or_new_never_half(
    tmp_path: Path, kill: signal.Signals
) -> None:
    wait = random.Random(1)
    for _ in range(KILLS):
        with subprocess.Popen(
            [sys.executable, "-c", WRITE_FOREVER, str(tmp_path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(),
            cwd=ROOT,
        ) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(0.01 + wait.random() * 0.05)
            child.send_signal(kill)
        if (tmp_path / "plan.json").exists():
            _whole((tmp_path / "plan.json").read_text())
        if (tmp_path / "tree").exists():
            texts = [path.read_text() for path in sorted((tmp_path / "tree").glob("d*/f"))]
            assert len(texts) == 8
            assert len(set(texts)) == 1
            _whole(texts[0])


def _whole(text: str) -> None:
    assert len(text) == 50_000
    assert len(set(text)) == 1


@pytest.mark.parametrize("in_one_step", [True, False])
def test_exchange_swaps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_one_step: bool) -> None:
    if not in_one_step:
        monkeypatch.setattr(sys, "platform", "another")
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "was").write_text(name)
    exchange(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "a" / "was").read_text() == "b"
    assert (tmp_path / "b" / "was").read_text() == "a"
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("in_one_step", [True, False])
def test_exchange_with_nothing_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_one_step: bool
) -> None:
    if not in_one_step:
        monkeypatch.setattr(sys, "platform", "another")
    (tmp_path / "a").mkdir()
    with pytest.raises(FileNotFoundError):
        exchange(tmp_path / "a", tmp_path / "b")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
