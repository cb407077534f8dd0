"""A memory estimate as JSON values: keys always present, zero where nothing, bytes as integers."""

from dataclasses import fields
from typing import Any

from packer.errors import GpuPackerError, InvalidInput
from packer.memory.result import DeviceEstimate, HostEstimate, MemoryEstimate


def estimate_document(estimate: MemoryEstimate) -> dict[str, Any]:
    """The object ``gpu-packer estimate -o json`` prints."""
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
    }


def _device(device: DeviceEstimate) -> dict[str, Any]:
    values = {one.name: getattr(device, one.name) for one in fields(device)}
    basis = {part: value.value for part, value in device.basis.items()}
    parts = {name: value for name, value in values.items() if _is_part(name)}
    band = {name: values[name] for name in ("low_bytes", "high_bytes", "allocatable_bytes")}
    return {
        "name": device.name,
        **parts,
        "total_bytes": device.total_bytes,
        **band,
        "basis": basis,
    }


def _is_part(name: str) -> bool:
    return name.endswith("_bytes") and name.split("_")[0] not in ("low", "high", "allocatable")


def _host(host: HostEstimate) -> dict[str, Any]:
    parts = {one.name: getattr(host, one.name) for one in fields(host)}
    return {**parts, "total_bytes": host.total_bytes}


def error_document(error: GpuPackerError) -> dict[str, Any]:
    """The object a batch prints for a line without an answer."""
    if isinstance(error, InvalidInput) and error.problems:
        first = error.problems[0]
        message = "; ".join(_words(problem.title, problem.why) for problem in error.problems)
        return {"error": {"code": first.code, "message": message}}
    return {"error": {"code": type(error).__name__, "message": str(error)}}


def _words(title: str, why: str) -> str:
    return f"{title}: {why}" if why else title
