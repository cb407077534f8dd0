"""How many multiprocessors a GPU has and how fast they run: facts the speed model needs."""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from packer.domain.gpu import GpuProduct

# Bytes of bandwidth per multiprocessor and cycle of products nobody described: the middle of those
# that are. Between the extremes (2.3 and 13.5) their predicted speed differs by a factor of two.
_USUAL_BYTES_PER_CYCLE = 5.0
_USUAL_CLOCK_HZ = 2.4e9


@dataclass(frozen=True)
class Processor:
    """Compute side of one GPU.

    Attributes:
        multiprocessors: SMs (NVIDIA), compute units (AMD) or Xe cores (Intel).
        clock_hz: Boost clock of the specification [Hz].
        memory: ``gddr``, ``gddr-ecc`` (error correction on as delivered), ``hbm`` or ``unified``.
        is_known: Whether the figures are those of this product.
    """

    multiprocessors: int
    clock_hz: float
    memory: str
    is_known: bool = True

    @property
    def cycles_per_second(self) -> float:
        """Cycles of all multiprocessors together [1/s]."""
        return self.multiprocessors * self.clock_hz


def processor_of(gpu: GpuProduct) -> Processor:
    """Compute side of a product; one of usual proportions if the product is not listed.

    Source: data/processors.csv, vendors' specifications (2026-11-22).
    """
    known = _processors().get(gpu.name)
    if known is not None:
        return known
    per_multiprocessor = _USUAL_BYTES_PER_CYCLE * _USUAL_CLOCK_HZ
    count = max(1, round(gpu.bandwidth_bytes_per_second / per_multiprocessor))
    return Processor(count, _USUAL_CLOCK_HZ, "gddr", is_known=False)


@cache
def _processors() -> dict[str, Processor]:
    text = files("packer.performance").joinpath("data/processors.csv").read_text("utf-8")
    return {
        row["name"]: Processor(
            int(row["multiprocessors"]), int(row["boost_mhz"]) * 1e6, row["memory"]
        )
        for row in csv.DictReader(text.splitlines())
    }
