"""Programs that some tests need and a machine may lack: skipped by name, or demanded by CI."""

import os
import shutil
from typing import NoReturn

import pytest

from tests import llama_server
from tests.cluster.binaries import HOW, build_folder, find_binaries, find_program
from tests.docker_compose import COMPOSE
from tests.linter import LINTER

REQUIRE_TOOLS = "GPU_PACKER_REQUIRE_TOOLS"
"""With this variable set to 1, a missing program fails the test instead of skipping it."""


def require_tool(name: str, *candidates: str) -> str:
    """Path of a program: the first of ``candidates`` (names or paths) that exists, or ``name``.

    What was built for the cluster tests counts as well. Without any of them the test is skipped
    with the reason, or fails where tools are required.
    """
    for candidate in candidates or (name, str(find_program(name) or build_folder() / name)):
        found = shutil.which(candidate)
        if found:
            return found
    return left_out(f"{name} is not installed (looked for {', '.join(candidates or (name,))})")


def left_out(why: str) -> NoReturn:
    """Skip the test with the reason, or fail it where tools are required."""
    if os.environ.get(REQUIRE_TOOLS) == "1":
        pytest.fail(why)
    pytest.skip(why)


HOW_TO_GET = {
    "kubectl": "kubernetes.io/docs/tasks/tools, or: make control-plane",
    "kube-score": "make control-plane",
    "docker-compose": "make control-plane, or Docker Compose as docker-compose on the path",
    "chromium": "apt-get install chromium, or your system's package of it",
    "llama-server": "make llama-server",
    "systemd-analyze": "apt-get install systemd",
}
"""Programs that only the system can provide, and how."""


def missing_tools() -> str:
    """One closing message: which programs are missing, what was left out, how to get them."""
    built = (
        build_folder(),
        *(one.parent for one in (llama_server.program(), LINTER.path, COMPOSE.path)),
    )
    places = os.pathsep.join((os.environ.get("PATH", os.defpath), *map(str, built)))
    missing = [name for name in HOW_TO_GET if shutil.which(name, path=places) is None]
    lines = [f"  {name}: {HOW_TO_GET[name]}" for name in missing]
    if find_binaries() is None:
        lines.append(f"  a Kubernetes control plane: {HOW}")
    if not lines:
        return "Every test ran: nothing was left out for want of a program."
    return "Left out, because this machine lacks these programs:\n" + "\n".join(lines)


if __name__ == "__main__":
    print(missing_tools())
