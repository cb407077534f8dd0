"""Kimi K3: Kimi Delta Attention, latent experts, and attention over the residuals of blocks.

Source: llama.cpp b11434, src/models/kimi-k3.cpp.
"""

from packer.memory.compute_graphs.attention import Attention
from packer.memory.compute_graphs.experts import mix_experts, routing, situ
from packer.memory.compute_graphs.kda_models import delta_attention
from packer.memory.compute_graphs.latent_attention import latent_attention
from packer.memory.compute_graphs.model_graph import ModelGraph
from packer.memory.compute_graphs.recurrent_state import RecurrentStates
from packer.memory.compute_tensor import GraphTensor


def kimi_k3(graph: ModelGraph) -> None:
    """Every few blocks the residual is remembered; blocks read a mixture of all remembered."""
    hidden = graph.embed()
    attention, states = Attention(graph), RecurrentStates(graph)
    residuals = _Residuals(graph)
    for layer in graph.context.blocks:
        mixed = residuals.mix(hidden, graph.weight(layer, "attn_res_score"))
        starts_anew = residuals.remember(hidden, layer)
        normed = graph.norm(mixed, layer, "attn_norm")
        graph.expand(normed)
        if graph.sizes.recurrent_layers[layer]:
            result = delta_attention(graph, states, normed, layer)
        else:
            result = _gated_attention(graph, attention, normed, layer)
        hidden = result if starts_anew else graph.add(hidden, result)
        mixed = residuals.mix(hidden, graph.weight(layer, "ffn_res_score"))
        normed = graph.norm(mixed, layer, "ffn_norm")
        hidden = graph.end_block(graph.add(hidden, _network(graph, normed, layer)))
    output = graph.named("output_res_score.weight", graph.sizes.block_count)
    graph.finish(graph.head(*graph.take_outputs(residuals.mix(hidden, output))))


class _Residuals:
    """Residuals remembered so far, [embedding, count, tokens]."""

    def __init__(self, graph: ModelGraph) -> None:
        self._graph = graph
        self._step = graph.whole("attn_res.block_size")
        self._stack: GraphTensor | None = None

    def remember(self, hidden: GraphTensor, layer: int) -> bool:
        """Whether a block is one that remembers its residual, which is then done."""
        if not self._step or layer % self._step:
            return False
        row = self._graph.reshape(hidden, hidden.shape[0], 1, hidden.shape[1])
        stack = self._stack
        self._stack = row if stack is None else self._graph.concat(stack, row, 1)
        return True

    def mix(self, hidden: GraphTensor, weight: GraphTensor | None) -> GraphTensor:
        """The residual and those remembered, weighted by a softmax of their scores."""
        graph, stack = self._graph, self._stack
        if stack is None or weight is None:
            return hidden
        count, tokens = stack.shape[1], hidden.shape[1]
        scored = graph.sum_rows(graph.mul(graph.same("rms_norm", stack), weight))
        scored = graph.reshape(scored, count, tokens)
        fresh = graph.sum_rows(graph.mul(graph.same("rms_norm", hidden), weight))
        shares = graph.same("soft_max", graph.concat(scored, fresh, 0))
        element, strides = shares.type.block_bytes, (shares.layout[1],)
        old = graph.contiguous(graph.view(shares, (count, tokens), strides))
        new = graph.contiguous(graph.view(shares, (1, tokens), strides, count * element))
        sums = graph.sized("dsv4_hc_pre", stack, old, shape=hidden.shape)
        return graph.add(sums, graph.mul(hidden, new))


def _gated_attention(
    graph: ModelGraph, attention: Attention, normed: GraphTensor, layer: int
) -> GraphTensor:
    """Latent attention without positions, gated where the file has a gate."""
    result = latent_attention(graph, attention, normed, layer, rotates=False, projects=False)
    if graph.has(layer, "attn_gate"):
        gate = graph.unary("sigmoid", graph.linear(layer, "attn_gate", normed))
        result = graph.mul(result, gate)
    return graph.linear(layer, "attn_output", result)


def _network(graph: ModelGraph, normed: GraphTensor, layer: int) -> GraphTensor:
    """Dense network, or experts in a narrower space with a shared one beside them."""
    if not graph.has(layer, "ffn_gate_inp"):
        return _dense(graph, normed, layer, "")
    narrow = normed
    if graph.has(layer, "ffn_routed_down"):
        narrow = graph.linear(layer, "ffn_routed_down", normed)
    logits = graph.linear(layer, "ffn_gate_inp", normed)
    mixed = mix_experts(graph, narrow, layer, routing(graph, activation="situ"), logits=logits)
    if graph.has(layer, "ffn_routed_norm"):
        mixed = graph.norm(mixed, layer, "ffn_routed_norm")
    if graph.has(layer, "ffn_routed_up"):
        mixed = graph.linear(layer, "ffn_routed_up", mixed)
    if not graph.has(layer, "ffn_gate_shexp"):
        return mixed
    return graph.add(mixed, _dense(graph, normed, layer, "_shexp"))


def _dense(graph: ModelGraph, normed: GraphTensor, layer: int, suffix: str) -> GraphTensor:
    gate = graph.linear(layer, f"ffn_gate{suffix}", normed)
    up = graph.linear(layer, f"ffn_up{suffix}", normed)
    return graph.linear(layer, f"ffn_down{suffix}", situ(graph, gate, up))
