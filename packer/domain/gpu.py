"""GPU products: what a card is, and how much of it a llama-server can allocate."""

import re
from dataclasses import dataclass

from packer.domain.basis import Basis


@dataclass(frozen=True)
class MeasuredProcess:
    """What one llama-server takes of a card beyond its buffers, measured on the user's own.

    Attributes:
        gpu: Product it is applied to.
        measured_on: Products it was measured on.
        bytes: Mean [bytes]. low_bytes, high_bytes: the band around it.
        measurements: How many it rests on.
    """

    gpu: str
    measured_on: tuple[str, ...]
    bytes: int
    low_bytes: int
    high_bytes: int
    measurements: int


_SLICE_LABEL = re.compile(r"(?P<card>.+)-MIG-(?P<profile>[1-9]g\.[1-9][0-9]{0,2}gb(?:\.me)?)")


@dataclass(frozen=True)
class MigSlice:
    """What a product label says of a MIG slice.

    Attributes:
        card_label: Label of the card it is cut from.
        profile: Such as ``3g.40gb``, or ``1g.10gb.me`` with media engines.
    """

    card_label: str
    profile: str


def mig_slice(label: str) -> MigSlice | None:
    """The slice a product label names, such as ``NVIDIA-A30-MIG-1g.6gb``; None for a whole card.

    Source:
        GPU feature discovery, resource labels of MIG devices: product, ``-MIG-``, profile.
    """
    match = _SLICE_LABEL.fullmatch(label)
    return MigSlice(match["card"], match["profile"]) if match else None


@dataclass(frozen=True)
class GpuProduct:
    """Facts of one GPU product.

    Attributes:
        name: Our name, such as ``L40S`` or ``A100 SXM 80GB``; unique in the catalogue.
        vendor: ``NVIDIA``, ``AMD`` or ``Intel``.
        generation: Chip family, such as ``Ada``; process overhead is learnt per generation.
        label: Value of the ``nvidia.com/gpu.product`` label and DRA ``productName`` with hyphens.
        allocatable_bytes: What llama.cpp sees as total on Linux with nothing else running [bytes].
        allocatable_basis: ``exact`` from a log, ``estimated`` from a datasheet.
        nominal_bytes: What nvidia-smi calls the total [bytes].
        bandwidth_bytes_per_second: Specified memory bandwidth [bytes/s].
        compute_capability: CUDA compute capability such as ``8.9``; empty for other vendors.
        is_modelled: Whether the memory model covers this backend (CUDA); others are listed only.
        source: Where the figures come from.
        aliases: Further names people use.
        not_modelled: What the memory model lacks where ``is_modelled`` is false; empty otherwise.
        measured_process: Process overhead the user measured; None takes the generation's.
    """

    name: str
    vendor: str
    generation: str
    label: str
    allocatable_bytes: int
    allocatable_basis: Basis
    nominal_bytes: int
    bandwidth_bytes_per_second: int
    compute_capability: str
    is_modelled: bool
    source: str
    aliases: tuple[str, ...] = ()
    not_modelled: str = ""
    measured_process: MeasuredProcess | None = None

    @property
    def is_slice(self) -> bool:
        """Whether this is a MIG slice, of which one process can use only one."""
        return mig_slice(self.label) is not None
