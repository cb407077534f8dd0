"""What runs now, as far as a new plan must know it: from a saved plan, or read from a cluster."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from packer.plan.plan import Placement


@dataclass(frozen=True)
class RunningPlacement:
    """One replica that runs.

    Attributes:
        model: Origin of the header its bytes were computed from. cache_type: Of K.
        gpus: Card indices on its node, in CUDA order. layers_per_gpu: Likewise.
        command_sha256: Hash of its command line.
    """

    workload: str
    replica: int
    model: str
    quantization: str
    cache_type: str
    node: str
    gpus: tuple[int, ...]
    layers_per_gpu: tuple[int, ...]
    command_sha256: str

    @property
    def name(self) -> str:
        """Workload and number, such as ``chat-0``."""
        return f"{self.workload}-{self.replica}"


@dataclass(frozen=True)
class RunningFleet:
    """Everything that runs of one fleet.

    Attributes:
        name: Of the fleet.
        notes: What a reader must know, such as servers that do not answer.
    """

    name: str
    placements: tuple[RunningPlacement, ...]
    notes: tuple[str, ...] = ()


Running = Placement | RunningPlacement


def running_placements(placements: Iterable[Running]) -> tuple[RunningPlacement, ...]:
    """Placements as what runs once they are carried out."""
    return tuple(
        one if isinstance(one, RunningPlacement) else running_placement(one) for one in placements
    )


def running_placement(one: Placement) -> RunningPlacement:
    """One placement as what runs once it is carried out."""
    return RunningPlacement(
        workload=one.workload,
        replica=one.replica,
        model=one.variant.model,
        quantization=one.variant.quantization,
        cache_type=one.variant.cache_type_k,
        node=one.node,
        gpus=one.gpus,
        layers_per_gpu=one.variant.layers_per_gpu,
        command_sha256=command_sha256(one.argv),
    )


def command_sha256(argv: Sequence[str]) -> str:
    """Hash that tells one command line from another."""
    return sha256(json.dumps([*argv]).encode()).hexdigest()
