"""Patterns of operations around experts that CUDA runs in one kernel.

Source for the whole module: llama.cpp b11434, ggml/src/ggml-cuda/ggml-cuda.cu, the matchers called
by ggml_backend_cuda_graph_optimize().
"""

from collections.abc import Sequence

from packer.memory.compute_tensor import F32, GraphTensor

_LARGEST_ROUTER = 512
_ODD_ROUTERS = (288, 576)
_GATED = ("swiglu", "geglu", "swiglu_oai", "swiglu_clamp")


def router_pattern(run: Sequence[GraphTensor], start: int) -> tuple[str, ...]:
    """Operations of the expert selection that may start here; empty if none does."""
    head = _router_head(run, start)
    if not head:
        return ()
    end = start + len(head)
    norm = ("reshape", "sum_rows", "clamp", "div", "reshape")
    following = run[end : end + len(norm)]
    if tuple(node.operation for node in following) == norm and _divides_by_sum(run, end):
        head += norm
        end += len(norm)
    elif following and following[0].operation == "reshape":
        return head
    if end < len(run) and run[end].operation == "scale" and run[end].sources[0] is run[end - 1]:
        head += ("scale",)
    return head


def _router_head(run: Sequence[GraphTensor], start: int) -> tuple[str, ...]:
    """Operations from the gate's activation to the weights of the chosen experts."""
    first = run[start]
    if first.operation == "soft_max" or (first.operation, first.variant) == ("unary", "sigmoid"):
        head: tuple[str, ...] = (first.operation,)
    elif (first.operation, first.variant) == ("unary", "softplus"):
        head = ("unary", "sqrt")
    else:
        return ()
    gate = run[start + len(head) - 1] if start + len(head) <= len(run) else first
    after = run[start + len(head) + 1 : start + len(head) + 2]
    is_biased = bool(after) and after[0].operation == "add" and after[0].sources[0] is gate
    head += ("reshape", *(("add",) if is_biased else ()), "argsort", "view", "get_rows")
    nodes = run[start : start + len(head)]
    if tuple(node.operation for node in nodes) != head:
        return ()
    reshaped, sort, view, rows = nodes[nodes.index(gate) + 1], nodes[-3], nodes[-2], nodes[-1]
    sorted_by = nodes[-4] if is_biased else gate
    is_chained = (
        reshaped.sources[0] is gate
        and sort.sources[0] is sorted_by
        and view.sources[0] is sort
        and rows.sources[0] is reshaped
        and rows.sources[1] is view
    )
    return head if is_chained else ()


def _divides_by_sum(run: Sequence[GraphTensor], start: int) -> bool:
    """Whether the chosen experts' weights are divided by their sum from here on."""
    flat, total, clamped, divided, shaped = run[start : start + 5]
    return (
        flat.sources[0] is run[start - 1]
        and total.sources[0] is flat
        and clamped.sources[0] is total
        and divided.sources[0] is flat
        and divided.sources[1] is clamped
        and shaped.sources[0] is divided
    )


def is_router(chosen: GraphTensor) -> bool:
    """Whether there is a kernel for this number of experts."""
    experts = chosen.layout[1] // chosen.layout[0]
    is_power = experts & (experts - 1) == 0 and experts <= _LARGEST_ROUTER
    return is_power or experts in _ODD_ROUTERS


def is_gated_pair(nodes: Sequence[GraphTensor]) -> bool:
    """Whether two products of one operand meet in a gated activation: [product, product, gate]."""
    product = nodes[2]
    gate, up = product.sources[:2]
    same = (gate is nodes[0] and up is nodes[1]) or (gate is nodes[1] and up is nodes[0])
    if not same or product.variant not in _GATED:
        return False
    return (
        up.sources[0].type is gate.sources[0].type
        and up.sources[0].shape == gate.sources[0].shape
        and up.sources[1] is gate.sources[1]
        and up.sources[2:] == gate.sources[2:]
    )


def reads_same_rows(routed: GraphTensor, shared: GraphTensor) -> bool:
    """Whether routed and shared expert have weights of one kind and read the same rows."""
    up, shared_up = routed.sources[1], shared.sources[1]
    weight, shared_weight, rows = up.sources[0], shared_up.sources[0], up.sources[1]
    return (
        weight.home is not None
        and weight.type.is_quantized
        and weight.type is shared_weight.type
        and weight.shape[:2] == shared_weight.shape[:2]
        and rows.operation == "reshape"
        and rows.sources[0] is shared_up.sources[1]
        and rows.shape[1] == 1
        and shared_weight.is_weight
        and shared.sources[0].sources[0].is_weight
        and routed.variant == shared.variant
    )


def weighted_experts(
    run: Sequence[GraphTensor], start: int
) -> tuple[tuple[GraphTensor, ...], GraphTensor, int] | None:
    """Operands to keep, the weighted experts, and how many products weigh them."""
    first = run[start]
    parts = _full_and_broadcast(first)
    if parts is None:
        return None
    second = run[start + 1] if start + 1 < len(run) else first
    outer = _full_and_broadcast(second)
    if second is not first and outer is not None and outer[0] is first:
        return (parts[0], outer[1], parts[1]), second, 2
    return parts, first, 1


def _full_and_broadcast(product: GraphTensor) -> tuple[GraphTensor, GraphTensor] | None:
    """Operands of a product of all experts with one factor per expert and token."""
    if product.operation != "mul" or product.type is not F32:
        return None
    factors = (1, *product.shape[1:])
    for full, broadcast in (product.sources[:2], product.sources[1::-1]):
        is_full = full.shape == product.shape and full.is_contiguous and full.type is F32
        if is_full and broadcast.shape == factors and broadcast.is_contiguous:
            return full, broadcast
    return None


def sums_views(nodes: Sequence[GraphTensor], weighted: GraphTensor) -> bool:
    """Whether the nodes look at every expert in turn and add them up."""
    views: list[GraphTensor] = []
    total: GraphTensor | None = None
    added = 0
    for node in nodes:
        if node.operation == "view" and node.sources[0] is weighted:
            views.append(node)
            continue
        if node.operation != "add" or len(views) < added + 2:
            return False
        left = views[0] if total is None else total
        if node.sources[0] is not left or node.sources[1] is not views[added + 1]:
            return False
        total, added = node, added + 1
    return len(views) == weighted.shape[1] and added == len(views) - 1
