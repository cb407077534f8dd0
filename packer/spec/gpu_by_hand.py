"""A card that an inventory describes itself because the catalogue does not know it."""

from packer.domain.basis import Basis
from packer.domain.gpu import GpuProduct
from packer.spec.inventory_schema import GpuByHand
from packer.units import MIB

# CUDA compute capability → chip family, as the catalogue names them.
_FAMILIES = {
    "5": "Maxwell",
    "6": "Pascal",
    "7.0": "Volta",
    "7.2": "Volta",
    "7.5": "Turing",
    "8": "Ampere",
    "8.9": "Ada",
    "9": "Hopper",
    "10": "Blackwell",
    "11": "Blackwell",
    "12": "Blackwell",
}
_MISSING_BYTES = 360 * MIB
_MISSING_PER_MILLE = 8


def product_by_hand(entry: GpuByHand) -> GpuProduct:
    """The product, with what the entry leaves out estimated on the safe side."""
    said = entry.allocatable
    capability = entry.compute_capability
    major = capability.partition(".")[0]
    return GpuProduct(
        name=entry.name,
        vendor="NVIDIA",
        generation=_FAMILIES.get(capability, _FAMILIES.get(major, "")),
        label=entry.label or _label(entry.name),
        allocatable_bytes=allocatable_bytes(entry.memory) if said is None else said,
        allocatable_basis=Basis.ESTIMATED if said is None else Basis.EXACT,
        nominal_bytes=entry.memory,
        bandwidth_bytes_per_second=entry.bandwidth,
        compute_capability=capability,
        is_modelled=True,
        source="inventory file",
    )


def allocatable_bytes(nominal_bytes: int) -> int:
    """What llama.cpp sees as total of a card, from nvidia-smi's total [bytes]. Low estimate.

    360 MiB and 0.8 % are missing: no product of the catalogue whose two figures are known lacks
    more.
    """
    missing = _MISSING_BYTES + -(-nominal_bytes * _MISSING_PER_MILLE // 1000)
    return max(0, nominal_bytes - missing)


def _label(name: str) -> str:
    """Value of the node label of a product, as GPU feature discovery spells it."""
    words = "".join(c if c.isalnum() or c in "._" else " " for c in name).split()
    hyphenated = "-".join(words)
    return hyphenated if hyphenated.startswith("NVIDIA-") else f"NVIDIA-{hyphenated}"
