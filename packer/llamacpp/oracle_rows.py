"""One line of an oracle's answer."""

import re
from dataclasses import dataclass

_CLOCK = re.compile(r"^\d+\.\d+\.\d+\.\d+ [A-Z] ")
_FAULT = re.compile(
    r"error|no module|no such|invalid|failed|what\(\)|GGML_ASSERT|abort", re.IGNORECASE
)


@dataclass(frozen=True)
class OracleRow:
    """Bytes on one device, ``Host`` for the host."""

    device: str
    weights_bytes: int
    context_bytes: int
    compute_bytes: int


def first_fault(log: str, status: int) -> str:
    """The first line of a log that names a fault, which is the cause of those behind it."""
    lines = [_CLOCK.sub("", line).strip() for line in log.splitlines()]
    faults = [line for line in lines if _FAULT.search(line)]
    return faults[0][:300] if faults else f"it ended with status {status}"
