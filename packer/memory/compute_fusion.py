"""Operands that CUDA keeps alive longer, so that it can run several operations in one kernel.

Source for the whole module: llama.cpp b11434, ggml/src/ggml-cuda/ggml-cuda.cu,
ggml_backend_cuda_graph_optimize() and the matchers it calls. Only experts are concerned.
"""

from collections.abc import Sequence

from packer.memory.compute_tensor import F32, GraphTensor

_MOST_REDUCED_EXPERTS = 15
_LARGEST_ROUTER = 512
_ODD_ROUTERS = (288, 576)
_GATED = ("swiglu", "geglu", "swiglu_oai", "swiglu_clamp")

Extensions = dict[int, list[GraphTensor]]


def count_uses(nodes: Sequence[GraphTensor]) -> dict[int, int]:
    """Readers of every tensor, by identity; empty where nothing can be fused."""
    uses: dict[int, int] = {}
    if any(node.operation == "mul_mat_id" for node in nodes):
        for node in nodes:
            for source in node.sources:
                uses[id(source)] = uses.get(id(source), 0) + 1
    return uses


def lifetime_extensions(
    run: list[GraphTensor], uses: dict[int, int], extensions: Extensions
) -> list[GraphTensor]:
    """Operations of one split in their final order; ``extensions`` receives what is kept alive.

    Args:
        run: Operations of the split.
        uses: Readers of every tensor before anything was copied, from ``count_uses``.
        extensions: Identity of a node → tensors that must live until it has run.
    """
    if not uses:
        return run
    fusion = _Fusion(list(run), uses, extensions)
    fusion.pair_shared_experts()
    fusion.find_routers_and_reductions()
    return fusion.run


class _Fusion:
    """Search for the patterns in one split."""

    def __init__(
        self, run: list[GraphTensor], uses: dict[int, int], extensions: Extensions
    ) -> None:
        self.run = run
        self._uses = uses
        self._extensions = extensions

    def pair_shared_experts(self) -> None:
        """Move a shared expert's gate, up and product directly behind the routed ones."""
        index = 0
        while index + 5 < len(self.run):
            if self.run[index].operation == "mul_mat_id":
                index += self._pair_at(index)
            index += 1

    def _pair_at(self, routed: int) -> int:
        """Nodes to skip after looking for the shared expert that goes with a routed one."""
        run = self.run
        for shared in range(routed + 3, len(run) - 2):
            if run[shared].operation == run[shared + 1].operation == "mul_mat_id":
                return 0
            if run[shared].operation == "mul_mat" and self._is_shared_pair(routed, shared):
                moved = run[shared : shared + 3]
                run[routed + 3 : shared + 3] = moved + run[routed + 3 : shared]
                up = run[routed + 2].sources[1]
                self._keep(up.sources[1:3], run[routed + 5])
                return 5
        return 0

    def _is_shared_pair(self, routed: int, shared: int) -> bool:
        """Whether routed and shared expert read the same rows through weights of one shape."""
        chosen = [*self.run[routed : routed + 3], *self.run[shared : shared + 3]]
        pattern = ("mul_mat_id", "mul_mat_id", "glu", "mul_mat", "mul_mat", "glu")
        if tuple(node.operation for node in chosen) != pattern or not self._is_closed(
            chosen, (chosen[2], chosen[5])
        ):
            return False
        if not (_is_gated_pair(chosen[:3]) and _is_gated_pair(chosen[3:])):
            return False
        return _reads_same_rows(chosen[2], chosen[5])

    def find_routers_and_reductions(self) -> None:
        """Keep operands of expert selection, and of the weighted sum of experts, alive."""
        index = 0
        while index < len(self.run):
            index += max(0, self._reduction_at(index) - 1)
            index += max(0, self._router_at(index) - 1)
            index += 1

    def _router_at(self, start: int) -> int:
        """Length of an expert selection starting here, 0 if there is none."""
        run = self.run
        pattern = _router_pattern(run, start)
        length = len(pattern)
        # Two results leave the kernel: the chosen experts and their weights.
        if not length or start + length > len(run):
            return 0
        nodes = run[start : start + length]
        chosen = nodes[pattern.index("argsort") + 1]
        if tuple(node.operation for node in nodes) != pattern:
            return 0
        if not self._is_closed(nodes, (chosen, nodes[-1])) or not _is_router(chosen):
            return 0
        if start + length < len(run):
            for node in nodes:
                self._keep((node, *node.sources), run[start + length])
        return length

    def _reduction_at(self, start: int) -> int:
        """Length of a weighted sum over experts starting here, 0 if there is none."""
        match = _weighted_experts(self.run, start)
        if match is None:
            return 0
        kept, weighted, products = match
        experts = weighted.shape[1]
        length = 2 * experts + products - 1
        nodes = self.run[start : start + length]
        if not 2 <= experts <= _MOST_REDUCED_EXPERTS or len(nodes) < length:
            return 0
        if not _sums_views(nodes[products:], weighted) or not self._is_closed(nodes, (nodes[-1],)):
            return 0
        self._keep(kept, nodes[-1])
        return length

    def _is_closed(self, nodes: Sequence[GraphTensor], results: Sequence[GraphTensor]) -> bool:
        """Whether nothing but ``results`` is read, shown or returned outside of ``nodes``."""
        inside = {id(node) for node in nodes}
        for position, node in enumerate(nodes):
            if any(node is result for result in results):
                continue
            later = nodes[position + 1 :]
            uses = sum(source is node for other in later for source in other.sources)
            if node.is_output or uses != self._uses.get(id(node), 0):
                return False
            root = node.root
            if root is not None and id(root) not in inside and not root.is_weight:
                return False
        return True

    def _keep(self, tensors: Sequence[GraphTensor], until: GraphTensor) -> None:
        kept = self._extensions.setdefault(id(until), [])
        kept += [
            tensor
            for position, tensor in enumerate(tensors)
            if not any(tensor is other for other in (*kept, *tensors[:position]))
        ]


def _router_pattern(run: Sequence[GraphTensor], start: int) -> tuple[str, ...]:
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


def _is_router(chosen: GraphTensor) -> bool:
    """Whether there is a kernel for this number of experts."""
    experts = chosen.layout[1] // chosen.layout[0]
    is_power = experts & (experts - 1) == 0 and experts <= _LARGEST_ROUTER
    return is_power or experts in _ODD_ROUTERS


def _is_gated_pair(nodes: Sequence[GraphTensor]) -> bool:
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


def _reads_same_rows(routed: GraphTensor, shared: GraphTensor) -> bool:
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


def _weighted_experts(
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


def _sums_views(nodes: Sequence[GraphTensor], weighted: GraphTensor) -> bool:
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
