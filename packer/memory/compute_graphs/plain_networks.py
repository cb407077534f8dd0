"""Second halves of plain blocks: dense networks, and mixtures of experts in all their variety.

Source of each function: llama.cpp b11434, the files of its architectures in src/models/.
"""

from dataclasses import replace

from packer.memory.compute_graphs.experts import mix_experts
from packer.memory.compute_graphs.model_graph import ModelGraph
from packer.memory.compute_graphs.plain_traits import Plain
from packer.memory.compute_tensor import GraphTensor


def network(graph: ModelGraph, how: Plain, normed: GraphTensor, layer: int) -> GraphTensor:
    """Dense network, or experts and a shared one where the file has it."""
    if not graph.has(layer, "ffn_gate_inp"):
        return graph.feed_forward(normed, layer, activation=how.activation)
    mixed = mix_experts(graph, normed, layer, how.routing(graph))
    if not graph.has(layer, "ffn_up_shexp"):
        return mixed
    activation = "silu" if graph.has(layer, "ffn_gate_shexp") else "swiglu"
    shared = graph.feed_forward(normed, layer, activation=activation, suffix="_shexp")
    return graph.add(mixed, shared)


def gated_share(graph: ModelGraph, how: Plain, normed: GraphTensor, layer: int) -> GraphTensor:
    """Experts, and a shared one times its own gate."""
    mixed = mix_experts(graph, normed, layer, how.routing(graph))
    scores = graph.linear(layer, "ffn_gate_inp_shexp", normed)
    gate = graph.same("div", graph.unary("silu", scores), scores)
    shared = graph.feed_forward(normed, layer, suffix="_shexp")
    return graph.add(mixed, graph.mul(shared, gate))


def halved_share(graph: ModelGraph, how: Plain, normed: GraphTensor, layer: int) -> GraphTensor:
    """Dense network, or half of experts and shared one together."""
    result = network(graph, how, normed, layer)
    return graph.scale(result) if graph.has(layer, "ffn_up_shexp") else result


def with_dense(graph: ModelGraph, how: Plain, normed: GraphTensor, layer: int) -> GraphTensor:
    """Experts, with a dense network beside them in some files."""
    mixed = mix_experts(graph, normed, layer, how.routing(graph))
    if not graph.has(layer, "ffn_up"):
        return mixed
    dense = graph.feed_forward(normed, layer, activation=how.activation)
    return graph.scale(graph.add(dense, mixed))


def two_mixtures(graph: ModelGraph, how: Plain, normed: GraphTensor, layer: int) -> GraphTensor:
    """Experts, then smaller ones of groups of them on the result, chosen by one product."""
    logits = graph.linear(layer, "ffn_gate_inp", normed)
    route = replace(how.routing(graph), ranks_by_sigmoid=True)
    mixed = mix_experts(graph, normed, layer, route, logits=logits)
    shared = replace(route, stem="chexps", chunk=max(1, graph.whole("experts_per_group")))
    chunked = mix_experts(graph, mixed, layer, shared, logits=logits)
    return graph.add(mixed, graph.scale(chunked))
