"""What no server exceeds: memory bandwidth over the bytes of one token."""

from collections.abc import Iterable
from dataclasses import dataclass

from packer.domain.gpu import GpuProduct
from packer.domain.model import ModelFile
from packer.performance.model_reads import model_reads


@dataclass(frozen=True)
class PhysicalLimit:
    """Ceiling of one slot of a file on a GPU, with an empty cache and nothing else to do.

    Attributes:
        bytes_per_token: Weights one step must read [bytes].
    """

    gpu: GpuProduct
    bytes_per_token: float

    @property
    def tokens_per_second(self) -> float:
        """Steps per second that the specified bandwidth allows. Exact."""
        return self.gpu.bandwidth_bytes_per_second / self.bytes_per_token

    @property
    def first_token_seconds(self) -> float:
        """No first token comes before every weight was read once [s]. Exact."""
        return 1 / self.tokens_per_second

    def __str__(self) -> str:
        """The division in words."""
        bandwidth = self.gpu.bandwidth_bytes_per_second / 1e9
        return (
            f"{self.gpu.name}: {bandwidth:.0f} GB/s ÷ {self.bytes_per_token / 1e9:.2f} GB per "
            f"token = {self.tokens_per_second:.1f} tokens/s"
        )


def physical_limit(model: ModelFile, gpu: GpuProduct) -> PhysicalLimit:
    """The ceiling of one file on one GPU. Exact: several cards work one after the other."""
    reads = model_reads(model)
    weights = sum(sum(layer.weights.values()) for layer in reads.layers)
    experts = sum(sum(layer.experts.values()) for layer in reads.layers)
    return PhysicalLimit(gpu, weights + experts * reads.share_used)


def highest_limit(models: Iterable[ModelFile], gpus: Iterable[GpuProduct]) -> PhysicalLimit | None:
    """The highest ceiling of any file on any GPU; None without either."""
    products = tuple(gpus)
    limits = [physical_limit(model, gpu) for model in models for gpu in products]
    return max(limits, key=lambda one: one.tokens_per_second, default=None)
