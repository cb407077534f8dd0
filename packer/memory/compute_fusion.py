"""Operands that CUDA keeps alive longer, so that it can run several operations in one kernel.

Source for the whole module: llama.cpp b11434, ggml/src/ggml-cuda/ggml-cuda.cu,
ggml_backend_cuda_graph_optimize() and the matchers it calls. Only experts are concerned.
"""

from collections.abc import Sequence

from packer.memory.compute_expert_patterns import (
    is_gated_pair,
    is_router,
    reads_same_rows,
    router_pattern,
    sums_views,
    weighted_experts,
)
from packer.memory.compute_tensor import GraphTensor

_MOST_REDUCED_EXPERTS = 15

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
        while index < len(self.run):
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
                self._keep(up.sources[1:], run[routed + 5])
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
        if not (is_gated_pair(chosen[:3]) and is_gated_pair(chosen[3:])):
            return False
        return reads_same_rows(chosen[2], chosen[5])

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
        pattern = router_pattern(run, start)
        if not pattern:
            return 0
        length = len(pattern)
        nodes = run[start : start + length]
        # Two results leave the kernel: the chosen experts and their weights.
        chosen = nodes[pattern.index("argsort") + 1]
        if not self._is_closed(nodes, (chosen, nodes[-1])) or not is_router(chosen):
            return 0
        if start + length < len(run):
            for node in nodes:
                self._keep((node, *node.sources), run[start + length])
        return length

    def _reduction_at(self, start: int) -> int:
        """Length of a weighted sum over experts starting here, 0 if there is none."""
        match = weighted_experts(self.run, start)
        if match is None:
            return 0
        kept, weighted, products = match
        experts = weighted.shape[1]
        length = 2 * experts + products - 1
        nodes = self.run[start : start + length]
        if not 2 <= experts <= _MOST_REDUCED_EXPERTS or len(nodes) < length:
            return 0
        if not sums_views(nodes[products:], weighted) or not self._is_closed(nodes, (nodes[-1],)):
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
