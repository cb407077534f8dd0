"""MiniMax-Text-01: lightning attention in most blocks.

Source: llama.cpp b11434, src/models/minimax-01.cpp.
"""

from packer.memory.compute_graphs.attention import Attention
from packer.memory.compute_graphs.decoders import is_last, project, rotate
from packer.memory.compute_graphs.experts import mix_experts, routing
from packer.memory.compute_graphs.model_graph import ModelGraph
from packer.memory.compute_graphs.recurrent_state import RecurrentStates
from packer.memory.compute_tensor import F32, GraphTensor
from packer.memory.recurrent_state import state_elements


def minimax_01(graph: ModelGraph) -> None:
    """Linear attention with fixed decays; residuals are the normed inputs, scaled."""
    hidden = graph.embed()
    attention, states = Attention(graph), RecurrentStates(graph)
    lightning = _Lightning(graph, states)
    for layer in graph.context.blocks:
        normed = graph.norm(hidden, layer, "attn_norm")
        if graph.sizes.recurrent_layers[layer]:
            result = lightning.attend(normed, layer)
        else:
            query, key, value = project(graph, normed, layer)
            query, key = rotate(graph, layer, query, key)
            result = attention.attend(layer, query, key, value)
        if is_last(graph, layer):
            result, normed = graph.take_outputs(result, normed)
        hidden = graph.add(result, graph.scale(normed))
        normed = graph.norm(hidden, layer, "ffn_norm")
        how = routing(graph, gate="soft_max", is_normalized=True)
        mixed = mix_experts(graph, normed, layer, how)
        hidden = graph.end_block(graph.add(mixed, graph.scale(normed)))
    graph.finish(graph.head(hidden))


class _Lightning:
    """Linear attention in blocks of one batch, with the decays all blocks share as inputs."""

    def __init__(self, graph: ModelGraph, states: RecurrentStates) -> None:
        self._graph, self._states = graph, states
        heads, batch = graph.sizes.heads[0], graph.batch
        tokens, sequences = batch.tokens_per_sequence, batch.sequences
        self._slopes = graph.input(F32, heads)
        self._query_decay = graph.input(F32, 1, heads, tokens, sequences)
        self._key_decay = graph.input(F32, 1, heads, tokens, sequences)
        self._pair_decay = graph.input(F32, tokens, tokens, heads, sequences)

    def attend(self, operand: GraphTensor, layer: int) -> GraphTensor:
        """Result of one block, its output matrix included."""
        graph, states = self._graph, self._states
        heads, batch = graph.sizes.heads[0], graph.batch
        head = graph.sizes.state_space.linear_head
        tokens, sequences = batch.tokens_per_sequence, batch.sequences
        kept, width = state_elements(graph.sizes)
        graph.expand(states.gather(states.memory(layer, kept)))
        rows = graph.reshape(operand, operand.shape[0], tokens, 1, sequences)
        joined = graph.unary("silu", graph.linear(layer, "attn_qkv", rows))
        joined = graph.reshape(joined, 3 * head, heads, tokens, sequences)
        shape, step = (head, heads, tokens, sequences), head * joined.type.block_bytes
        query, key, value = (
            graph.view(joined, shape, joined.layout[1:], index * step) for index in range(3)
        )
        memory = states.memory(layer, width)
        old = graph.reshape(states.gather(memory), head, head, heads, sequences)
        turned = graph.contiguous(graph.permute(value, 1, 2, 0, 3))
        result = self._read(query, key, turned, old)
        graph.expand(result)
        states.store(memory, self._write(key, turned, old))
        result = graph.contiguous(graph.permute(result, 0, 2, 1, 3))
        shape = result.shape
        result = graph.reshape(result, shape[0] * shape[1], shape[2], 1, shape[3])
        normed = graph.norm(result, layer, "attn_norm_2")
        gate = graph.unary("sigmoid", graph.linear(layer, "attn_gate", rows))
        result = graph.linear(layer, "attn_output", graph.mul(gate, normed))
        return graph.reshape(result, result.shape[0], tokens * sequences)

    def _read(
        self, query: GraphTensor, key: GraphTensor, value: GraphTensor, old: GraphTensor
    ) -> GraphTensor:
        """What the queries find in the old state and among the batch's own keys."""
        graph = self._graph
        slowed = graph.mul(query, self._decayed(self._query_decay))
        before = graph.mul_mat(old, graph.permute(slowed, 0, 2, 1, 3))
        pairs = graph.mul_mat(graph.permute(key, 0, 2, 1, 3), graph.permute(query, 0, 2, 1, 3))
        pairs = graph.mul(pairs, self._decayed(self._pair_decay))
        return graph.add(before, graph.mul_mat(value, pairs))

    def _write(self, key: GraphTensor, value: GraphTensor, old: GraphTensor) -> GraphTensor:
        """The state behind the batch."""
        graph = self._graph
        rate = graph.unary("exp", graph.scale(graph.scale(self._slopes)))
        faded = graph.mul(old, graph.reshape(rate, 1, 1, self._slopes.shape[0]))
        slowed = graph.mul(key, self._decayed(self._key_decay))
        slowed = graph.contiguous(graph.permute(slowed, 1, 2, 0, 3))
        return graph.add(faded, graph.mul_mat(slowed, value))

    def _decayed(self, exponents: GraphTensor) -> GraphTensor:
        return self._graph.unary("exp", self._graph.scale(exponents))
