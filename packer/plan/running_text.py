"""What a server runs, as a short text that its objects carry: written when a plan is rendered."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from packer.plan.plan import Placement
from packer.plan.running import RunningPlacement, running_placement

_TEXTS = ("workload", "model", "quantization", "cacheType", "node", "commandSha256")
_COUNTS = ("gpus", "layersPerGpu")
_KEYS = frozenset((*_TEXTS, *_COUNTS, "replica", "uuids"))
_LONGEST = 100_000


@dataclass(frozen=True)
class CarriedPlacement:
    """One replica as its objects tell it.

    Attributes:
        uuids: Of its cards, in the order of ``gpus``; empty where the plan did not name them.
    """

    running: RunningPlacement
    uuids: tuple[str, ...]


def running_text(placements: Iterable[Placement], uuids: Mapping[tuple[str, int], str]) -> str:
    """The text of one server's replicas.

    Args:
        placements: What it serves.
        uuids: Node and card → UUID, of cards that are named.
    """
    return json.dumps([_row(one, uuids) for one in placements], separators=(",", ":"))


def _row(placement: Placement, uuids: Mapping[tuple[str, int], str]) -> dict[str, Any]:
    one = running_placement(placement)
    named = [uuids[one.node, gpu] for gpu in one.gpus if uuids.get((one.node, gpu))]
    return {
        "workload": one.workload,
        "replica": one.replica,
        "model": one.model,
        "quantization": one.quantization,
        "cacheType": one.cache_type,
        "node": one.node,
        "gpus": one.gpus,
        "layersPerGpu": one.layers_per_gpu,
        "commandSha256": one.command_sha256,
        "uuids": named,
    }


def read_running_text(text: str) -> tuple[CarriedPlacement, ...]:
    """What such a text says.

    Raises:
        ValueError: It is none.
    """
    rows = json.loads(text) if len(text) <= _LONGEST else None
    if not isinstance(rows, list) or not rows or not all(map(_is_row, rows)):
        raise ValueError("it is no list of placed replicas")
    return tuple(_placement(row) for row in rows)


def _placement(row: Mapping[str, Any]) -> CarriedPlacement:
    running = RunningPlacement(
        workload=row["workload"],
        replica=row["replica"],
        model=row["model"],
        quantization=row["quantization"],
        cache_type=row["cacheType"],
        node=row["node"],
        gpus=tuple(row["gpus"]),
        layers_per_gpu=tuple(row["layersPerGpu"]),
        command_sha256=row["commandSha256"],
    )
    return CarriedPlacement(running, tuple(row["uuids"]))


def _is_row(row: object) -> bool:
    return (
        isinstance(row, dict)
        and set(row) == _KEYS
        and all(isinstance(row[key], str) and row[key] for key in _TEXTS)
        and all(_are_counts(row[key]) for key in _COUNTS)
        and _are_counts([row["replica"]])
        and isinstance(row["uuids"], list)
        and all(isinstance(uuid, str) for uuid in row["uuids"])
        and len(row["gpus"]) == len(row["layersPerGpu"]) == len(set(row["gpus"])) > 0
        and len(row["uuids"]) in (0, len(row["gpus"]))
    )


def _are_counts(values: object) -> bool:
    if not isinstance(values, Sequence) or isinstance(values, str):
        return False
    return all(isinstance(v, int) and not isinstance(v, bool) and 0 <= v < 2**31 for v in values)
