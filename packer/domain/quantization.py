"""Element types of tensors and caches, and what a row of them takes in bytes."""

from dataclasses import dataclass


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
        return elements // self.block_elements * self.block_bytes
