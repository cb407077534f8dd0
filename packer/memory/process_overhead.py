"""What a process takes on a card outside of every llama.cpp buffer: CUDA context and pools.

First version: a conservative constant.
"""

from packer.domain.basis import Basis
from packer.memory.part import Part
from packer.memory.result import Card
from packer.units import MIB


def process_overhead(card: Card) -> Part:
    """Bytes of CUDA context, modules, cuBLAS workspace and pools of one process. Estimated."""
    return Part(600 * MIB, 300 * MIB, 1024 * MIB, Basis.ESTIMATED)


def host_process_overhead(card_count: int) -> int:
    """Bytes of host memory a llama-server takes beside its buffers. Estimated."""
    return 512 * MIB + 256 * MIB * min(card_count, 1)
