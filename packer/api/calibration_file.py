"""Process overheads measured on the user's own cards: applied to cards, kept in a JSON file."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packer.errors import InvalidInput, Location, Problem

if TYPE_CHECKING:
    from packer.memory.part import Part
    from packer.memory.result import Card

FROM_NVIDIA_SMI, FROM_LOG = "nvidia-smi", "server log"
_HEAD = {"apiVersion": "gpu-packer/v1", "kind": "Calibration"}
_KEYS = frozenset(["gpu", "computeCapability", "bytes", "from"])
_WAYS = (FROM_NVIDIA_SMI, FROM_LOG)
_MOST_MEASUREMENTS = 10_000
_MOST_BYTES = 2**40


@dataclass(frozen=True)
class Measurement:
    """Process overhead of one server on one card, measured.

    Attributes:
        gpu: Product: the catalogue's name if it has one, else the driver's.
        compute_capability: CUDA compute capability; empty if the log does not say.
        overhead_bytes: Memory of the process beyond its buffers [bytes].
        way: ``nvidia-smi``, or ``server log`` where other processes on the card count too.
    """

    gpu: str
    compute_capability: str
    overhead_bytes: int
    way: str


@dataclass(frozen=True)
class Calibration:
    """What was measured on the user's machine."""

    measurements: tuple[Measurement, ...]

    def applied_to(self, cards: "Sequence[Card]") -> "tuple[tuple[Card, ...], tuple[str, ...]]":
        """The cards with what was learnt about them, and notes where that is not their own.

        A card takes the measurements of its product; else of its compute capability; a card of
        unknown product takes those of the only product there is.
        """
        from packer.memory.calibration import learnt_process_part

        learnt, notes = list["Card"](), dict[str, None]()
        for card in cards:
            found, note = self._about(card)
            if note:
                notes[note] = None
            part = learnt_process_part(found) if found else None
            learnt.append(replace(card, process=part) if part else card)
        return tuple(learnt), tuple(notes)

    def learnt(self) -> "Iterator[tuple[str, Part, int]]":
        """Product, its process overhead, and the number of measurements behind it."""
        from packer.memory.calibration import learnt_process_part

        by_product: dict[str, list[int]] = {}
        for one in self.measurements:
            by_product.setdefault(one.gpu, []).append(one.overhead_bytes)
        for product, overheads in by_product.items():
            yield product, learnt_process_part(overheads), len(overheads)

    def _about(self, card: "Card") -> tuple[list[int], str]:
        """Overheads that say something about a card, and what to know about them."""
        own = [m.overhead_bytes for m in self.measurements if m.gpu == card.name]
        if own:
            return own, ""
        products = sorted({m.gpu for m in self.measurements})
        if not card.compute_capability and len(products) == 1:
            note = f"the process overhead of {card.name} is that measured on {products[0]}"
            return [m.overhead_bytes for m in self.measurements], note
        alike = [
            measurement
            for measurement in self.measurements
            if measurement.compute_capability == card.compute_capability != ""
        ]
        if alike:
            names = ", ".join(sorted({m.gpu for m in alike}))
            note = f"the process overhead of {card.name} is that measured on {names}"
            return [m.overhead_bytes for m in alike], note
        return [], f"the calibration says nothing about {card.name}"


def calibration_text(calibration: Calibration) -> str:
    """The calibration as a JSON file, one measurement per line."""
    rows = ",\n".join(
        "    "
        + json.dumps(
            {
                "gpu": one.gpu,
                "computeCapability": one.compute_capability,
                "bytes": one.overhead_bytes,
                "from": one.way,
            },
            ensure_ascii=False,
        )
        for one in calibration.measurements
    )
    head = "\n".join(f'  "{key}": "{value}",' for key, value in _HEAD.items())
    return f'{{\n{head}\n  "process": [\n{rows}\n  ]\n}}\n'


def read_calibration(path: str | Path) -> Calibration:
    """The calibration in a file; ``-`` is standard input.

    Raises:
        InvalidInput: P0498, it is none; with everything that is wrong.
    """
    from packer.files.text import read_text
    from packer.spec.json_text import InvalidJson, parse_json

    try:
        document = parse_json(read_text(path))
    except InvalidJson as error:
        raise InvalidInput(_no_calibration(path, str(error))) from error
    problems = [_no_calibration(path, why) for why in _faults(document)]
    if problems:
        raise InvalidInput(problems)
    rows = document["process"]
    return Calibration(
        tuple(
            Measurement(row["gpu"], row["computeCapability"], row["bytes"], row["from"])
            for row in rows
        )
    )


def _no_calibration(path: str | Path, why: str) -> Problem:
    help_ = "write it with gpu-packer calibrate --out"
    return Problem("P0498", "the file is no calibration", Location(str(path)), why, help_)


def _faults(document: Any) -> list[str]:
    """Why a document is no calibration; empty if it is one."""
    if not isinstance(document, dict):
        return ["it is not a mapping"]
    faults = [
        f"{key} must be {value}" for key, value in _HEAD.items() if document.get(key) != value
    ]
    unknown = sorted(set(document) - {*_HEAD, "process"})
    faults += [f"nothing reads {key}" for key in unknown]
    rows = document.get("process")
    if not isinstance(rows, list) or not 0 < len(rows) <= _MOST_MEASUREMENTS:
        return [*faults, f"process must be a list of 1 to {_MOST_MEASUREMENTS} measurements"]
    return faults + [
        f"process[{index}]: {fault}" for index, row in enumerate(rows) if (fault := _row_fault(row))
    ]


def _row_fault(row: Any) -> str:
    """What is wrong with one measurement; empty if nothing is."""
    if not isinstance(row, dict) or set(row) != _KEYS:
        return f"it must have the keys {', '.join(sorted(_KEYS))} and no others"
    if not isinstance(row["gpu"], str) or not 0 < len(row["gpu"]) <= 200:
        return "gpu must be the name of a product"
    capability = row["computeCapability"]
    if not isinstance(capability, str) or not re.fullmatch(r"(\d{1,2}\.\d{1,2})?", capability):
        return "computeCapability must be such as 8.9, or empty"
    size = row["bytes"]
    if not isinstance(size, int) or isinstance(size, bool) or not 0 < size <= _MOST_BYTES:
        return f"bytes must be a whole number from 1 to {_MOST_BYTES}"
    return "" if row["from"] in _WAYS else f"from must be one of {', '.join(_WAYS)}"
