"""Graph of one model: weights, inputs, norms and the feed-forward network."""

from collections.abc import Mapping

from packer.domain.model import ModelFile, Tensor
from packer.memory.architecture_rules import Output
from packer.memory.compute_cuda import can_run
from packer.memory.compute_graphs.context import Batch, GraphContext
from packer.memory.compute_graphs.operations import GraphOperations
from packer.memory.compute_tensor import F32, I32, I64, GraphTensor
from packer.memory.hyperparameters import HyperParameters
from packer.memory.identity_cache import derived_once

_SMALL_BATCH = 32
_NO_LAYER = -1
_ALWAYS_FOUR_AXES = frozenset({"qwen35", "qwen35moe"})
# Architectures whose networks, and whose experts, may be quantized with a scale per matrix.
_SCALED_NETWORKS = frozenset(
    {
        "bitnet", "cohere2", "cohere2moe", "deepseek32", "gemma4", "glm-dsa", "hy_v3", "llama",
        "mistral3", "nemotron_h", "nemotron_h_moe", "qwen3", "qwen35",
    }
)  # fmt: skip
_SCALED_EXPERTS = frozenset(
    {
        "cohere2moe", "deepseek32", "gemma4", "glm-dsa", "hy_v3", "llama", "mellum", "mistral3",
        "nemotron_h", "nemotron_h_moe", "qwen35moe", "qwen3moe", "qwen3next",
    }
)  # fmt: skip
_MAYBE_FOUR_AXES = frozenset({"glm4", "glm4moe"})


def _name(layer: int, stem: str, suffix: str) -> str:
    return f"blk.{layer}.{stem}.{suffix}" if suffix else f"blk.{layer}.{stem}"


@derived_once
def tensors_by_name(model: ModelFile) -> Mapping[str, Tensor]:
    """Tensors of a file by their name."""
    return {tensor.name: tensor for tensor in model.tensors}


@derived_once
def position_axes(model: ModelFile) -> int:
    """Numbers that place one token: four with multi-dimensional rotation, else one.

    Source: llama.cpp b11434, src/llama-model.cpp, llama_model_rope_type().
    """
    if model.architecture in _ALWAYS_FOUR_AXES:
        return 4
    sections = model.metadata.get(f"{model.architecture}.rope.dimension_sections", ())
    is_split = isinstance(sections, tuple) and len(sections) > 1 and all(sections[:2])
    return 4 if model.architecture in _MAYBE_FOUR_AXES and is_split else 1


@derived_once
def widest_value(sizes: HyperParameters) -> int:
    """Elements of one cell's values in the widest block, ``n_embd_v_gqa_max``."""
    return max(head * kv for head, kv in zip(sizes.head_v, sizes.kv_heads, strict=True))


