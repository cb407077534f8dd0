"""A model's FP16 twin: what serving it unquantized would take."""

from dataclasses import replace

from packer.domain.model import ModelFile
from packer.domain.quantization import ELEMENT_TYPES_BY_NAME

_NATIVE_TYPE = "mxfp4"


def as_fp16(model: ModelFile) -> ModelFile:
    """Header of the same model with every quantized tensor as FP16. Exact for a plain conversion.

    MXFP4 tensors stay: models that have them are published in that type, and no FP16 of them is.

    Source: the element counts of the header; a conversion to F16 keeps norms and biases in F32.
    """
    half = ELEMENT_TYPES_BY_NAME["f16"]
    tensors = tuple(
        replace(tensor, type=half)
        if tensor.type.is_quantized and tensor.type.name != _NATIVE_TYPE
        else tensor
        for tensor in model.tensors
    )
    return replace(
        model,
        name=f"{model.name} as FP16",
        tensors=tensors,
        file_bytes=sum(tensor.data_bytes for tensor in tensors),
        origin=f"{model.origin} as FP16",
        size_low=1.0,
        size_high=1.0,
    )
