"""A graph that knows its model: metadata by key, weights by name."""

from collections.abc import Callable, Mapping

from packer.domain.model import ModelFile, Tensor
from packer.memory.architecture_rules import Output
from packer.memory.compute_graphs.context import Batch, GraphContext
from packer.memory.compute_graphs.operations import GraphOperations
from packer.memory.compute_graphs.quirks import (
    WITHOUT_ROPE_FACTORS,
    by_layer,
    reads_bias,
    reads_scale,
)
from packer.memory.compute_tensor import GraphTensor
from packer.memory.hyperparameters import HyperParameters
from packer.memory.identity_cache import derived_once

NO_LAYER = -1
"""Block of a weight that belongs to none."""


def _name(layer: int, stem: str, suffix: str) -> str:
    return f"blk.{layer}.{stem}.{suffix}" if suffix else f"blk.{layer}.{stem}"


@derived_once
def tensors_by_name(model: ModelFile) -> Mapping[str, Tensor]:
    """Tensors of a file by their name."""
    return {tensor.name: tensor for tensor in model.tensors}


class GraphWeights(GraphOperations):
    """Operations on the weights of one model.

    Source for the whole class: llama.cpp b11434, src/llama-graph.cpp, build_lora_mm().
    """

    def __init__(
        self, model: ModelFile, sizes: HyperParameters, context: GraphContext, batch: Batch
    ) -> None:
        """An empty graph; weights are looked up in ``model`` by name."""
        super().__init__()
        self.model = model
        self.sizes = sizes
        self.context = context
        self.batch = batch
        self._tensors = tensors_by_name(model)
        self._weights: dict[tuple[str, int], GraphTensor] = {}

    def number(self, key: str, default: float = 0) -> float:
        """A number of the model's metadata; the default if it is absent or not a number."""
        value = self.model.metadata.get(f"{self.model.architecture}.{key}", default)
        return value if isinstance(value, (int, float)) else default

    def of_layer(self, key: str, layer: int) -> float:
        """A number of the model's metadata that may differ from block to block."""
        return by_layer(self.model, key, layer)

    def whole(self, key: str, default: int = 0) -> int:
        """A whole number of the model's metadata."""
        return int(self.number(key, default))

    def has(self, layer: int, stem: str, suffix: str = "weight") -> bool:
        """Whether a block has a tensor."""
        return _name(layer, stem, suffix) in self._tensors

    def weight(self, layer: int, stem: str, suffix: str = "weight") -> GraphTensor | None:
        """A tensor of a block, or None if the file has none of this name."""
        return self.named(_name(layer, stem, suffix), layer)

    def need(self, layer: int, stem: str, suffix: str = "weight") -> GraphTensor:
        """A tensor of a block that must be there.

        Raises:
            KeyError: It is not; its name is the first argument.
        """
        found = self.weight(layer, stem, suffix)
        if found is None:
            raise KeyError(_name(layer, stem, suffix))
        return found

    def named(self, name: str, layer: int = NO_LAYER) -> GraphTensor | None:
        """A weight by its full name; ``layer`` is the block that reads it."""
        tensor = self._tensors.get(name)
        if tensor is None:
            return None
        return self._weight(tensor, self.context.home_of(name, layer))

    def _weight(self, tensor: Tensor, home: int, *, is_shared: bool = True) -> GraphTensor:
        """A leaf for a tensor in one place; ``is_shared``: one copy serves all readers."""
        found = self._weights.get((tensor.name, home)) if is_shared else None
        if found is None:
            shape = (*tensor.shape, 1, 1, 1)
            found = GraphTensor("none", tensor.type, (shape[0], shape[1], shape[2], shape[3]))
            found.home, found.is_weight, found.name = home, True, tensor.name
            self._weights[tensor.name, home] = found
        return found

    def rope_factors(self, layer: int) -> GraphTensor | None:
        """Frequencies of a block's positions, if the file has some and they are used."""
        if self.model.architecture in WITHOUT_ROPE_FACTORS:
            return None
        factors = self.named("rope_factors_short.weight", layer)
        return factors if factors is not None else self.named("rope_freqs.weight", layer)

    def linear(
        self, layer: int, stem: str, operand: GraphTensor, *, has_bias: bool = True
    ) -> GraphTensor:
        """Product with a block's matrix, with its scale and its bias if it has some."""
        weight = self.need(layer, stem)
        result = self.mul_mat(weight, operand)
        scale = self.scale_of(layer, stem)
        if scale is not None:
            result = self.mul(result, scale)
        result = self.adapted(result, weight, operand, self.mul_mat)
        has_bias = has_bias and reads_bias(self.model.architecture, stem)
        bias = self.weight(layer, stem, "bias") if has_bias else None
        return result if bias is None else self.add(result, bias)

    def adapted(
        self,
        result: GraphTensor,
        weight: GraphTensor,
        operand: GraphTensor,
        product: Callable[[GraphTensor, GraphTensor], GraphTensor],
    ) -> GraphTensor:
        """A product with what every adapter of its weight adds to it.

        Args:
            result: The product.
            weight: Weight it was made with.
            operand: Operand it was made with.
            product: How it was made.
        """
        for tensors in self.context.adapters:
            first = tensors.get(f"{weight.name}.lora_a")
            second = tensors.get(f"{weight.name}.lora_b")
            if first is not None and second is not None and weight.home is not None:
                narrow = product(self._weight(first, weight.home), operand)
                wide = product(self._weight(second, weight.home), narrow)
                result = self.add(result, self.scale(wide))
        return result

    def scale_of(self, layer: int, stem: str) -> GraphTensor | None:
        """Scale of a whole matrix or of each expert, where the architecture applies it."""
        is_read = reads_scale(self.model.architecture, stem)
        return self.weight(layer, stem, "scale") if is_read else None

    @property
    def output_matrix(self) -> GraphTensor:
        """Matrix of the output layer, or its copy of the embedding where the file has none."""
        own = self.named("output.weight", self.sizes.block_count)
        if own is not None:
            return own
        is_shared = self.sizes.rules.output is not Output.TIED_FIRST
        embedding = self._tensors["token_embd.weight"]
        home = self.context.home_of(embedding.name, self.sizes.block_count)
        return self._weight(embedding, home, is_shared=is_shared)
