"""MIG slices as cards of their own: the real memory of each profile, which is below its name's.

A slice is used like a small card, except that one process can use only one of them.
"""

import csv
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from functools import cache
from importlib.resources import files

from packer.domain.basis import Basis
from packer.domain.gpu import GpuProduct
from packer.units import MIB

_SOURCE = (
    "memory: the least that `nvidia-smi mig -lgip` was seen to list for the profile, drivers 470 "
    "to 580, 2026-11; bandwidth: the card's times the slice's eighths of its memory"
)
_EIGHTHS = 8


def mig_slices(cards: Iterable[GpuProduct]) -> tuple[GpuProduct, ...]:
    """Every known slice of some cards. The memory is a lower estimate.

    Named for card and profile, such as ``A100 SXM 80GB 3g.40gb``; the label is the one GPU feature
    discovery writes. ``1g.10gb`` of an 80 GB A100 has 9.5 GiB: the driver keeps a part per slice.
    """
    by_name = {card.name: card for card in cards}
    return tuple(
        _slice(by_name[row["card"]], row["profile"], row["memory_gib"], row["memory_eighths"])
        for row in _rows()
        if row["card"] in by_name
    )


@cache
def _rows() -> tuple[dict[str, str], ...]:
    text = files("packer.catalogue").joinpath("data/mig_slices.csv").read_text("utf-8")
    return tuple(csv.DictReader(text.splitlines()))


def _slice(card: GpuProduct, profile: str, memory_gib: str, eighths: str) -> GpuProduct:
    memory_bytes = int(Decimal(memory_gib) * 1024) * MIB
    return replace(
        card,
        name=f"{card.name} {profile}",
        label=f"{card.label}-MIG-{profile}",
        aliases=(),
        allocatable_bytes=memory_bytes,
        allocatable_basis=Basis.ESTIMATED,
        nominal_bytes=memory_bytes,
        bandwidth_bytes_per_second=card.bandwidth_bytes_per_second * int(eighths) // _EIGHTHS,
        source=_SOURCE,
    )
