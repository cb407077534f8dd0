"""Memory of processes by card, from what nvidia-smi prints as CSV.

Both queries may stand in one text; each begins with its header line::

    nvidia-smi --query-gpu=index,name,uuid --format=csv
    nvidia-smi --query-compute-apps=pid,process_name,gpu_uuid,used_memory --format=csv
"""

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from packer.errors import InvalidInput, Location, Problem
from packer.units import MIB

COMMANDS = (
    "nvidia-smi --query-gpu=index,name,uuid --format=csv > smi.csv; "
    "nvidia-smi --query-compute-apps=pid,process_name,gpu_uuid,used_memory --format=csv >> smi.csv"
)
_USED = ("used_memory", "used_gpu_memory")
_MEMORY = re.compile(r"([0-9]{1,9})(?: MiB)?")


@dataclass(frozen=True)
class ProcessOnCard:
    """Memory one process uses on one card.

    Attributes:
        gpu: Product name of the card as the driver says it.
    """

    pid: int
    process: str
    gpu: str
    used_bytes: int


def read_nvidia_smi(text: str, file: str = "nvidia-smi") -> tuple[ProcessOnCard, ...]:
    """Every process on every card.

    Raises:
        InvalidInput: P0496, the text is not what the two queries print.
    """
    names: dict[str, str] = {}
    apps: list[tuple[int, dict[str, str]]] = []
    for number, row in _rows(text):
        if "pid" in row:
            apps.append((number, row))
        elif "name" in row:
            names |= {row[key]: row["name"] for key in ("uuid", "pci.bus_id") if key in row}
    if not apps:
        raise _refusal(file, 0, "it lists no process")
    return tuple(_process(row, names, file, number) for number, row in apps)


def _rows(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and values by column; a line with a column called name or pid is a header."""
    header: list[str] = []
    for number, cells in enumerate(_cells(text.splitlines()), 1):
        named = [cell.partition(" [")[0] for cell in cells]
        if "pid" in named or "name" in named:
            header = named
        elif header and len(cells) == len(header):
            yield number, dict(zip(header, cells, strict=True))


def _cells(lines: Iterable[str]) -> Iterator[list[str]]:
    for line in lines:
        # One reader per line: a stray quotation mark must not swallow the next one.
        yield next(csv.reader([line], skipinitialspace=True), [])


def _process(row: dict[str, str], names: dict[str, str], file: str, number: int) -> ProcessOnCard:
    used = next((row[key] for key in _USED if key in row), "")
    memory = _MEMORY.fullmatch(used)
    if memory is None:
        why = f"the used memory is {used!r}; a container or MIG may hide it" if used else ""
        raise _refusal(file, number, why or "it has no column used_memory")
    gpu = row.get("gpu_name") or names.get(row.get("gpu_uuid") or row.get("gpu_bus_id", ""), "")
    if not gpu:
        raise _refusal(file, number, "it does not say which product the card is")
    if not re.fullmatch(r"[0-9]{1,9}", row["pid"]):
        raise _refusal(file, number, f"{row['pid']!r} is no process id")
    return ProcessOnCard(int(row["pid"]), row.get("process_name", ""), gpu, int(memory[1]) * MIB)


def _refusal(file: str, number: int, why: str) -> InvalidInput:
    where = Location(file, number, 1) if number else Location(file)
    title = "the processes on the cards cannot be read"
    return InvalidInput(Problem("P0496", title, where, why, f"run {COMMANDS}"))
