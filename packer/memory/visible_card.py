"""A product of the catalogue as a card that one llama-server sees, with nobody else on it."""

from packer.domain.basis import Basis
from packer.domain.gpu import GpuProduct, MeasuredProcess
from packer.memory.part import Part
from packer.memory.result import Card


def visible_card(gpu: GpuProduct) -> Card:
    """A whole card of a product, with the process overhead the user measured on it, if any."""
    measured = gpu.measured_process
    return Card(
        gpu.name,
        gpu.allocatable_bytes,
        generation=gpu.generation,
        compute_capability=gpu.compute_capability,
        process=_part(measured) if measured else None,
    )


def _part(measured: MeasuredProcess) -> Part:
    return Part(measured.bytes, measured.low_bytes, measured.high_bytes, Basis.CALIBRATED)
