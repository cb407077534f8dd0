"""A memory estimate for people: one column per card, one for the host, one row per part."""

from collections.abc import Sequence

from packer.memory.result import DeviceEstimate, HostEstimate, MemoryEstimate
from packer.units import format_gib

_PARTS = (
    ("weights", "weights_bytes"),
    ("context (KV, state)", "context_bytes"),
    ("compute", "compute_bytes"),
    ("draft weights", "draft_weights_bytes"),
    ("draft context", "draft_context_bytes"),
    ("draft compute", "draft_compute_bytes"),
    ("projector", "projector_bytes"),
    ("output", "output_bytes"),
    ("prompt cache", "prompt_cache_bytes"),
    ("checkpoints", "checkpoint_bytes"),
    ("process", "process_bytes"),
)


def estimate_table(estimate: MemoryEstimate) -> str:
    """Parts in GiB per card and on the host, the sum, its band, and whether it fits."""
    holders: list[DeviceEstimate | HostEstimate] = [*estimate.devices, estimate.host]
    header = ["GiB", *(device.name for device in estimate.devices), "host"]
    rows = [header]
    for title, name in _PARTS:
        values = [getattr(holder, name, 0) for holder in holders]
        if any(values):
            marks = [
                _mark(holder, title) if value else ""
                for holder, value in zip(holders, values, strict=True)
            ]
            cells = [
                f"{mark}{value / 2**30:.2f}" if value else "–"
                for mark, value in zip(marks, values, strict=True)
            ]
            rows.append([title, *cells])
    rows.append(["total", *(f"{holder.total_bytes / 2**30:.2f}" for holder in holders)])
    rows.append(["at most", *(f"{d.high_bytes / 2**30:.2f}" for d in estimate.devices), ""])
    rows.append(
        ["allocatable", *(f"{d.allocatable_bytes / 2**30:.2f}" for d in estimate.devices), ""]
    )
    return "\n".join([*_aligned(rows), "", *_sentences(estimate)])


def _mark(holder: DeviceEstimate | HostEstimate, title: str) -> str:
    """``~`` before what is not exact."""
    if isinstance(holder, HostEstimate):
        return "~" if title == "process" else ""
    part = title.split(" (")[0].replace(" ", "_")
    return "" if holder.basis.get(part, "exact") == "exact" else "~"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _sentences(estimate: MemoryEstimate) -> list[str]:
    attention = "on" if estimate.flash_attention else "off"
    lines = [
        f"{estimate.slots} slots of {estimate.context_cells_per_slot} cells "
        f"({estimate.context_cells} in all), flash attention {attention}, {estimate.build}"
    ]
    if estimate.fits:
        lines.append("fits")
    for device in estimate.devices:
        over = device.high_bytes - device.allocatable_bytes
        if over > 0:
            lines.append(f"does not fit: {device.name} lacks {format_gib(over)} GiB")
    if not estimate.fits and lines[-1].startswith(str(estimate.slots)):
        lines.append("does not fit: the host's memory")
    lines += [f"note: {note}" for note in estimate.notes]
    lines.append("~ calibrated or estimated; everything else is exact to the byte")
    return lines
