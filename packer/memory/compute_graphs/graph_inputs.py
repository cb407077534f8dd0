"""Graph of one model: what goes in: tokens, embeddings, positions, rows that are wanted."""

from packer.domain.model import ModelFile
from packer.memory.compute_graphs.context import Batch, GraphContext
from packer.memory.compute_graphs.graph_weights import GraphWeights
from packer.memory.compute_graphs.quirks import (
    WITHOUT_MIXED_INPUT,
    deepstack_count,
    position_axes,
)
from packer.memory.compute_tensor import F32, I32, I64, GraphTensor
from packer.memory.hyperparameters import HyperParameters


class GraphInputs(GraphWeights):
    """Inputs of a graph under construction, each made when it is first asked for.

    Source for the whole class: llama.cpp b11434, src/llama-graph.cpp, llm_graph_context.
    """

    def __init__(
        self, model: ModelFile, sizes: HyperParameters, context: GraphContext, batch: Batch
    ) -> None:
        """An empty graph; weights are looked up in ``model`` by name."""
        super().__init__(model, sizes, context, batch)
        self._positions: GraphTensor | None = None
        self._output_rows: GraphTensor | None = None
        self._stack: GraphTensor | None = None

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
        stacked = deepstack_count(self.model)
        whole = width * (1 + stacked)
        looked_up = self._look_up(table, whole)
        self.expand(looked_up)
        self.expand(self.input(F32, whole, tokens))
        if not self.context.is_nextn and self.model.architecture not in WITHOUT_MIXED_INPUT:
            mixed = self._look_up(table, whole)
            rows, given = self.input(I64, tokens), self.input(F32, whole, tokens)
            self.expand(self.set_rows(self.same("dup", given), mixed, rows))
        result = looked_up
        if stacked:
            result = self.view(result, (width, tokens), (result.layout[1],))
        self._stack = result
        if self.number("embedding_scale") and not stacked:
            result = self.scale(result)
        if scales_tokens or (self.number("embedding_scale") and stacked):
            flat = result if result.is_contiguous else self.contiguous(result)
            result = self.mul(flat, self.input(F32, 1, tokens))
        self.expand(result)
        return result

    def _look_up(self, table: GraphTensor, width: int) -> GraphTensor:
        """Rows of the embedding for the tokens, padded to the width of given embeddings."""
        rows = self.get_rows(table, self.input(I32, self.batch.tokens))
        if width == rows.shape[0]:
            return rows
        return self.sized("pad", rows, shape=(width, rows.shape[1]))

    def add_stacked(self, operand: GraphTensor, number: int) -> GraphTensor:
        """Sum with one of the deep embeddings that images bring along."""
        stack = self._stack
        if stack is None:
            raise ValueError("embeddings come first")
        shape = (self.sizes.embedding, stack.shape[1])
        offset = number * stack.type.row_bytes(self.sizes.embedding)
        return self.add(operand, self.view(stack, shape, (stack.layout[1],), offset))
