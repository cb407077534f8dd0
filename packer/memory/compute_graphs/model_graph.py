"""Graph of one model: norms, the feed-forward network, and what comes out."""

from packer.domain.model import ModelFile
from packer.memory.compute_graphs.context import Batch, GraphContext
from packer.memory.compute_graphs.graph_inputs import GraphInputs
from packer.memory.compute_graphs.graph_weights import NO_LAYER
from packer.memory.compute_graphs.quirks import (
    LIMITED,
    LIMITED_AT_ONCE,
    UNBIASED_LOGITS,
)
from packer.memory.compute_tensor import GraphTensor
from packer.memory.hyperparameters import HyperParameters

_SMALL_BATCH = 32


class ModelGraph(GraphInputs):
    """A graph under construction for one model, context and batch.

    Source for the whole class: llama.cpp b11434, src/llama-graph.cpp, llm_graph_context.
    """

    def __init__(
        self, model: ModelFile, sizes: HyperParameters, context: GraphContext, batch: Batch
    ) -> None:
        """An empty graph; weights are looked up in ``model`` by name."""
        super().__init__(model, sizes, context, batch)
        self.embeddings: GraphTensor | None = None
        self.block_ends: list[GraphTensor] = []
        self.fused_attention: list[tuple[int, GraphTensor]] = []

    # Layers -----------------------------------------------------------------------------------

    def norm_embeddings(self, operand: GraphTensor, kind: str) -> GraphTensor:
        """Norm of the embeddings, held on the first block's device."""
        weight = self.named("token_embd_norm.weight")
        bias = self.named("token_embd_norm.bias")
        result = self.same(kind, operand)
        if weight is not None:
            self.pin(result, 0)
            result = self.mul(result, weight)
        return result if bias is None else self.add(result, bias)

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
        if layer == NO_LAYER:
            weight, bias = self.named(f"{stem}.weight"), self.named(f"{stem}.bias")
        else:
            weight, bias = self.weight(layer, stem), self.weight(layer, stem, "bias")
            weight = self.weight(layer, stem, "") if weight is None else weight
        result = self.same(kind, operand)
        if layer != NO_LAYER and pins and (weight is not None or bias is not None):
            self.pin(result, layer)
        if weight is not None:
            result = self.mul(result, weight)
        return result if bias is None else self.add(result, bias)

    def pin(self, tensor: GraphTensor, layer: int) -> None:
        """Force an operation on its layer's device.

        Source: llama.cpp b11434, src/llama-context.cpp, graph_get_cb().
        """
        if self.batch.tokens < _SMALL_BATCH or self.context.is_fully_offloaded:
            # Cards can run every norm.
            tensor.pin = self.context.layers[layer]

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
            if activation in ("gelu", "swiglu_oai"):
                kind = "geglu" if activation == "gelu" else activation
                hidden = self.gated(kind, gate, up)
            else:
                hidden = self.swiglu(gate, up, layer, "swiglu_clamp_shexp")
        elif activation == "relu_sqr":
            hidden = self.same("sqr", self.unary("relu", up))
        else:
            hidden = self.unary(activation, up)
        scales = self.weight(layer, "ffn.act", "scales")
        if scales is not None and not suffix:
            hidden = self.same("div", hidden, scales)
        return self.linear(layer, f"ffn_down{suffix}", hidden, has_bias=has_bias)

    def swiglu(self, gate: GraphTensor, up: GraphTensor, layer: int, limit_key: str) -> GraphTensor:
        """Gated activation by SiLU, within limits where the model has some for the block."""
        name = self.model.architecture
        if name not in LIMITED or not self.of_layer(limit_key, layer) > 0:
            return self.gated("swiglu", gate, up)
        if name in LIMITED_AT_ONCE:
            return self.gated("swiglu_clamp", gate, up)
        limited = self.same("clamp", self.unary("silu", gate))
        return self.mul(limited, self.same("clamp", up))

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
        self,
        operand: GraphTensor,
        *,
        kind: str = "rms_norm",
        norm: str = "output_norm",
        scales_normed: bool = False,
    ) -> GraphTensor:
        """Logits from the last block's result; the normed result leaves the graph too.

        Args:
            operand: Result of the last block.
            kind: Norm.
            norm: Name of its weight.
            scales_normed: Whether the normed result is scaled before the output matrix.
        """
        normed = self.keep(self.norm(operand, NO_LAYER, norm, kind=kind))
        self.embeddings = normed
        scaled = self.scale(normed) if scales_normed else normed
        matrix = self.output_matrix
        logits = self.adapted(self.mul_mat(matrix, scaled), matrix, scaled, self.mul_mat)
        if self.model.architecture in UNBIASED_LOGITS:
            return logits
        bias = self.named("output.bias", self.sizes.block_count)
        return logits if bias is None else self.add(logits, bias)

    def head_of_all_rows(
        self, operand: GraphTensor, *, kind: str = "rms_norm", projects: bool = False
    ) -> GraphTensor:
        """Logits of the wanted rows, where the normed result of every token leaves the graph.

        Args:
            operand: Result of the last block.
            kind: Norm.
            projects: Whether a file's classifier takes the place of the embedding.
        """
        normed = self.keep(self.norm(operand, NO_LAYER, "output_norm", kind=kind))
        wanted = self.get_rows(normed, self.output_rows)
        classifier = self.named("cls.output.weight") if projects else None
        if classifier is None:
            self.embeddings = self.keep(wanted)
        else:
            bias = self.named("cls.output.bias")
            classes = self.mul_mat(classifier, wanted)
            self.embeddings = self.keep(classes if bias is None else self.add(classes, bias))
            self.expand(self.embeddings)
        matrix = self.output_matrix
        return self.adapted(self.mul_mat(matrix, wanted), matrix, wanted, self.mul_mat)

    def finish(self, result: GraphTensor) -> None:
        """Mark a tensor as the graph's result and add it."""
        self.expand(self.keep(result))
