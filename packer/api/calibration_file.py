"""Measurements of the user's own cards in a JSON file: written, and read without trust."""

import json
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from packer.api.measurements import (
    DECODE,
    FROM_LOG,
    FROM_NVIDIA_SMI,
    PREFILL,
    Calibration,
    Measurement,
    SpeedMeasurement,
)
from packer.errors import InvalidInput, Location, Problem

_HEAD = {"apiVersion": "gpu-packer/v1", "kind": "Calibration"}
_PROCESS, _SPEED = "process", "speed"
_PROCESS_KEYS = ("gpu", "computeCapability", "bytes", "from")
_SPEED_TEXTS = ("gpu", "model", "name", "build", "quantity", "fitted", "from")
_SPEED_SECONDS = ("measuredSeconds", "restSeconds", "depthSeconds")
_SPEED_KEYS = (*_SPEED_TEXTS, "depth", "slots", *_SPEED_SECONDS)
_WAYS = (FROM_NVIDIA_SMI, FROM_LOG)
_MOST_MEASUREMENTS = 10_000
_MOST_BYTES = 2**40
_MOST_SECONDS = 1e7
_MOST_TOKENS, _MOST_SLOTS = 2**31, 4096


def calibration_text(calibration: Calibration) -> str:
    """The calibration as a JSON file, one measurement per line."""
    lists = {
        _PROCESS: [_process_row(one) for one in calibration.measurements],
        _SPEED: [_speed_row(one) for one in calibration.speeds],
    }
    head = [f'  "{key}": "{value}"' for key, value in _HEAD.items()]
    body = [f'  "{key}": [\n{_lines(rows)}\n  ]' for key, rows in lists.items() if rows]
    return "{\n" + ",\n".join([*head, *body]) + "\n}\n"


def _lines(rows: Iterable[dict[str, Any]]) -> str:
    return ",\n".join("    " + json.dumps(row, ensure_ascii=False) for row in rows)


def _process_row(one: Measurement) -> dict[str, Any]:
    return {
        "gpu": one.gpu,
        "computeCapability": one.compute_capability,
        "bytes": one.overhead_bytes,
        "from": one.way,
    }


def _speed_row(one: SpeedMeasurement) -> dict[str, Any]:
    return {
        "gpu": one.gpu,
        "model": one.model,
        "name": one.name,
        "build": one.build,
        "quantity": one.quantity,
        "depth": one.depth,
        "slots": one.slots,
        "measuredSeconds": one.measured_seconds,
        "restSeconds": one.rest_seconds,
        "depthSeconds": one.depth_seconds,
        "fitted": one.fitted,
        "from": one.way,
    }


def read_calibration(path: str | Path) -> Calibration:
    """The calibration in a file; ``-`` is standard input.

    Raises:
        InvalidInput: P0498, it is none; with everything that is wrong.
    """
    from packer.files.text import read_text

    return parse_calibration(read_text(path), path)


def parse_calibration(text: str, path: str | Path) -> Calibration:
    """The calibration in a text.

    Raises:
        InvalidInput: P0498, it is none; with everything that is wrong.
    """
    from packer.spec.json_text import InvalidJson, parse_json

    try:
        document = parse_json(text)
    except InvalidJson as error:
        raise InvalidInput(_no_calibration(path, str(error))) from error
    problems = [_no_calibration(path, why) for why in _faults(document)]
    if problems:
        raise InvalidInput(problems)
    return Calibration(
        tuple(
            Measurement(row["gpu"], row["computeCapability"], row["bytes"], row["from"])
            for row in document.get(_PROCESS, [])
        ),
        tuple(_speed(row) for row in document.get(_SPEED, [])),
    )


def _speed(row: dict[str, Any]) -> SpeedMeasurement:
    texts = {key: row[key] for key in ("gpu", "model", "name", "build", "quantity", "fitted")}
    return SpeedMeasurement(
        **texts,
        depth=row["depth"],
        slots=row["slots"],
        measured_seconds=float(row["measuredSeconds"]),
        rest_seconds=float(row["restSeconds"]),
        depth_seconds=float(row["depthSeconds"]),
        way=row["from"],
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
    unknown = sorted(set(document) - {*_HEAD, _PROCESS, _SPEED})
    faults += [f"nothing reads {key}" for key in unknown]
    if not {_PROCESS, _SPEED} & set(document):
        faults.append(f"there must be a list called {_PROCESS} or {_SPEED}")
    for name, row_fault in ((_PROCESS, _process_fault), (_SPEED, _speed_fault)):
        faults += _list_faults(document, name, row_fault)
    return faults


def _list_faults(document: dict[str, Any], name: str, row_fault: Any) -> Iterator[str]:
    """What is wrong with one list of measurements, if it is there."""
    rows = document.get(name)
    if name not in document:
        return
    if not isinstance(rows, list) or not 0 < len(rows) <= _MOST_MEASUREMENTS:
        yield f"{name} must be a list of 1 to {_MOST_MEASUREMENTS} measurements"
        return
    for index, row in enumerate(rows):
        fault = row_fault(row)
        if fault:
            yield f"{name}[{index}]: {fault}"


def _process_fault(row: Any) -> str:
    """What is wrong with one measured process; empty if nothing is."""
    if not _has_keys(row, _PROCESS_KEYS):
        return _keys_wanted(_PROCESS_KEYS)
    if not _is_text(row["gpu"]):
        return "gpu must be the name of a product"
    capability = row["computeCapability"]
    if not isinstance(capability, str) or not re.fullmatch(r"(\d{1,2}\.\d{1,2})?", capability):
        return "computeCapability must be such as 8.9, or empty"
    if not _is_count(row["bytes"], 1, _MOST_BYTES):
        return f"bytes must be a whole number from 1 to {_MOST_BYTES}"
    return "" if row["from"] in _WAYS else f"from must be one of {', '.join(_WAYS)}"


def _speed_fault(row: Any) -> str:
    """What is wrong with one measured speed; empty if nothing is."""
    if not _has_keys(row, _SPEED_KEYS):
        return _keys_wanted(_SPEED_KEYS)
    if not all(_is_text(row[key]) for key in _SPEED_TEXTS):
        return f"{', '.join(_SPEED_TEXTS)} must be texts"
    if row["quantity"] not in (DECODE, PREFILL):
        return f"quantity must be {DECODE} or {PREFILL}"
    if not _is_count(row["depth"], 0, _MOST_TOKENS) or not _is_count(row["slots"], 1, _MOST_SLOTS):
        return "depth and slots must be whole numbers, slots from 1"
    if not all(_is_seconds(row[key]) for key in _SPEED_SECONDS) or row["depthSeconds"] < 0:
        return f"{', '.join(_SPEED_SECONDS)} must be seconds"
    if not min(row["measuredSeconds"], row["restSeconds"]) > 0:
        return "measuredSeconds and restSeconds must be above zero"
    return ""


def _has_keys(row: Any, keys: tuple[str, ...]) -> bool:
    return isinstance(row, dict) and set(row) == set(keys)


def _keys_wanted(keys: tuple[str, ...]) -> str:
    return f"it must have the keys {', '.join(sorted(keys))} and no others"


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 200


def _is_count(value: Any, smallest: int, largest: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and smallest <= value <= largest


def _is_seconds(value: Any) -> bool:
    is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
    return is_number and abs(value) <= _MOST_SECONDS
