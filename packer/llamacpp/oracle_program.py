"""``llama-fit-params --fit-print on``: llama.cpp's planner as a program.

Source: llama.cpp b11434, tools/fit-params/fit-params.cpp; common/fit.cpp, common_fit_print().
"""

import re
import subprocess
from collections.abc import Mapping, Sequence

from packer.llamacpp.oracle_rows import OracleRow, first_fault
from packer.units import MIB

_ROW = re.compile(r"(\S.*?) (\d{1,12}) (\d{1,12}) (\d{1,12}) ?")


def ask_program(
    words: Sequence[str], environment: Mapping[str, str], seconds: float
) -> tuple[int, tuple[OracleRow, ...]]:
    """Resolution of the figures [bytes], and one row per device, the host last.

    Raises:
        ValueError: It refuses the command line, or prints something else.
        OSError: It cannot be run.
        TimeoutExpired: It takes longer than ``seconds``.
    """
    command = [*words, "--fit-print", "on"]
    done = subprocess.run(  # noqa: S603 — no shell; the user's own program and command line
        command,
        capture_output=True,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        timeout=seconds,
        check=False,
    )
    printed, log = (text.decode("utf-8", "replace") for text in (done.stdout, done.stderr))
    if done.returncode:
        raise ValueError(first_fault(log, done.returncode))
    rows = read_rows(printed)
    if not rows or rows[-1].device != "Host":
        raise ValueError("it printed no row for the host")
    return MIB, rows


def read_rows(printed: str) -> tuple[OracleRow, ...]:
    """Rows ``device model context compute`` in MiB; other lines are passed over."""
    matches = (_ROW.fullmatch(line.rstrip("\r")) for line in printed.split("\n"))
    return tuple(
        OracleRow(match[1], *(int(number) * MIB for number in match.groups()[1:]))
        for match in matches
        if match
    )
