"""Fitted constants of the speed model, and which of them hold for one GPU."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from packer.domain.gpu import GpuProduct
from packer.performance.figure import SpeedBasis
from packer.performance.model_reads import LayerReads, WeightKind
from packer.performance.processor import Processor, processor_of

# Generations nobody measured take the constants of the chips they are built on.
_BUILT_ON = {
    "Blackwell Ultra": "Blackwell",
    "Grace-Blackwell": "Blackwell",
    "Grace-Hopper": "Hopper",
}


@dataclass(frozen=True)
class CardConstants:
    """Constants of the speed model for one GPU.

    Attributes:
        launch_seconds: One kernel beyond the bytes it moves [s].
        bytes_per_second: Bandwidth that weights reach, on average over kinds [bytes/s].
        unpacked_weights_per_second: Weights all multiprocessors can unpack; infinite where that
            never was the limit [1/s].
        cache_bytes_per_second: Bandwidth that keys and values reach with flash attention [bytes/s].
        plain_cache_bytes_per_second: The same without flash attention [bytes/s].
        flops_per_second: Arithmetic of long prompts [1/s].
        decode_basis, prefill_basis: Whether rows of this GPU were fitted.
    """

    launch_seconds: float
    bytes_per_second: float
    unpacked_weights_per_second: float
    cache_bytes_per_second: float
    plain_cache_bytes_per_second: float
    flops_per_second: float
    decode_basis: SpeedBasis
    prefill_basis: SpeedBasis


@dataclass(frozen=True)
class SpeedConstants:
    """All fitted constants, as `benchmarks/fit_speed.py` writes them."""

    text: Mapping[str, Any]

    def number(self, name: str) -> float:
        """One constant of all GPUs."""
        return float(self.text["all"][name])

    def launches(self, layer: LayerReads) -> float:
        """Kernels of a layer, in units of one matrix product."""
        units = self.text["launches"]
        return sum(count * float(units[kind.value]) for kind, count in layer.launches.items())

    def costly_bytes(self, weights: Mapping[WeightKind, int]) -> float:
        """Bytes weighed by how slowly their kind is read [bytes]."""
        costs = self.text["weights"]
        return sum(count * float(costs[kind.value]) for kind, count in weights.items())

    def band(self, quantity: str, basis: SpeedBasis, kind: str) -> tuple[float, float]:
        """Ratios of the band's ends to the estimate, from the errors of left-out GPUs."""
        low, high = self.text["bands"][quantity][basis.value][kind]
        return float(low), float(high)

    def factor(self, gpu: GpuProduct, name: str) -> float:
        """Product of what the vendor, memory, generation and card add to one constant."""
        processor = processor_of(gpu)
        generation = _BUILT_ON.get(gpu.generation, gpu.generation)
        value = 1.0
        for group, key in (
            ("vendor", gpu.vendor),
            ("memory", processor.memory),
            ("generation", generation),
            ("card", gpu.name),
        ):
            value *= float(self.text[group].get(key, {}).get(name, 1.0))
        return value

    def basis(self, gpu: GpuProduct, name: str) -> SpeedBasis:
        """Whether one constant was fitted to rows of this GPU."""
        is_fitted = name in self.text["card"].get(gpu.name, {})
        return SpeedBasis.CALIBRATED if is_fitted else SpeedBasis.DEFAULT


@cache
def speed_constants() -> SpeedConstants:
    """The constants that come with the package."""
    text = files("packer.performance").joinpath("data/speed_constants.json").read_text("utf-8")
    return SpeedConstants(json.loads(text))


@cache
def card_constants(gpu: GpuProduct) -> CardConstants:
    """Constants of the speed model for one GPU product.

    Source: data/speed_constants.json, which says when and from which rows it was fitted.
    """
    constants, processor = speed_constants(), processor_of(gpu)
    bandwidth = gpu.bandwidth_bytes_per_second
    kv = constants.factor(gpu, "cache")
    return CardConstants(
        launch_seconds=_launch_seconds(constants, gpu, processor),
        bytes_per_second=bandwidth
        * constants.number("efficiency")
        * constants.factor(gpu, "efficiency"),
        unpacked_weights_per_second=_unpacked(constants, gpu, processor),
        cache_bytes_per_second=bandwidth * kv * constants.number("cache_efficiency"),
        plain_cache_bytes_per_second=bandwidth * kv * constants.number("plain_cache_efficiency"),
        flops_per_second=processor.cycles_per_second
        * constants.number("flops_per_cycle")
        * constants.factor(gpu, "flops"),
        decode_basis=constants.basis(gpu, "efficiency"),
        prefill_basis=constants.basis(gpu, "flops"),
    )


def _launch_seconds(constants: SpeedConstants, gpu: GpuProduct, processor: Processor) -> float:
    return constants.number("launch_cycles") / processor.clock_hz * constants.factor(gpu, "launch")


def _unpacked(constants: SpeedConstants, gpu: GpuProduct, processor: Processor) -> float:
    """Weights all multiprocessors can unpack; fitted for NVIDIA's alone [1/s]."""
    if gpu.vendor != "NVIDIA":
        return float("inf")
    per_cycle = constants.number("weights_per_cycle") * constants.factor(gpu, "unpack")
    return processor.cycles_per_second * per_cycle
