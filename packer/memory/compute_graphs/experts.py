"""Mixture of experts: routing, the chosen experts' products, and their weighted sum."""

from dataclasses import dataclass

from packer.memory.compute_graphs.model_graph import ModelGraph
from packer.memory.compute_graphs.quirks import SCALED_SHARES
from packer.memory.compute_tensor import F32, I32, PRECISE, GraphTensor


@dataclass(frozen=True)
class Routing:
    """How experts are chosen and weighted.

    Attributes:
        gate: ``soft_max``, ``sigmoid``, or ``chosen_soft_max`` over the chosen ones only.
        is_normalized: Whether the weights of the chosen are divided by their sum.
        scale: Factor on the weights; 0 and 1 mean none.
        activation: ``silu``, ``gelu``, ``relu``, ``relu_sqr``, ``swiglu_oai`` or ``situ``.
        groups, groups_used: Expert groups, of which some are chosen first.
        weighs_first: Whether weights are applied to the experts' input (Llama 4).
        stem: End of the experts' names.
        chunk: Experts that share one of these (Grove).
        ranks_by_sigmoid: Whether experts are chosen by another function than they are weighted.
    """

    gate: str
    is_normalized: bool
    scale: float
    activation: str
    groups: int
    groups_used: int
    weighs_first: bool = False
    stem: str = "exps"
    chunk: int = 1
    ranks_by_sigmoid: bool = False


_PRECISE_EXPERTS = frozenset({"mistral4"})
_GATES = {1: "soft_max", 2: "sigmoid", 3: "chosen_soft_max"}


def routing(
    graph: ModelGraph,
    *,
    gate: str = "",
    default_gate: str = "soft_max",
    is_normalized: bool | None = None,
    activation: str = "silu",
) -> Routing:
    """Routing as the model's metadata describe it, unless the architecture fixes it.

    Args:
        graph: Graph under construction.
        gate: Gate whatever the file says; empty leaves it to the file.
        default_gate: Gate where the file says nothing.
        is_normalized: Whether weights are normalized; None leaves it to the file.
        activation: Of the experts.
    """
    metadata = graph.model.metadata
    name = graph.model.architecture
    normalized = bool(metadata.get(f"{name}.expert_weights_norm", False))
    return Routing(
        gate=gate or _GATES.get(graph.whole("expert_gating_func"), default_gate),
        is_normalized=normalized if is_normalized is None else is_normalized,
        scale=graph.number("expert_weights_scale") if name in SCALED_SHARES else 0.0,
        activation=activation,
        groups=graph.whole("expert_group_count"),
        groups_used=graph.whole("expert_group_used_count"),
    )


def mix_experts(
    graph: ModelGraph,
    operand: GraphTensor,
    layer: int,
    how: Routing,
    *,
    logits: GraphTensor | None = None,
) -> GraphTensor:
    """Weighted sum of the chosen experts of each token.

    Args:
        graph: Graph under construction.
        operand: Normed activations, [embedding, tokens].
        layer: Block.
        how: Routing.
        logits: Scores of the experts where they are not computed from ``operand``.

    Source: llama.cpp b11434, src/llama-graph.cpp, build_moe_ffn().
    """
    chosen, weights = _route(graph, operand, layer, how, logits)
    graph.expand(weights)
    width, tokens, used = operand.shape[0], operand.shape[1], chosen.shape[0]
    rows = graph.reshape(operand, width, 1, tokens)
    if how.weighs_first:
        rows = graph.mul(graph.repeat(rows, width, used, tokens), weights)
    experts = _experts(graph, rows, chosen, layer, how)
    if not how.weighs_first:
        experts = graph.mul(experts, weights)
    graph.expand(experts)
    return _sum_experts(graph, experts)


