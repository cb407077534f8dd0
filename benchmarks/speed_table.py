"""How far the speed model is from published llama.cpp speeds; exit 1 where a bar is missed.

    python -m benchmarks.speed_table

Rows are tests/data/performance/rows.csv.gz: quality A, B and S, never C. Decode is judged card by
card: constants are fitted to all other cards, the card's rows predicted, the median taken per card
and then over the cards with at least five rows. docs/performance-model.md explains every line.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks import speed_checks as checks
from benchmarks.speed_rows import SpeedRow, speed_rows

_EVERYTHING = 10.0


@dataclass(frozen=True)
class Line:
    """One line of the table; a bar of 1,000 % is none."""

    name: str
    found: checks.Spread
    median_bar: float = _EVERYTHING
    p90_bar: float = _EVERYTHING

    @property
    def is_met(self) -> bool:
        """Whether both bars are kept."""
        return self.found.median <= self.median_bar and self.found.p90 <= self.p90_bar


def main() -> int:
    """Print the table and the cards behind it."""
    rows = speed_rows()
    decode = checks.left_out_decode(checks.single_rows(rows))
    lines = [*decode_lines(decode), *slots_lines(rows), *calibrated_lines(rows)]
    print(f"{'':58}{'median':>8}{'bar':>7}{'P90':>9}{'bar':>7}{'count':>7}")
    for line in lines:
        verdict = "" if line.is_met else "  MISSED"
        print(
            f"{line.name:58}{line.found.median:8.1%}{_bar(line.median_bar):>7}"
            f"{line.found.p90:9.1%}{_bar(line.p90_bar):>7}{line.found.count:7}{verdict}"
        )
    print("\nmedian error of each left-out card (rows); those with fewer than five do not count")
    for name, is_moe in (("dense", False), ("MoE", True)):
        cards = checks.card_medians([error for error in decode if error.row.is_moe is is_moe])
        told = (f"{gpu} {value:.0%} ({count})" for gpu, (value, count) in cards.items())
        print(f"{name}: {', '.join(told)}")
    return 0 if all(line.is_met for line in lines) else 1


def decode_lines(errors: list[checks.Error]) -> Iterator[Line]:
    """Leave-one-GPU-out decode, CUDA cards apart."""
    for name, is_moe, bars in (("dense", False, (0.08, 0.20)), ("MoE", True, (0.15, 0.40))):
        kind = [error for error in errors if error.row.is_moe is is_moe]
        cuda = [error for error in kind if error.row.is_cuda]
        yield Line(f"{name} decode, GPU left out, CUDA cards", checks.spread_of_cards(cuda), *bars)
        yield Line(f"{name} decode, GPU left out, all cards", checks.spread_of_cards(kind))
        yield Line(f"{name} decode, GPU left out, CUDA rows", checks.spread(cuda))
        yield Line(f"{name} decode, GPU left out, all rows", checks.spread(kind))


def slots_lines(rows: tuple[SpeedRow, ...]) -> Iterator[Line]:
    """Gain from slots, before and after five rows of the pair were measured."""
    batch = [row for row in rows if row.kind == "batch"]
    calibrated = checks.spread(checks.by_slots(batch, is_calibrated=True))
    default = checks.spread(checks.by_slots(batch, is_calibrated=False))
    yield Line("gain from slots, (GPU, model) calibrated", calibrated, 0.08)
    yield Line("gain from slots, not calibrated", default, 0.25)


def calibrated_lines(rows: tuple[SpeedRow, ...]) -> Iterator[Line]:
    """Decode and prompts after two rows of (GPU, model)."""
    prompts = checks.prompt_rows(rows)
    decode = checks.after_two_rows(checks.single_rows(rows))
    yield Line("decode after two rows of (GPU, model)", checks.spread(decode), 0.04)
    yield Line(
        "prefill after two rows of (GPU, model)",
        checks.spread(checks.after_two_rows(prompts)),
        0.10,
    )
    offloaded = [row for row in rows if row.kind == "decode" and row.is_offloaded]
    yield Line(
        "decode with CPU layers, after two rows", checks.spread(checks.after_two_rows(offloaded))
    )


def _bar(value: float) -> str:
    return "" if value == _EVERYTHING else f"{value:.0%}"


if __name__ == "__main__":
    sys.exit(main())
