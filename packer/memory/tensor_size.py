"""Bytes one tensor takes in a buffer: alignment, and the padding CUDA adds to quantized rows."""

from packer.domain.quantization import ElementType

CARD_ALIGNMENT = 128
"""CUDA buffers align every tensor to this [bytes]."""

HOST_ALIGNMENT = 32
"""Host buffers align every tensor to this [bytes]."""

_ROW_PADDING = 512


def aligned(size: int, alignment: int) -> int:
    """Size rounded up to a multiple of the alignment [bytes]."""
    return -(-size // alignment) * alignment


def card_bytes(element: ElementType, row: int, elements: int) -> int:
    """Bytes of one tensor in a CUDA buffer. Exact.

    Args:
        element: Element type.
        row: Elements of the first dimension.
        elements: Elements of all dimensions.

    Source:
        llama.cpp b11434, ggml/src/ggml-cuda/ggml-cuda.cu, MATRIX_ROW_PADDING: the last row of a
        quantized tensor is filled up to 512 elements.
    """
    size = element.row_bytes(elements)
    if element.is_quantized and row % _ROW_PADDING:
        size += element.row_bytes(_ROW_PADDING - row % _ROW_PADDING)
    return aligned(size, CARD_ALIGNMENT)


def host_bytes(element: ElementType, elements: int) -> int:
    """Bytes of one tensor in a host buffer. Exact.

    Source: llama.cpp b11434, ggml/src/ggml-backend.cpp, the CPU buffer type.
    """
    return aligned(element.row_bytes(elements), HOST_ALIGNMENT)
