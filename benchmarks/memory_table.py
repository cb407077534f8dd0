"""How far our bytes are from llama.cpp's own allocator; exits 1 when a promise is broken.

    python -m benchmarks.memory_table [--write docs/memory-model.md]

Every row of tests/data/memory is a literal command line with the bytes the real allocator reserved.
The table is printed, and with --write kept between two markers of a document.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from packer.domain.model import ModelFile
from tests.memory_truth import (
    Row,
    catalogue_model,
    differences,
    estimate,
    exact,
    measured_model,
    rows,
    tiny_model,
)

BEGIN, END = "<!-- memory-table:begin -->", "<!-- memory-table:end -->"
# llama.cpp loads experts in a Refact file, but its graph has no place for them.
NOT_A_MODEL = "refact-moe.gguf"
_PARTIAL = (" -ngl ", " -ncmoe ", " -cmoe", " -ot ", " -nkvo", " -ncffn ")


@dataclass(frozen=True)
class Compared:
    """One row beside our estimate; card bytes are sums over all cards, drafts included."""

    row: Row
    is_exact: bool
    compute: int
    compute_truth: int
    total: int
    total_truth: int

    @property
    def is_partial(self) -> bool:
        """Whether some of the model was told to stay on the host."""
        return any(flag in self.row["cmd"] for flag in _PARTIAL)

    @property
    def is_plain(self) -> bool:
        """One card, flash attention, everything offloaded, asked through llama-server."""
        one = bool(self.row["gpus_mib"]) and "," not in self.row["gpus_mib"]
        server = self.row["cmd"].startswith("llama-server")
        return one and server and self.row["fa"] and not self.is_partial

    @property
    def error(self) -> float:
        """Signed error of the card total, ratio to the truth."""
        return self.total / self.total_truth - 1 if self.total_truth else 0.0

    @property
    def compute_error(self) -> float:
        """Signed error of the compute buffers, ratio to the truth."""
        return self.compute / self.compute_truth - 1 if self.compute_truth else 0.0


@dataclass(frozen=True)
class Promise:
    """One figure that must hold."""

    text: str
    value: float
    limit: float
    is_floor: bool = False

    @property
    def holds(self) -> bool:
        """Whether the figure is on the right side of its limit."""
        return self.value >= self.limit if self.is_floor else self.value <= self.limit


def compare(row: Row, open_model: Callable[[str], ModelFile]) -> Compared:
    """One row beside our estimate of its command line."""
    found = estimate(row, open_model)
    ours = [device.compute_bytes + device.draft_compute_bytes for device in found.devices]
    rest = [device.total_bytes - device.process_bytes for device in found.devices]
    buffers = [
        sizes
        for part in ("target", "draft")
        for name, sizes in row.get(part, {}).items()
        if name.startswith("CUDA") and name != "CUDA_Host"
    ]
    return Compared(
        row=row,
        is_exact=not differences(row, exact(row, open_model)),
        compute=sum(ours),
        compute_truth=sum(sizes[2] for sizes in buffers),
        total=sum(rest),
        total_truth=sum(map(sum, buffers)),
    )


def promises(measured: Sequence[Compared]) -> list[Promise]:
    """What the project promises about the measured rows."""
    plain = [c for c in measured if c.is_plain]
    carded = [c for c in measured if c.total_truth]
    full = [c for c in carded if not c.is_partial]
    partial = [c for c in carded if c.is_partial]
    close = sum(abs(c.compute_error) <= 0.01 for c in plain) / len(plain)
    return [
        Promise("rows with exact weights and context", _share_exact(measured), 1.0, True),
        Promise("plain rows with compute within 1 %", close, 0.95, True),
        Promise("mean error of the card total", _mean(carded), 0.003),
        Promise("deepest under-estimate, full offload", _deepest(full), 0.005),
        Promise("mean error, partial offload", _mean(partial), 0.03),
        Promise("deepest under-estimate, partial offload", _deepest(partial), 0.02),
    ]


def table(groups: Iterable[tuple[str, Sequence[Compared]]]) -> list[str]:
    """Errors by group as Markdown rows."""
    lines = [
        "| rows | count | weights and context exact | compute: mean, worst | total: mean, worst |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, group in groups:
        if not group:
            continue
        compute = [c.compute_error for c in group if c.compute_truth]
        total = [c.error for c in group if c.total_truth]
        exact = sum(c.is_exact for c in group)
        lines.append(f"| {name} | {len(group)} | {exact} | {_spread(compute)} | {_spread(total)} |")
    return lines


def _spread(errors: Sequence[float]) -> str:
    if not errors:
        return "–"
    mean = sum(map(abs, errors)) / len(errors)
    return f"{mean:.2%}, {max(errors, key=abs):+.2%}"


def _mean(compared: Sequence[Compared]) -> float:
    return sum(abs(c.error) for c in compared) / len(compared)


def _deepest(compared: Sequence[Compared]) -> float:
    return max(0.0, -min(c.error for c in compared))


def _share_exact(compared: Sequence[Compared]) -> float:
    return sum(c.is_exact for c in compared) / len(compared)


def _groups(
    measured: Sequence[Compared], catalogue: Sequence[Compared], tiny: Sequence[Compared]
) -> list[tuple[str, list[Compared]]]:
    def of(model: str) -> list[Compared]:
        return [c for c in measured if c.row["model"] == model]

    models = sorted({c.row["model"] for c in measured})
    return [
        ("all measured", list(measured)),
        ("one card, all offloaded, flash attention", [c for c in measured if c.is_plain]),
        ("full offload", [c for c in measured if c.total_truth and not c.is_partial]),
        ("partial offload", [c for c in measured if c.total_truth and c.is_partial]),
        *((model, of(model)) for model in models),
        ("catalogue: 98 models, 32 architectures", list(catalogue)),
        ("catalogue, one card, all offloaded", [c for c in catalogue if c.is_plain]),
        ("tiny models of all other architectures", [c for c in tiny if not _grows(c)]),
        ("a tiny MiniMax M3, counted full beside an empty start", [c for c in tiny if _grows(c)]),
    ]


def _grows(compared: Compared) -> bool:
    """Whether compute buffers are reserved anew as slots fill; the rows show the start."""
    return "minimax-m3" in compared.row["cmd"]


def _kept(document: Path, lines: Sequence[str]) -> None:
    """Put the table between the markers of a document."""
    text = document.read_text()
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    document.write_text("\n".join([head.rstrip("\n"), "", BEGIN, *lines, END]) + tail)


def main() -> int:
    """Print the table; 1 when a promise is broken."""
    parser = argparse.ArgumentParser(description="errors of the memory model, by group")
    parser.add_argument("--write", type=Path, help="document that keeps the table")
    given = parser.parse_args()
    measured = [compare(row, measured_model) for row in rows("truth")]
    catalogue = [compare(row, catalogue_model) for row in rows("truth_catalogue")]
    tiny = [
        compare(row, tiny_model)
        for row in rows("truth_architectures")
        if NOT_A_MODEL not in row["cmd"]
    ]
    kept = ["| promise | figure | limit | |", "|---|---:|---:|---|"]
    checked = promises(measured)
    for promise in checked:
        verdict = "holds" if promise.holds else "**broken**"
        sign = "≥" if promise.is_floor else "≤"
        kept.append(
            f"| {promise.text} | {promise.value:.2%} | {sign} {promise.limit:.1%} | {verdict} |"
        )
    kept += ["", *table(_groups(measured, catalogue, tiny))]
    print("\n".join(kept))
    if given.write:
        _kept(given.write, kept)
    return 0 if all(promise.holds for promise in checked) else 1


if __name__ == "__main__":
    sys.exit(main())