def _route(
    graph: ModelGraph,
    operand: GraphTensor,
    layer: int,
    how: Routing,
    logits: GraphTensor | None,
) -> tuple[GraphTensor, GraphTensor]:
    """Chosen experts and their weights, [1, used, tokens]."""
    if logits is None:
        logits = graph.linear(layer, "ffn_gate_inp", operand)
    experts, tokens = logits.shape[0], logits.shape[1]
    scores = _scores(graph, logits, how)
    bias = graph.weight(layer, "exp_probs_b", "bias")
    if bias is None:
        bias = graph.weight(layer, "exp_probs_b", "")
    ranked = scores if bias is None else graph.add(scores, bias)
    if how.weighs_first:
        ranked = logits
    if how.ranks_by_sigmoid:
        ranked = graph.unary("sigmoid", logits)
    if how.groups > 1:
        ranked = _within_groups(graph, ranked, how)
    chosen = graph.argsort_top(ranked, min(graph.sizes.experts_used, experts // how.chunk))
    if how.chunk > 1:
        chosen = graph.cast(graph.scale(graph.cast(chosen, F32)), I32)
    table = graph.reshape(scores, 1, experts, tokens)
    return chosen, _weigh(graph, graph.get_rows(table, chosen), how)


def _scores(graph: ModelGraph, logits: GraphTensor, how: Routing) -> GraphTensor:
    """Weights before any are chosen."""
    if how.gate == "soft_max":
        return graph.same("soft_max", logits)
    return graph.unary("sigmoid", logits) if how.gate == "sigmoid" else logits


def _weigh(graph: ModelGraph, weights: GraphTensor, how: Routing) -> GraphTensor:
    """Weights of the chosen experts as they are finally applied."""
    used, tokens = weights.shape[1], weights.shape[2]
    if how.gate == "chosen_soft_max":
        flat = graph.same("soft_max", graph.reshape(weights, used, tokens))
        weights = graph.reshape(flat, 1, used, tokens)
    if how.is_normalized:
        flat = graph.reshape(weights, used, tokens)
        total = graph.same("clamp", graph.sum_rows(flat))
        weights = graph.reshape(graph.same("div", flat, total), 1, used, tokens)
    return weights if how.scale in (0.0, 1.0) else graph.scale(weights)


def _within_groups(graph: ModelGraph, ranked: GraphTensor, how: Routing) -> GraphTensor:
    """Scores with everything outside of the best groups masked."""
    experts, tokens, groups = ranked.shape[0], ranked.shape[1], how.groups
    size = experts // groups
    grouped = graph.reshape(ranked, size, groups, tokens)
    best = graph.argsort_top(grouped, 2)
    pairs = graph.get_rows(graph.reshape(grouped, 1, size, groups, tokens), best)
    sums = graph.sum_rows(graph.reshape(pairs, *pairs.shape[1:]))
    chosen = graph.argsort_top(graph.reshape(sums, groups, tokens), how.groups_used)
    kept = graph.get_rows(grouped, chosen)
    masked = graph.set_rows(graph.same("fill", grouped), kept, chosen)
    return graph.reshape(masked, experts, tokens)


def _experts(
    graph: ModelGraph, rows: GraphTensor, chosen: GraphTensor, layer: int, how: Routing
) -> GraphTensor:
    """Output of every chosen expert, [embedding, used, tokens]."""
    if graph.has(layer, f"ffn_gate_up_{how.stem}"):
        both = _product(graph, f"ffn_gate_up_{how.stem}", rows, chosen, layer)
        half = (both.shape[0] // 2, both.shape[1], both.shape[2])
        strides = (both.layout[1],)
        gate: GraphTensor | None = graph.view(both, half, strides)
        up = graph.view(both, half, strides, half[0] * both.layout[0])
    else:
        up = _product(graph, f"ffn_up_{how.stem}", rows, chosen, layer)
        gate = None
        if graph.has(layer, f"ffn_gate_{how.stem}"):
            gate = _product(graph, f"ffn_gate_{how.stem}", rows, chosen, layer)
    return _product(
        graph, f"ffn_down_{how.stem}", _activate(graph, gate, up, how, layer), chosen, layer
    )


def _product(
    graph: ModelGraph, stem: str, rows: GraphTensor, chosen: GraphTensor, layer: int
) -> GraphTensor:
    """Product with the chosen experts' matrices, scaled and with biases where there are some."""
    weight = graph.need(layer, stem)
    result = graph.mul_mat_id(weight, rows, chosen)
    if stem == "ffn_down_exps" and graph.model.architecture in _PRECISE_EXPERTS:
        result.variant = PRECISE
    scale = graph.scale_of(layer, stem)
    if scale is not None:
        experts = scale.shape[0]
        row = graph.repeat(graph.reshape(scale, 1, experts), 1, experts, rows.shape[2])
        result = graph.mul(result, graph.get_rows(row, chosen))
    result = graph.adapted(
        result, weight, rows, lambda matrix, operand: graph.mul_mat_id(matrix, operand, chosen)
    )
    bias = graph.weight(layer, stem, "bias")
    return result if bias is None else graph.same("add_id", result, bias, chosen)


def _activate(
    graph: ModelGraph, gate: GraphTensor | None, up: GraphTensor, how: Routing, layer: int
) -> GraphTensor:
    """Hidden activations of the chosen experts."""
    if gate is not None and how.activation == "silu":
        return graph.swiglu(gate, up, layer, "swiglu_clamp_exp")
    if gate is not None and how.activation == "situ":
        return situ(graph, gate, up)
    if gate is not None:
        kind = {"gelu": "geglu", "relu": "reglu"}.get(how.activation, how.activation)
        return graph.gated(kind, gate, up)
    if how.activation == "relu_sqr":
        return graph.same("sqr", graph.unary("relu", up))
    return graph.unary(how.activation, up)


def situ(graph: ModelGraph, gate: GraphTensor, up: GraphTensor) -> GraphTensor:
    """Kimi K3's activation: a sigmoid times two bounded factors."""
    bounded = graph.scale(graph.unary("tanh", graph.scale(gate)))
    bounded = graph.mul(bounded, graph.unary("sigmoid", gate))
    if graph.number("activation.situ_linear_beta") > 0:
        up = graph.scale(graph.unary("tanh", graph.scale(up)))
    return graph.mul(bounded, up)


def _sum_experts(graph: ModelGraph, experts: GraphTensor) -> GraphTensor:
    """Sum over the chosen experts, looking at one after the other."""
    width, used, tokens = experts.shape[:3]
    row, step = experts.layout[1], experts.layout[2]
    views = [graph.view(experts, (width, tokens), (step,), i * row) for i in range(used)]
    for view in views:
        graph.expand(view)
    total = views[0]
    for view in views[1:]:
        total = graph.add(total, view)
        graph.expand(total)
    return graph.contiguous(total) if used == 1 else total
