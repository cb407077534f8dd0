"""Graphs of decoders and encoders whose blocks are plain, by their traits."""

from packer.memory.architecture_rules import Cache, Output
from packer.memory.compute_graphs.attention import Attention
from packer.memory.compute_graphs.decoders import (
    Triple,
    in_heads,
    is_last,
    norm_heads,
    project,
    project_flat,
    rotate,
)
from packer.memory.compute_graphs.model_graph import ModelGraph
from packer.memory.compute_graphs.plain_networks import network
from packer.memory.compute_graphs.plain_traits import Plain, Sum
from packer.memory.compute_graphs.quirks import stacked_number
from packer.memory.compute_tensor import F16, F32, GraphTensor

_OUTSIDE = -1


class PlainBlocks:
    """Blocks of one graph."""

    def __init__(self, graph: ModelGraph, how: Plain) -> None:
        """Blocks of these traits over the graph's cache, or over its batch where it has none."""
        self._graph = graph
        self._how = how
        self._attention = Attention(graph)
        self._masks: tuple[GraphTensor, ...] = ()
        if graph.sizes.rules.cache is Cache.NONE:
            tokens = graph.batch.tokens
            kind = F16 if graph.context.has_flash_attention else F32
            self._masks = tuple(graph.input(kind, tokens, tokens) for _ in range(2))

    def build(self, hidden: GraphTensor) -> GraphTensor:
        """Result of the last block."""
        for layer in self._graph.context.blocks:
            hidden = self._graph.end_block(self._block(hidden, layer))
        return hidden

    def _block(self, hidden: GraphTensor, layer: int) -> GraphTensor:
        graph, how = self._graph, self._how
        stacked = stacked_number(graph.model, layer)
        if how.stacked == "before" and stacked >= 0:
            hidden = graph.add_stacked(hidden, stacked)
        normed = self._norm(hidden, layer, how.before_attention)
        own = normed
        if how.own_attention_norm and graph.has(layer, how.own_attention_norm):
            own = self._norm(hidden, layer, how.own_attention_norm)
        result = self.attend(own, layer)
        if how.norms_every_row:
            result = self._norm(result, layer, how.after_attention)
        if is_last(graph, layer) and how.wanted == "inside":
            result, hidden, normed = graph.take_outputs(result, hidden, normed)
        if not how.norms_every_row:
            result = self._norm(result, layer, how.after_attention)
        if how.parallel:
            return self._side_by_side(result, hidden, normed, layer)
        hidden = self._add(result, hidden, "attention")
        normed = self._norm(hidden, layer, how.before_network)
        result = (how.network or network)(graph, how, normed, layer)
        result = self._norm(result, layer, how.after_network)
        result = self._add(result, hidden, "network")
        if how.stacked == "behind" and stacked >= 0:
            result = graph.add_stacked(result, stacked)
        return result

    def _side_by_side(
        self, result: GraphTensor, hidden: GraphTensor, normed: GraphTensor, layer: int
    ) -> GraphTensor:
        """Sum of attention, network and residual, the network reading a norm of the input."""
        graph, how = self._graph, self._how
        if how.before_network:
            normed = self._norm(hidden, layer, how.before_network)
        parts = {
            "attention": result,
            "network": (how.network or network)(graph, how, normed, layer),
            "residual": hidden,
        }
        return self._sum(how.parallel, parts)

    def _sum(self, tree: Sum, parts: dict[str, GraphTensor]) -> GraphTensor:
        if isinstance(tree, str):
            return parts[tree]
        left, right = tree
        return self._graph.add(self._sum(left, parts), self._sum(right, parts))

    def _add(self, result: GraphTensor, hidden: GraphTensor, part: str) -> GraphTensor:
        graph, how = self._graph, self._how
        if how.scales_residual and graph.number("residual_scale"):
            result = graph.scale(result)
        first, second = (hidden, result) if how.residual_first == part else (result, hidden)
        return graph.add(first, second)

    def _norm(self, operand: GraphTensor, layer: int, stem: str) -> GraphTensor:
        graph = self._graph
        if not stem or not (self._how.has_bare_norms or graph.has(layer, stem)):
            return operand
        pins = stem not in self._how.unpinned
        return graph.norm(operand, layer, stem, kind=self._how.norm, pins=pins)

    # Attention --------------------------------------------------------------------------------

    def attend(self, normed: GraphTensor, layer: int) -> GraphTensor:
        """Attention of a block, its output matrix and gate included."""
        graph, how = self._graph, self._how
        query, key, value = self._heads(normed, layer)
        if how.scales_query:
            query = graph.scale(query)
        output = "" if how.attention_gate else "attn_output"
        result = self._scores(query, key, value, layer, output)
        if how.attention_gate:
            result = self._gate(result, normed, layer)
        is_scaled = how.scales_attention and graph.number(how.scales_attention)
        return graph.scale(result) if is_scaled else result

    def _heads(self, normed: GraphTensor, layer: int) -> Triple:
        """Query, key and value, normed and rotated in the architecture's order."""
        graph, how = self._graph, self._how
        if how.heads == "flat" and graph.has(layer, "attn_q_norm"):
            query, key, value = project_flat(graph, normed, layer)
            query, key = norm_heads(graph, layer, query, key, how.norm)
            query, key, value = in_heads(graph, layer, (query, key, value))
        else:
            query, key, value = project(graph, normed, layer)
        if how.heads == "before":
            query, key = norm_heads(graph, layer, query, key, how.norm)
        if how.turns(graph, layer):
            query, key = rotate(graph, layer, query, key)
        if how.heads == "after":
            query, key = norm_heads(graph, layer, query, key, how.norm)
        return query, key, value

    def _scores(
        self, query: GraphTensor, key: GraphTensor, value: GraphTensor, layer: int, output: str
    ) -> GraphTensor:
        graph = self._graph
        if not self._masks:
            return self._attention.attend(
                layer,
                query,
                key,
                value,
                sinks=graph.weight(layer, "attn_sinks"),
                has_window_cache=any(graph.sizes.window_layers),
                output=output,
            )
        for tensor in (query, key, value):
            graph.expand(tensor)
        mask = self._masks[graph.sizes.window_layers[layer]]
        result = self._attention.scores(layer, query, key, value, mask)
        return graph.linear(layer, output, result)

    def _gate(self, result: GraphTensor, normed: GraphTensor, layer: int) -> GraphTensor:
        """Attention's result times a gate per element or per head, then the output matrix."""
        graph, heads = self._graph, self._graph.sizes.heads[layer]
        gate = graph.linear(layer, "attn_gate", normed)
        gate = graph.unary(self._how.attention_gate, gate)
        if gate.shape[0] == heads:
            width, tokens = result.shape[:2]
            cut = graph.reshape(result, width // heads, heads, tokens)
            result = graph.mul(cut, graph.reshape(gate, 1, heads, tokens))
            result = graph.reshape(result, width, tokens)
        else:
            result = graph.mul(result, gate)
        return graph.linear(layer, "attn_output", result)


def build_plain(graph: ModelGraph, how: Plain) -> None:
    """All blocks of a model, and its logits if it has an output matrix."""
    blocks = PlainBlocks(graph, how)
    hidden = blocks.build(embed_plain(graph, how))
    if how.has_logits and graph.sizes.rules.output is not Output.NONE:
        if how.wanted == "before":
            (hidden,) = graph.take_outputs(graph.keep(hidden))
        head = graph.head_of_all_rows if how.wanted == "behind" else graph.head
        graph.finish(finish_logits(graph, head(hidden, kind=how.norm), how))
        return
    for stem in ("output_norm", "enc.output_norm"):
        if graph.named(f"{stem}.weight") is not None:
            hidden = graph.norm(hidden, _OUTSIDE, stem, kind=how.norm)
    graph.embeddings = graph.keep(hidden)
    graph.expand(hidden)


def embed_plain(graph: ModelGraph, how: Plain) -> GraphTensor:
    """Embeddings of the batch as the first block reads them."""
    hidden = graph.embed(scales_tokens=how.embedding == "scaled_tokens")
    if how.embedding == "scaled":
        return graph.scale(hidden)
    if how.embedding == "bare_normed":
        return graph.same(how.norm, hidden)
    places = graph.named("position_embd.weight") if how.embedding == "placed" else None
    if places is not None:
        return graph.add(hidden, graph.get_rows(places, graph.positions))
    if how.embedding == "normed":
        return graph.norm_embeddings(hidden, how.norm)
    return hidden


def finish_logits(graph: ModelGraph, logits: GraphTensor, how: Plain) -> GraphTensor:
    """Logits scaled and capped."""
    for step in how.logits:
        if step == "scaled" or (step == "scaled_by_file" and graph.number("logit_scale")):
            logits = graph.scale(logits)
        elif step == "capped_by_file" and graph.number("final_logit_softcapping"):
            logits = graph.scale(graph.unary("tanh", graph.scale(logits)))
    return logits
