"""An estimate as JSON values: keys always present, zero where nothing, bytes as integers."""

from collections.abc import Sequence
from typing import Any

from packer.errors import InvalidInput, Unreachable
from packer.memory.result import DeviceEstimate, HostEstimate, MemoryEstimate
from packer.performance.estimate import SpeedEstimate
from packer.report.estimate_speed import speed_document

DEVICE_PARTS = (
    "weights",
    "context",
    "compute",
    "draft_weights",
    "draft_context",
    "draft_compute",
    "projector",
    "process",
)
"""Parts of a card's total, in the order they are shown."""
HOST_PARTS = (
    "weights",
    "context",
    "compute",
    "output",
    "draft_weights",
    "draft_context",
    "draft_compute",
    "prompt_cache",
    "checkpoint",
    "process",
)
"""Parts of the host's total, in the order they are shown."""


def estimate_document(
    estimate: MemoryEstimate,
    speed: SpeedEstimate | None = None,
    speed_notes: Sequence[str] = (),
) -> dict[str, Any]:
    """The object ``gpu-packer estimate -o json`` prints.

    Args:
        estimate: Memory of the process.
        speed: Its speed; None prints zeros.
        speed_notes: What a reader must know about it, or why it is not known.
    """
    return {
        "devices": [_device(device) for device in estimate.devices],
        "host": _host(estimate.host),
        "layers": list(estimate.layers),
        "n_ctx": estimate.context_cells,
        "n_ctx_seq": estimate.context_cells_per_slot,
        "n_slots": estimate.slots,
        "flash_attention": estimate.flash_attention,
        "fits": estimate.fits,
        "build": estimate.build,
        "notes": list(estimate.notes),
        "speed": speed_document(speed, speed_notes),
    }


def _device(device: DeviceEstimate) -> dict[str, Any]:
    return {
        "name": device.name,
        **{f"{part}_bytes": getattr(device, f"{part}_bytes") for part in DEVICE_PARTS},
        "total_bytes": device.total_bytes,
        "low_bytes": device.low_bytes,
        "high_bytes": device.high_bytes,
        "allocatable_bytes": device.allocatable_bytes,
        "basis": {part: device.basis[part].value for part in DEVICE_PARTS},
    }


def _host(host: HostEstimate) -> dict[str, Any]:
    parts = {f"{part}_bytes": getattr(host, f"{part}_bytes") for part in HOST_PARTS}
    return {**parts, "total_bytes": host.total_bytes}


def error_document(error: Exception) -> dict[str, Any]:
    """The object a batch prints for a line without an answer.

    ``code`` is the first problem's number, ``unreachable`` for a file host that does not answer, or
    ``internal`` for a fault of ours.
    """
    if isinstance(error, InvalidInput) and error.problems:
        words = (_words(problem.title, problem.why) for problem in error.problems)
        return _error(error.problems[0].code, "; ".join(words))
    if isinstance(error, Unreachable):
        return _error("unreachable", str(error))
    return _error("internal", f"{type(error).__name__}: {error}")


def _error(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


def _words(title: str, why: str) -> str:
    return f"{title}: {why}" if why else title
