"""What a process takes on a card outside of every llama.cpp buffer: CUDA context, modules, pools.

No source of llama.cpp tells these bytes; they are what logs of real cards leave unaccounted. Few
such logs exist, so the upper end is half as much again as the largest one seen, and a generation
without any keeps the gigabyte that llama.cpp's own ``--fit-target`` leaves.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from packer.domain.basis import Basis
from packer.memory.part import Part
from packer.memory.result import Card
from packer.units import MIB

MEASURED_UBATCH = 512
"""Physical batch the logs were made with [tokens]."""


@dataclass(frozen=True)
class MeasuredOverhead:
    """What logs of one generation leave unaccounted at exit, nothing else on the card [MiB]."""

    lowest_mib: int
    highest_mib: int
    source: str


MEASURED: Mapping[str, MeasuredOverhead] = {
    "8.9": MeasuredOverhead(451, 456, "two logs of RTX 4090, headless Linux, 2026"),
    "12.0": MeasuredOverhead(705, 753, "two logs of RTX PRO 6000 Blackwell, Linux, 2026"),
}
"""By CUDA compute capability, because the kernels that are loaded differ by it."""

_SMALLEST_SEEN_MIB = 330
_FIT_TARGET_MIB = 1024
"""Smallest published context, and llama.cpp b11434's margin per card (common/common.h)."""

# The pool of the CUDA backend grows with the physical batch: quantized copies of activations and
# f16 conversions of a wide feed-forward layer. Source: b11434, ggml/src/ggml-cuda/ggml-cuda.cu.
_POOL_MIB, _LARGEST_POOL_MIB = 40, 160


def process_overhead(card: Card, ubatch_size: int = MEASURED_UBATCH) -> Part:
    """Bytes of CUDA context, modules, cuBLAS workspace and pools of one process on one card.

    Calibrated where logs of the card's generation exist or the user measured it, else estimated.

    Args:
        card: The card; ``card.process`` is what the user's own measurements say.
        ubatch_size: Physical batch of the server [tokens].

    Source:
        Unaccounted bytes in llama.cpp's memory breakdown, see ``MEASURED``.
    """
    if card.process is not None:
        return card.process
    more = max(0, ubatch_size - MEASURED_UBATCH) / MEASURED_UBATCH
    pool, largest_pool = round(_POOL_MIB * more) * MIB, round(_LARGEST_POOL_MIB * more) * MIB
    known = MEASURED.get(card.compute_capability)
    if known is None:
        typical = (_SMALLEST_SEEN_MIB + _FIT_TARGET_MIB) // 2 * MIB
        low, high = _SMALLEST_SEEN_MIB * MIB, _FIT_TARGET_MIB * MIB
        return Part(typical + pool, low, high + largest_pool, Basis.ESTIMATED)
    typical = (known.lowest_mib + known.highest_mib) // 2 * MIB
    high = known.highest_mib * 3 // 2 * MIB
    return Part(typical + pool, known.lowest_mib * MIB, high + largest_pool, Basis.CALIBRATED)


def host_process_overhead(card_count: int) -> int:
    """Bytes of host memory a llama-server takes beside its buffers. Estimate on the safe side.

    Source: half a gigabyte to a gigabyte seen by users; a CUDA context adds host memory of its own.
    """
    return 512 * MIB + 256 * MIB * min(card_count, 1)
