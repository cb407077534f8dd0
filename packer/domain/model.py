"""One model file as its header describes it: architecture, hyper-parameters, tensors."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from packer.domain.basis import Basis
from packer.domain.quantization import ElementType

MetadataValue = int | float | bool | str | tuple[int | float | bool | str, ...]


@dataclass(frozen=True)
class Tensor:
    """One tensor of a GGUF file; ``shape`` is ggml's ne, fastest dimension first."""

    name: str
    shape: tuple[int, ...]
    type: ElementType

    @property
    def element_count(self) -> int:
        """Elements of all dimensions."""
        count = 1
        for extent in self.shape:
            count *= extent
        return count

    @property
    def data_bytes(self) -> int:
        """Bytes of the data, without padding. Exact. Source: ggml.c, ggml_nbytes()."""
        return self.type.row_bytes(self.element_count)


@dataclass(frozen=True)
class ModelFile:
    """Header of one GGUF model (all its split files together).

    Attributes:
        name: What people call it: catalogue id with quantization, or the file name.
        architecture: ``general.architecture``, such as ``qwen3moe``.
        metadata: All keys but the vocabulary; arrays are tuples.
        tensors: In file order.
        file_bytes: Size of all files together [bytes].
        vocabulary_size: Tokens in the vocabulary.
        origin: Where the header came from: a path, a URL or ``catalogue:<id>:<quantization>``.
        basis: ``exact`` when the served file was read, ``estimated`` from the catalogue.
        size_low, size_high: Band of weights in published files of this name, ratio to ours;
            1.0 and 1.0 for a header that was read.
        data_offset: Where tensor data begins in the (first) file.
        tensor_offsets: Start of each tensor in the data section of its file [bytes].
        tensor_parts: Index of the split file each tensor is in; empty for a single file.
    """

    name: str
    architecture: str
    metadata: Mapping[str, MetadataValue]
    tensors: tuple[Tensor, ...]
    file_bytes: int
    vocabulary_size: int
    origin: str
    basis: Basis = Basis.EXACT
    size_low: float = 1.0
    size_high: float = 1.0
    data_offset: int = 0
    tensor_offsets: tuple[int, ...] = field(default=(), repr=False)
    tensor_parts: tuple[int, ...] = field(default=(), repr=False)

    def number(self, key: str, default: int | None = None) -> int:
        """Whole number under ``<architecture>.<key>``; KeyError if absent without default."""
        value = self.metadata.get(f"{self.architecture}.{key}", default)
        if not isinstance(value, int) or isinstance(value, bool):
            raise KeyError(f"{self.architecture}.{key}")
        return value

    @property
    def context_length(self) -> int:
        """Longest context the model was trained for [tokens]."""
        return self.number("context_length")

    @property
    def parameter_count(self) -> int:
        """Elements of all tensors."""
        return sum(tensor.element_count for tensor in self.tensors)

    @cached_property
    def fingerprint(self) -> str:
        """Parameters and bytes of all tensors, as llama-bench prints them: one model, one type."""
        return model_fingerprint(self.parameter_count, sum(t.data_bytes for t in self.tensors))


def model_fingerprint(parameters: int, tensor_bytes: int) -> str:
    """What tells two model files apart without their names."""
    return f"{parameters} parameters in {tensor_bytes} bytes"
