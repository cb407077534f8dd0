"""Programs that some tests need and a machine may lack: skipped by name, or demanded by CI."""

import os
import shutil

import pytest

REQUIRE_TOOLS = "GPU_PACKER_REQUIRE_TOOLS"
"""With this variable set to 1, a missing program fails the test instead of skipping it."""


def require_tool(name: str, *candidates: str) -> str:
    """Path of a program: the first of ``candidates`` (names or paths) that exists, or ``name``.

    Without any of them the test is skipped with the reason, or fails where tools are required.
    """
    for candidate in candidates or (name,):
        found = shutil.which(candidate)
        if found:
            return found
    message = f"{name} is not installed (looked for {', '.join(candidates or (name,))})"
    if os.environ.get(REQUIRE_TOOLS) == "1":
        pytest.fail(message)
    pytest.skip(message)


HOW_TO_GET = {
    "kubectl": "kubernetes.io/docs/tasks/tools, or: cd tests/tools_go && go build ./kubectl",
    "chromium": "apt-get install chromium, or your system's package of it",
}
"""Programs that only the system can provide, and how."""


def missing_tools() -> str:
    """One closing message: which programs are missing, what was left out, how to get them."""
    missing = [name for name in HOW_TO_GET if shutil.which(name) is None]
    if not missing:
        return "Every test ran: nothing was left out for want of a program."
    lines = [f"  {name}: {HOW_TO_GET[name]}" for name in missing]
    return "Left out, because this machine lacks these programs:\n" + "\n".join(lines)


if __name__ == "__main__":
    print(missing_tools())
