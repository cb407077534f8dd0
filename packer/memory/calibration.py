"""Process overhead learnt from real servers: what a process holds beyond its buffers.

Pure arithmetic; ``packer/api/calibrating.py`` reads logs and files.
"""

from collections.abc import Sequence
from dataclasses import replace

from packer.domain.basis import Basis
from packer.domain.gpu import MeasuredProcess
from packer.domain.node import Inventory
from packer.errors import InvalidInput, Problem
from packer.memory.part import Part
from packer.units import format_bytes


def measured_overheads(buffer_bytes: Sequence[int], used_bytes: Sequence[int]) -> tuple[int, ...]:
    """Bytes one process holds beyond its buffers on each of some cards of one product. Measured.

    CUDA and nvidia-smi may count equal cards in different orders, so the fullest by the log is
    taken for the fullest by nvidia-smi, and so on: the sum is right whatever the order is.

    Args:
        buffer_bytes: Buffers by the server's log, per card.
        used_bytes: Memory of the process by nvidia-smi, per card.

    Raises:
        InvalidInput: P0497, the two do not belong together.
    """
    if len(buffer_bytes) != len(used_bytes):
        raise _mismatch(
            f"the log names {len(buffer_bytes)} cards of one product, the process is on "
            f"{len(used_bytes)} of them"
        )
    pairs = zip(sorted(buffer_bytes), sorted(used_bytes), strict=True)
    overheads = tuple(used - buffers for buffers, used in pairs)
    if any(overhead <= 0 for overhead in overheads):
        raise _mismatch(
            f"its buffers are {format_bytes(sum(buffer_bytes))}, "
            f"but the process uses {format_bytes(sum(used_bytes))} only"
        )
    return overheads


def learnt_process_part(overheads: Sequence[int]) -> Part:
    """Process overhead on a card after some measurements. Calibrated.

    The figure is their mean. The band goes beyond the smallest and the largest by a share of the
    largest that shrinks with their number, 1 / (2 + 2 n): a pool grows with use, and one
    measurement says nothing of the spread.

    Args:
        overheads: One per measurement, at least one [bytes].
    """
    margin = -(-max(overheads) // (2 + 2 * len(overheads)))
    return Part(
        bytes=-(-sum(overheads) // len(overheads)),
        low=max(0, min(overheads) - margin),
        high=max(overheads) + margin,
        basis=Basis.CALIBRATED,
    )


def with_measured_processes(
    inventory: Inventory, processes: Sequence[MeasuredProcess]
) -> Inventory:
    """The inventory whose products carry what was measured on them."""
    measured = {one.gpu: one for one in processes}
    pools = tuple(
        replace(pool, gpu=replace(pool.gpu, measured_process=measured.get(pool.gpu.name)))
        for pool in inventory.pools
    )
    return replace(inventory, pools=pools)


def _mismatch(why: str) -> InvalidInput:
    return InvalidInput(
        Problem(
            "P0497",
            "log and nvidia-smi do not belong to one running server",
            why=why,
            help="run nvidia-smi while the server of this log is up; --pid names its process",
        )
    )
