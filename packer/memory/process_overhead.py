"""What a process takes on a card outside of every llama.cpp buffer: CUDA context, modules, pools.

No source of llama.cpp tells these bytes; they are what logs of real cards leave unaccounted. Few
such logs exist of cards that nobody else used, so the upper end is half as much again as the
largest one seen, and a generation without any keeps the gigabyte that llama.cpp's own
``--fit-target`` leaves. Small cards take less: contexts grow with the number of multiprocessors.
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
    "8.9": MeasuredOverhead(
        451, 456, "one process on three RTX 4090, llama.cpp pull request 15860, September 2025"
    ),
    "12.0": MeasuredOverhead(
        703, 753, "two processes on five RTX PRO 6000 Blackwell Max-Q in all, Linux, 2026"
    ),
}
"""By CUDA compute capability, because the kernels that are loaded differ by it."""

_SMALLEST_CONTEXT_MIB, _USUAL_CONTEXT_MIB = 107, 330
"""Contexts alone: of an RTX 4060 Ti (llama.cpp pull request 23604, May 2026), of a 24 GB card."""

_FIT_TARGET_MIB = 1024
"""llama.cpp b11434's margin per card (common/common.h)."""

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
    low = _SMALLEST_CONTEXT_MIB * MIB
    known = MEASURED.get(card.compute_capability)
    if known is None:
        typical, high = (_USUAL_CONTEXT_MIB + _FIT_TARGET_MIB) // 2 * MIB, _FIT_TARGET_MIB * MIB
        return Part(typical + pool, low, high + largest_pool, Basis.ESTIMATED)
    typical = (known.lowest_mib + known.highest_mib) // 2 * MIB
    high = known.highest_mib * 3 // 2 * MIB
    return Part(typical + pool, low, high + largest_pool, Basis.CALIBRATED)


def host_process_overhead(card_count: int) -> int:
    """Bytes of host memory a llama-server takes beside its buffers. Estimate on the safe side.

    Source: half a gigabyte to a gigabyte seen by users; a CUDA context adds host memory of its own.
    """
    return 512 * MIB + 256 * MIB * min(card_count, 1)