class ModelGraph(GraphOperations):
    """A graph under construction for one model, context and batch.

    Source for the whole class: llama.cpp b11434, src/llama-graph.cpp, llm_graph_context.
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
        self._positions: GraphTensor | None = None
        self._output_rows: GraphTensor | None = None
        self.embeddings: GraphTensor | None = None
        self.block_ends: list[GraphTensor] = []
        self.fused_attention: list[tuple[int, GraphTensor]] = []

    # Metadata and weights ---------------------------------------------------------------------

    def number(self, key: str, default: float = 0) -> float:
        """A number of the model's metadata; the default if it is absent or not a number."""
        value = self.model.metadata.get(f"{self.model.architecture}.{key}", default)
        return value if isinstance(value, (int, float)) else default

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
        """A tensor of a block that must be there."""
        found = self.weight(layer, stem, suffix)
        if found is None:
            raise KeyError(_name(layer, stem, suffix))
        return found

    def named(self, name: str, layer: int = _NO_LAYER) -> GraphTensor | None:
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
        """Frequencies of a block's positions, if the file has some."""
        factors = self.named("rope_factors_short.weight", layer)
        return factors if factors is not None else self.named("rope_freqs.weight", layer)

    def linear(
        self, layer: int, stem: str, operand: GraphTensor, *, has_bias: bool = True
    ) -> GraphTensor:
        """Product with a block's matrix, with its scale and its bias if it has some."""
        result = self.mul_mat(self.need(layer, stem), operand)
        scale = self.scale_of(layer, stem)
        if scale is not None:
            result = self.mul(result, scale)
        bias = self.weight(layer, stem, "bias") if has_bias else None
        return result if bias is None else self.add(result, bias)

    def scale_of(self, layer: int, stem: str) -> GraphTensor | None:
        """Scale of a whole matrix or of each expert, where the architecture applies it."""
        if stem.endswith("exps"):
            scales = self.model.architecture in _SCALED_EXPERTS
        elif stem.startswith("ffn_"):
            scales = self.model.architecture in _SCALED_NETWORKS
        else:
            scales = True
        return self.weight(layer, stem, "scale") if scales else None

    # Inputs -----------------------------------------------------------------------------------

    @property
    def positions(self) -> GraphTensor:
        """Positions of the tokens."""
        if self._positions is None:
            self._positions = self.input(I32, self.batch.tokens * position_axes(self.model))
        return self._positions

    @property
    def output_rows(self) -> GraphTensor:
        """Numbers of the tokens whose output is wanted."""
        if self._output_rows is None:
            self._output_rows = self.input(I32, self.batch.outputs)
        return self._output_rows

    def embed(self, *, scales_tokens: bool = False) -> GraphTensor:
        """Embeddings of the batch, with the branches for given and for mixed embeddings.

        Args:
            scales_tokens: Whether each token row is multiplied by a factor of its own.
        """
        table = self.named("token_embd.weight")
        if table is None:
            raise KeyError("token_embd.weight")
        tokens, width = self.batch.tokens, self.sizes.embedding
        looked_up = self.get_rows(table, self.input(I32, tokens))
        self.expand(looked_up)
        self.expand(self.input(F32, width, tokens))
        if not self.context.is_nextn:
            mixed = self.get_rows(table, self.input(I32, tokens))
            rows, given = self.input(I64, tokens), self.input(F32, width, tokens)
            self.expand(self.set_rows(self.same("dup", given), mixed, rows))
        result = looked_up
        if self.number("embedding_scale") and not self.number("deepstack_layers"):
            result = self.scale(result)
        if scales_tokens:
            result = self.mul(result, self.input(F32, 1, tokens))
        self.expand(result)
        return result

    # Layers -----------------------------------------------------------------------------------

    def norm(
        self,
        operand: GraphTensor,
        layer: int,
        stem: str,
        *,
        kind: str = "rms_norm",
        pins: bool = True,
    ) -> GraphTensor:
        """Norm with its weight and bias, held on its layer's device where llama.cpp does so."""
        if layer == _NO_LAYER:
            weight, bias = self.named(f"{stem}.weight"), self.named(f"{stem}.bias")
        else:
            weight, bias = self.weight(layer, stem), self.weight(layer, stem, "bias")
        result = self.same(kind, operand)
        if layer != _NO_LAYER and pins and (weight is not None or bias is not None):
            self.pin(result, layer)
        if weight is not None:
            result = self.mul(result, weight)
        return result if bias is None else self.add(result, bias)

    def pin(self, tensor: GraphTensor, layer: int) -> None:
        """Force an operation on its layer's device.

        Source: llama.cpp b11434, src/llama-context.cpp, graph_get_cb().
        """
        context = self.context
        if self.batch.tokens >= _SMALL_BATCH and not context.is_fully_offloaded:
            return
        backend = context.layers[layer]
        if backend == context.host or can_run(tensor, backend, context.host):
            tensor.pin = backend

    def feed_forward(
        self,
        operand: GraphTensor,
        layer: int,
        *,
        activation: str = "silu",
        suffix: str = "",
        has_bias: bool = True,
    ) -> GraphTensor:
        """Feed-forward network: gated by its own matrix, by the halves of one, or not at all.

        Args:
            operand: Normed activations.
            layer: Block.
            activation: ``silu``, ``gelu``, ``relu_sqr``, or ``swiglu`` for halves of one matrix.
            suffix: ``_shexp`` for a shared expert.
            has_bias: Whether biases of the file are added.
        """
        up = self.linear(layer, f"ffn_up{suffix}", operand, has_bias=has_bias)
        if activation == "swiglu":
            hidden = self.gated("swiglu", up)
        elif self.has(layer, f"ffn_gate{suffix}"):
            gate = self.linear(layer, f"ffn_gate{suffix}", operand, has_bias=has_bias)
            hidden = self.gated("geglu" if activation == "gelu" else "swiglu", gate, up)
        elif activation == "relu_sqr":
            hidden = self.same("sqr", self.unary("relu", up))
        else:
            hidden = self.unary(activation, up)
        return self.linear(layer, f"ffn_down{suffix}", hidden, has_bias=has_bias)

    def end_block(self, result: GraphTensor) -> GraphTensor:
        """Remember a block's result: there the allocator's picture is compared."""
        self.block_ends.append(result)
        return result

    def take_outputs(self, *tensors: GraphTensor) -> tuple[GraphTensor, ...]:
        """The rows of each tensor whose output is wanted."""
        return tuple(self.get_rows(tensor, self.output_rows) for tensor in tensors)

    # Results ----------------------------------------------------------------------------------

    def keep(self, tensor: GraphTensor) -> GraphTensor:
        """Mark a tensor as a result that leaves the graph."""
        tensor.is_output = True
        return tensor

    def head(
        self, operand: GraphTensor, *, kind: str = "rms_norm", norm: str = "output_norm"
    ) -> GraphTensor:
        """Logits from the last block's result; the normed result leaves the graph too."""
        normed = self.keep(self.norm(operand, _NO_LAYER, norm, kind=kind))
        self.embeddings = normed
        logits = self.mul_mat(self.output_matrix, normed)
        bias = self.named("output.bias", self.sizes.block_count)
        return logits if bias is None else self.add(logits, bias)

    def head_of_all_rows(self, operand: GraphTensor, *, projects: bool = False) -> GraphTensor:
        """Logits of the wanted rows, where the normed result of every token leaves the graph.

        Args:
            operand: Result of the last block.
            projects: Whether a file's classifier takes the place of the embedding.
        """
        normed = self.keep(self.norm(operand, _NO_LAYER, "output_norm"))
        wanted = self.get_rows(normed, self.output_rows)
        classifier = self.named("cls.output.weight") if projects else None
        if classifier is None:
            self.embeddings = self.keep(wanted)
        else:
            bias = self.named("cls.output.bias")
            classes = self.mul_mat(classifier, wanted)
            self.embeddings = self.keep(classes if bias is None else self.add(classes, bias))
            self.expand(self.embeddings)
        return self.mul_mat(self.output_matrix, wanted)

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

    def finish(self, result: GraphTensor) -> None:
        """Mark a tensor as the graph's result and add it."""
        self.expand(self.keep(result))
