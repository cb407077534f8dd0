"""Element types of tensors and caches, and what a row of them takes in bytes."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class ElementType:
    """One ggml type: ``block_elements`` elements take ``block_bytes`` bytes."""

    name: str
    ggml_id: int
    block_elements: int
    block_bytes: int

    @property
    def is_quantized(self) -> bool:
        """Whether elements are packed in blocks, as ggml_is_quantized() says."""
        return self.block_elements > 1

    def row_bytes(self, elements: int) -> int:
        """Bytes of a row of ``elements``, which must be whole blocks. Exact.

        Source: llama.cpp b11434, ggml/src/ggml.c, ggml_row_size().
        """
        if self.block_elements == 1:
            return elements * self.block_bytes
        return elements // self.block_elements * self.block_bytes


# Names, ids and sizes: llama.cpp b11434, ggml/include/ggml.h (enum ggml_type), ggml/src/ggml.c
# (type_traits) and ggml/src/ggml-common.h (block sizes). Ids that are missing were removed there.
_TYPES = (
    ElementType("f32", 0, 1, 4),
    ElementType("f16", 1, 1, 2),
    ElementType("q4_0", 2, 32, 18),
    ElementType("q4_1", 3, 32, 20),
    ElementType("q5_0", 6, 32, 22),
    ElementType("q5_1", 7, 32, 24),
    ElementType("q8_0", 8, 32, 34),
    ElementType("q8_1", 9, 32, 36),
    ElementType("q2_K", 10, 256, 84),
    ElementType("q3_K", 11, 256, 110),
    ElementType("q4_K", 12, 256, 144),
    ElementType("q5_K", 13, 256, 176),
    ElementType("q6_K", 14, 256, 210),
    ElementType("q8_K", 15, 256, 292),
    ElementType("iq2_xxs", 16, 256, 66),
    ElementType("iq2_xs", 17, 256, 74),
    ElementType("iq3_xxs", 18, 256, 98),
    ElementType("iq1_s", 19, 256, 50),
    ElementType("iq4_nl", 20, 32, 18),
    ElementType("iq3_s", 21, 256, 110),
    ElementType("iq2_s", 22, 256, 82),
    ElementType("iq4_xs", 23, 256, 136),
    ElementType("i8", 24, 1, 1),
    ElementType("i16", 25, 1, 2),
    ElementType("i32", 26, 1, 4),
    ElementType("i64", 27, 1, 8),
    ElementType("f64", 28, 1, 8),
    ElementType("iq1_m", 29, 256, 56),
    ElementType("bf16", 30, 1, 2),
    ElementType("tq1_0", 34, 256, 54),
    ElementType("tq2_0", 35, 256, 66),
    ElementType("mxfp4", 39, 32, 17),
    ElementType("nvfp4", 40, 64, 36),
    ElementType("q1_0", 41, 128, 18),
    ElementType("q2_0", 42, 64, 18),
)

ELEMENT_TYPES: Mapping[int, ElementType] = MappingProxyType({t.ggml_id: t for t in _TYPES})
"""Every tensor type llama.cpp b11434 can read, by ggml id."""

ELEMENT_TYPES_BY_NAME: Mapping[str, ElementType] = MappingProxyType({t.name: t for t in _TYPES})
"""The same by ggml's own name, such as ``q4_K`` or ``f16``; cache types are named likewise."""
