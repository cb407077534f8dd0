"""What a model file holds: shapes, tensor types with their bytes, parameters."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from packer.domain.model import MetadataValue, ModelFile
from packer.domain.quantization import ElementType


@dataclass(frozen=True)
class TypeShare:
    """All tensors of one element type.

    Attributes:
        tensors: How many there are.
        elements: Their elements together.
        data_bytes: Their bytes together, without padding [bytes].
    """

    type: ElementType
    tensors: int
    elements: int
    data_bytes: int


@dataclass(frozen=True)
class Inspection:
    """A model file in figures, all exact for the header that was read.

    Attributes:
        parameters: Elements of all tensors.
        bits_per_weight: Bits of tensor data per element.
        types: Largest share of bytes first.
        shapes: Hyper-parameters under the architecture's own keys, without its name in front.
        largest_tensor: Name and bytes of the largest one.
    """

    name: str
    architecture: str
    file_bytes: int
    tensor_bytes: int
    parameters: int
    bits_per_weight: float
    vocabulary_size: int
    context_length: int | None
    types: tuple[TypeShare, ...]
    shapes: Mapping[str, MetadataValue]
    largest_tensor: tuple[str, int]


def inspect_model(model: ModelFile) -> Inspection:
    """The figures of one model file."""
    tensor_bytes = sum(tensor.data_bytes for tensor in model.tensors)
    prefix = f"{model.architecture}."
    largest = max(model.tensors, key=lambda tensor: tensor.data_bytes)
    context_length = model.metadata.get(f"{prefix}context_length")
    return Inspection(
        name=model.name,
        architecture=model.architecture,
        file_bytes=model.file_bytes,
        tensor_bytes=tensor_bytes,
        parameters=model.parameter_count,
        bits_per_weight=8 * tensor_bytes / model.parameter_count,
        vocabulary_size=model.vocabulary_size,
        context_length=context_length if isinstance(context_length, int) else None,
        types=_type_shares(model),
        shapes={
            key.removeprefix(prefix): value
            for key, value in sorted(model.metadata.items())
            if key.startswith(prefix)
        },
        largest_tensor=(largest.name, largest.data_bytes),
    )


def _type_shares(model: ModelFile) -> tuple[TypeShare, ...]:
    counts: Counter[ElementType] = Counter()
    elements: Counter[ElementType] = Counter()
    for tensor in model.tensors:
        counts[tensor.type] += 1
        elements[tensor.type] += tensor.element_count
    shares = [
        TypeShare(kind, counts[kind], elements[kind], kind.row_bytes(elements[kind]))
        for kind in counts
    ]
    return tuple(sorted(shares, key=lambda share: -share.data_bytes))
