"""An estimate for people: one column per card, one for the host, one row per part; the speed."""

from collections.abc import Iterator, Sequence

from packer.domain.basis import Basis
from packer.memory.result import DeviceEstimate, HostEstimate, MemoryEstimate
from packer.performance.estimate import SpeedEstimate
from packer.report.estimate_speed import speed_sentences
from packer.report.text_columns import columns
from packer.units import GIB, format_bytes

_TITLES = {
    "weights": "weights",
    "context": "context (KV, state)",
    "compute": "compute",
    "draft_weights": "draft weights",
    "draft_context": "draft context",
    "draft_compute": "draft compute",
    "projector": "projector",
    "output": "output",
    "prompt_cache": "prompt cache",
    "checkpoint": "checkpoints",
    "process": "process",
}


def estimate_table(
    estimate: MemoryEstimate,
    speed: SpeedEstimate | None = None,
    speed_notes: Sequence[str] = (),
) -> str:
    """Parts in GiB per card and on the host, the sum, its band, whether it fits, and how fast."""
    table = [*_parts(estimate), *_sums(estimate)]
    header = ["GiB", *_names(estimate.devices), "host"]
    right = frozenset(range(1, len(header)))
    # An empty last column: that one is never aligned.
    lines = columns([*header, ""], [[*row, ""] for row in table], 0, right)
    said = [*_sentences(estimate), *speed_sentences(speed), *_notes(estimate, speed_notes)]
    return "\n".join([*lines, "", *said])


def _names(devices: Sequence[DeviceEstimate]) -> list[str]:
    """Names of the cards; several of one product get their place in CUDA order in front."""
    names = [device.name for device in devices]
    if len(set(names)) == len(names):
        return names
    return [f"{index}: {name}" for index, name in enumerate(names)]


def _parts(estimate: MemoryEstimate) -> Iterator[list[str]]:
    for part, title in _TITLES.items():
        cells = [_device_cell(device, part) for device in estimate.devices]
        cells.append(_host_cell(estimate.host, part))
        if any(cell != "–" for cell in cells):
            yield [title, *cells]


def _device_cell(device: DeviceEstimate, part: str) -> str:
    size: int = getattr(device, f"{part}_bytes", 0)
    return _cell(size, device.basis.get(part, Basis.EXACT))


def _host_cell(host: HostEstimate, part: str) -> str:
    size: int = getattr(host, f"{part}_bytes", 0)
    return _cell(size, host.basis.get(part, Basis.EXACT))


def _cell(size: int, basis: Basis) -> str:
    """GiB; ``~`` before what is not exact."""
    if not size:
        return "–"
    return ("" if basis is Basis.EXACT else "~") + _gib(size)


def _gib(size: int) -> str:
    """Two decimals, and never 0.00 for something that is there."""
    return f"{size / GIB:.2f}" if size >= GIB // 200 else "<0.01"


def _sums(estimate: MemoryEstimate) -> Iterator[list[str]]:
    devices = estimate.devices
    yield [
        "total",
        *(_gib(device.total_bytes) for device in devices),
        _gib(estimate.host.total_bytes),
    ]
    if devices:
        yield ["at most", *(_gib(device.high_bytes) for device in devices), ""]
        yield ["allocatable", *(_gib(device.allocatable_bytes) for device in devices), ""]


def _sentences(estimate: MemoryEstimate) -> Iterator[str]:
    attention = "on" if estimate.flash_attention else "off"
    slots = "1 slot" if estimate.slots == 1 else f"{estimate.slots} slots"
    yield (
        f"{slots} of {estimate.context_cells_per_slot} cells ({estimate.context_cells} in all), "
        f"flash attention {attention}, {estimate.build}"
    )
    yield from _verdict(estimate)


def _notes(estimate: MemoryEstimate, speed_notes: Sequence[str]) -> Iterator[str]:
    yield from (f"note: {note}" for note in (*estimate.notes, *speed_notes))
    yield "~ calibrated or estimated; everything else is exact to the byte"


def _verdict(estimate: MemoryEstimate) -> Iterator[str]:
    """Whether it fits, and every card that lacks something."""
    if estimate.fits:
        yield "fits"
        return
    names = _names(estimate.devices)
    lacking = [
        f"does not fit: {name} lacks {format_bytes(device.high_bytes - device.allocatable_bytes)}"
        for name, device in zip(names, estimate.devices, strict=True)
        if device.high_bytes > device.allocatable_bytes
    ]
    total = format_bytes(estimate.host.total_bytes)
    yield from lacking or [f"does not fit: the host's memory, of which {total} are wanted"]
