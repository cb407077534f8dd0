"""llama.cpp's planner inside the ``xllamacpp`` wheel, asked in a child process.

llama.cpp ends the process on some errors, and the functions are called by their C++ names; both are
kept out of this process.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata, util

from packer.llamacpp.oracle_rows import OracleRow, first_fault

_DISTRIBUTION = "xllamacpp"
_CHILD = "packer.llamacpp.oracle_child"


def wheel_version() -> str:
    """Version of the installed wheel; empty if there is none."""
    if util.find_spec(_DISTRIBUTION) is None:
        return ""
    try:
        return metadata.version(_DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return ""


def ask_wheel(
    words: Sequence[str], environment: Mapping[str, str], seconds: float
) -> tuple[OracleRow, ...]:
    """One row per device, the host last.

    Raises:
        ValueError: It refuses the command line, crashes, or is of an unknown build.
        TimeoutExpired: It takes longer than ``seconds``.
    """
    done = subprocess.run(  # noqa: S603 — this package's own module
        [sys.executable, "-m", _CHILD],
        input=json.dumps(list(words)).encode(),
        capture_output=True,
        env=dict(environment),
        timeout=seconds,
        check=False,
    )
    answer, log = (text.decode("utf-8", "replace") for text in (done.stdout, done.stderr))
    if done.returncode or not answer:
        raise ValueError(first_fault(log, done.returncode))
    return tuple(OracleRow(*row) for row in json.loads(answer))
