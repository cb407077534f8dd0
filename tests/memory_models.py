"""Model headers made up for tests of the memory floor: a few layers, round numbers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from packer.domain.model import MetadataValue, ModelFile, Tensor
from packer.domain.quantization import ELEMENT_TYPES_BY_NAME
from packer.memory.hyperparameters import HyperParameters, read_hyperparameters
from packer.memory.result import Card
from packer.units import GIB

Keys = Mapping[str, MetadataValue]

F16, F32 = ELEMENT_TYPES_BY_NAME["f16"], ELEMENT_TYPES_BY_NAME["f32"]


@dataclass
class MadeUp:
    """A transformer of ``layers`` blocks; ``keys`` are added to or replace its metadata."""

    architecture: str = "llama"
    layers: int = 4
    width: int = 256
    heads: int = 4
    kv_heads: int = 2
    vocabulary: int = 1000
    matrix: str = "f16"
    is_tied: bool = False
    keys: Keys = field(default_factory=dict)
    more: tuple[Tensor, ...] = ()

    def file(self) -> ModelFile:
        """Header of the model."""
        metadata: dict[str, MetadataValue] = {
            "general.architecture": self.architecture,
            **{f"{self.architecture}.{key}": value for key, value in self._keys().items()},
        }
        return ModelFile(
            name="made up",
            architecture=self.architecture,
            metadata=metadata,
            tensors=(*self._tensors(), *self.more),
            file_bytes=0,
            vocabulary_size=self.vocabulary,
            origin="made-up.gguf",
        )

    def sizes(self) -> HyperParameters:
        """Its hyper-parameters."""
        return read_hyperparameters(self.file())

    def _keys(self) -> dict[str, MetadataValue]:
        return {
            "block_count": self.layers,
            "context_length": 32768,
            "embedding_length": self.width,
            "feed_forward_length": 2 * self.width,
            "attention.head_count": self.heads,
            "attention.head_count_kv": self.kv_heads,
            **self.keys,
        }

    def _tensors(self) -> Iterable[Tensor]:
        kind = ELEMENT_TYPES_BY_NAME[self.matrix]
        yield Tensor("token_embd.weight", (self.width, self.vocabulary), kind)
        yield Tensor("output_norm.weight", (self.width,), F32)
        if not self.is_tied:
            yield Tensor("output.weight", (self.width, self.vocabulary), kind)
        for block in range(self.layers):
            for name, shape in self._block().items():
                is_norm = len(shape) == 1
                yield Tensor(f"blk.{block}.{name}.weight", shape, F32 if is_norm else kind)

    def _block(self) -> dict[str, tuple[int, ...]]:
        """Tensors of one block of a gated transformer."""
        width, inner, head = self.width, 2 * self.width, self.width // self.heads
        norms = {
            "qwen3": {"attn_q_norm": (head,), "attn_k_norm": (head,)},
            "gemma3": {
                "attn_q_norm": (head,),
                "attn_k_norm": (head,),
                "post_attention_norm": (width,),
                "post_ffw_norm": (width,),
            },
        }
        return {
            "attn_norm": (width,),
            "attn_q": (width, width),
            "attn_k": (width, self.kv_heads * head),
            "attn_v": (width, self.kv_heads * head),
            "attn_output": (width, width),
            "ffn_norm": (width,),
            "ffn_gate": (width, inner),
            "ffn_up": (width, inner),
            "ffn_down": (inner, width),
            **norms.get(self.architecture, {}),
        }


def cards(count: int, gib: int = 24) -> tuple[Card, ...]:
    """Equal cards."""
    return tuple(Card(f"card {index}", gib * GIB) for index in range(count))
