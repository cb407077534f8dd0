"""Mixture of experts: routing, the chosen experts' products, and their weighted sum."""

from dataclasses import dataclass

from packer.memory.compute_graphs.model_graph import ModelGraph
from packer.memory.compute_tensor import GraphTensor


@dataclass(frozen=True)
class Routing:
    """How experts are chosen and weighted.

    Attributes:
        gate: ``soft_max``, ``sigmoid``, or ``chosen_soft_max`` over the chosen ones only.
        is_normalized: Whether the weights of the chosen are divided by their sum.
        scale: Factor on the weights; 0 and 1 mean none.
        activation: ``silu``, ``gelu``, ``swiglu_oai`` or ``relu_sqr``.
        weighs_first: Whether weights are applied to the experts' input (Llama 4).
        groups, groups_used: Expert groups, of which some are chosen first.
    """

    gate: str = "soft_max"
    is_normalized: bool = True
    scale: float = 0.0
    activation: str = "silu"
    weighs_first: bool = False
    groups: int = 0
    groups_used: int = 0


_GATES = {1: "soft_max", 2: "sigmoid", 3: "chosen_soft_max"}


def routing(graph: ModelGraph, *, gate: str = "", is_normalized: bool | None = None) -> Routing:
    """Routing as the model's metadata describe it, unless the architecture fixes it."""
    metadata = graph.model.metadata
    name = graph.model.architecture
    normalized = bool(metadata.get(f"{name}.expert_weights_norm", False))
    return Routing(
        gate=gate or _GATES.get(graph.whole("expert_gating_func", 1), "soft_max"),
        is_normalized=normalized if is_normalized is None else is_normalized,
        scale=graph.number("expert_weights_scale"),
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
    if how.gate == "soft_max":
        scores = graph.same("soft_max", logits)
    elif how.gate == "sigmoid":
        scores = graph.unary("sigmoid", logits)
    else:
        scores = logits
    bias = graph.weight(layer, "exp_probs_b", "bias")
    ranked = scores if bias is None else graph.add(scores, bias)
    if how.weighs_first:
        ranked = logits
    if how.groups > 1:
        ranked = _within_groups(graph, ranked, how)
    chosen = graph.argsort_top(ranked, graph.sizes.experts_used)
    table = graph.reshape(scores, 1, experts, tokens)
    return chosen, _weigh(graph, graph.get_rows(table, chosen), how)


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
    if graph.has(layer, "ffn_gate_up_exps"):
        both = _product(graph, "ffn_gate_up_exps", rows, chosen, layer)
        half = (both.shape[0] // 2, both.shape[1], both.shape[2])
        strides = both.layout[1:3]
        gate: GraphTensor | None = graph.view(both, half, strides)
        up = graph.view(both, half, strides, half[0] * both.layout[0])
    else:
        up = _product(graph, "ffn_up_exps", rows, chosen, layer)
        gate = None
        if graph.has(layer, "ffn_gate_exps"):
            gate = _product(graph, "ffn_gate_exps", rows, chosen, layer)
    return _product(graph, "ffn_down_exps", _activate(graph, gate, up, how), chosen, layer)


def _product(
    graph: ModelGraph, stem: str, rows: GraphTensor, chosen: GraphTensor, layer: int
) -> GraphTensor:
    """Product with the chosen experts' matrices, scaled and with biases where there are some."""
    result = graph.mul_mat_id(graph.need(layer, stem), rows, chosen)
    scale = graph.scale_of(layer, stem)
    if scale is not None:
        experts = scale.shape[0]
        row = graph.repeat(graph.reshape(scale, 1, experts), 1, experts, rows.shape[2])
        result = graph.mul(result, graph.get_rows(row, chosen))
    bias = graph.weight(layer, stem, "bias")
    return result if bias is None else graph.same("add_id", result, bias, chosen)


def _activate(
    graph: ModelGraph, gate: GraphTensor | None, up: GraphTensor, how: Routing
) -> GraphTensor:
    """Hidden activations of the chosen experts."""
    if gate is not None:
        kind = {"gelu": "geglu", "silu": "swiglu"}.get(how.activation, how.activation)
        return graph.gated(kind, gate, up)
    if how.activation == "relu_sqr":
        return graph.same("sqr", graph.unary("relu", up))
    return graph.unary(how.activation, up)


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
