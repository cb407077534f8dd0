"""Our figures beside those of an installed llama.cpp, for the very same command line."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from packer.report.text_columns import columns

_TITLES = {"weights": "weights", "context": "context (KV, state)", "compute": "compute"}
_RIGHT = frozenset([2, 3, 4])


@dataclass(frozen=True)
class ComparedPart:
    """One part on one device as both compute it [bytes]."""

    device: str
    part: str
    our_bytes: int
    oracle_bytes: int


@dataclass(frozen=True)
class OracleComparison:
    """Both answers to one question.

    Attributes:
        oracle: Who was asked.
        words: The command line both columns are about.
        resolution_bytes: The oracle rounds down to multiples of this [bytes].
        notes: How this command line differs from the user's.
    """

    oracle: str
    words: tuple[str, ...]
    resolution_bytes: int
    parts: tuple[ComparedPart, ...]
    notes: tuple[str, ...]

    def difference(self, part: ComparedPart) -> int:
        """Ours minus the oracle's, ours rounded down as the oracle rounds [bytes]."""
        return part.our_bytes // self.resolution_bytes * self.resolution_bytes - part.oracle_bytes


def oracle_document(comparison: OracleComparison) -> dict[str, Any]:
    """The object under ``oracle`` of ``gpu-packer estimate --oracle -o json``."""
    return {
        "name": comparison.oracle,
        "command": list(comparison.words),
        "resolution_bytes": comparison.resolution_bytes,
        "parts": [
            {
                "device": part.device,
                "part": part.part,
                "ours_bytes": part.our_bytes,
                "oracle_bytes": part.oracle_bytes,
                "difference_bytes": comparison.difference(part),
            }
            for part in comparison.parts
        ],
        "notes": list(comparison.notes),
    }


def oracle_table(comparison: OracleComparison) -> str:
    """The same for people: bytes of both columns and their difference."""
    head = ["DEVICE", "PART", "OURS", "ORACLE", "DIFFERENCE", ""]
    rows = [
        [
            part.device,
            _TITLES[part.part],
            str(part.our_bytes),
            str(part.oracle_bytes),
            f"{comparison.difference(part):+d}" if comparison.difference(part) else "0",
            "",
        ]
        for part in comparison.parts
    ]
    return "\n".join([*columns(head, rows, 0, _RIGHT), "", *_sentences(comparison)])


def _sentences(comparison: OracleComparison) -> Iterator[str]:
    yield f"bytes, oracle: {comparison.oracle}"
    if comparison.resolution_bytes > 1:
        yield f"the oracle rounds down to {comparison.resolution_bytes} bytes; so does DIFFERENCE"
    yield f"both columns: {shlex.join(comparison.words)}"
    yield from (f"note: {note}" for note in comparison.notes)
