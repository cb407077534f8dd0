"""Best-first branching on GPUs per class and nodes per type; every leaf is exact."""

import heapq
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from packer.solver.card_classes import card_classes, cost_of_everything, node_cost
from packer.solver.certificate import (
    IntegerPrices,
    Leaf,
    Limits,
    LinearCertificate,
    Split,
    evaluate_leaf,
    round_prices,
)
from packer.solver.function_rows import add_functions
from packer.solver.instance import Instance
from packer.solver.relaxation import Relaxation
from packer.solver.relaxation_result import RelaxationResult

_WHOLE = 1e-6
"""Distance from a whole number that counts as none."""
_UNSERVED = 1e-7
"""Replicas without room from which a part of the branching may hold no placement at all."""
_STRESS = (16, 4096, 2**20)
"""Factors that raise the prices of such a part: what it proves grows without end."""
_FUNCTION_ROUNDS = 6


@dataclass(frozen=True)
class ProvenBound:
    """A bound with what proves it, and the relaxation's answer at the root.

    Attributes:
        value: No placement costs less; above ``cost_of_everything`` no placement exists.
    """

    value: int
    certificate: LinearCertificate
    root: RelaxationResult
    relaxation: Relaxation


def objective_grid(instance: Instance) -> int:
    """Greatest common divisor of all prices: objectives are its multiples."""
    costs = [one.cost for one in card_classes(instance)]
    costs += [node_cost(instance, t) for t in range(len(instance.node_types))]
    return math.gcd(*costs) or 1


@dataclass
class _Node:
    """An open part of the branching with where it hangs in the tree."""

    result: RelaxationResult
    leaf: Leaf
    parent: "_Branch | None"
    is_left: bool
    is_sharp: bool = False


@dataclass
class _Branch:
    variable: str
    position: int
    at: int
    parent: "_Branch | None"
    is_left: bool
    left: "_Branch | Leaf | None" = None
    right: "_Branch | Leaf | None" = None


class Branching:
    """Best-first search; open leaves wait in a heap by what they prove."""

    def __init__(self, relaxation: Relaxation, scale: int, grid: int) -> None:
        self._relaxation, self._scale, self._grid = relaxation, scale, grid
        self._order = itertools.count()
        self._enough = cost_of_everything(relaxation.instance) + grid

    def _rounded(self, value: int) -> int:
        step = self._scale * self._grid
        return max(0, -(-value // step) * self._grid)

    def run(
        self,
        root: RelaxationResult,
        leaf: Leaf,
        most_leaves: int,
        target: int | None,
        may_go_on: Callable[[], bool],
    ) -> ProvenBound:
        """Branch until a limit; the tree collected is the certificate."""
        first = _Node(root, leaf, None, False)
        heap = [(leaf.value, next(self._order), first)]
        finished: list[_Node] = []
        self._enough = self._enough if target is None else min(self._enough, target)
        while heap and len(heap) + len(finished) < most_leaves and may_go_on():
            node = heapq.heappop(heap)[-1]
            if self._rounded(node.leaf.value) >= self._enough:
                finished.append(node)
                continue
            choice = self._fractional(node)
            if choice is None and (node.is_sharp or most_leaves == 1):
                finished.append(node)
                break
            parts = (
                [self._sharpened(node, may_go_on)]
                if choice is None
                else self._children(node, *choice)
            )
            for part in parts:
                heapq.heappush(heap, (part.leaf.value, next(self._order), part))
        nodes = finished + [node for _, _, node in heap]
        for node in nodes:
            node.leaf = replace(node.leaf, prices=self._padded(node.leaf.prices))
        bound = self._rounded(min(node.leaf.value for node in nodes))
        certificate = LinearCertificate(
            self._scale, tuple(self._relaxation.functions), _tree_of(nodes), bound
        )
        return ProvenBound(bound, certificate, root, self._relaxation)

    def _padded(self, prices: IntegerPrices) -> IntegerPrices:
        """Prices from before the latest functions were added, which they give nothing for."""
        missing = len(self._relaxation.functions) - len(prices.functions)
        return replace(prices, functions=prices.functions + (0,) * missing)

    def _sharpened(self, node: _Node, may_go_on: Callable[[], bool]) -> _Node:
        """A part that cannot be branched on, with the functions that it alone violates."""
        leaf = node.leaf
        self._relaxation.set_bounds(list(leaf.y), list(leaf.z))
        result = self._relaxation.solve()
        if result is not None:
            result = add_functions(self._relaxation, result, _FUNCTION_ROUNDS, may_go_on)
            leaf = self._leaf(leaf, result, leaf.y, leaf.z)
        return _Node(result or node.result, leaf, node.parent, node.is_left, is_sharp=True)

    def _leaf(self, known: Leaf, result: RelaxationResult | None, y: Limits, z: Limits) -> Leaf:
        """The strongest leaf by prices already known, and those of the relaxation there."""
        found = [self._evaluated(self._padded(known.prices), y, z)]
        if result is not None:
            prices = round_prices(result.prices, self._scale)
            found.append(self._evaluated(prices, y, z))
            for factor in _STRESS if float(result.unserved.sum()) > _UNSERVED else ():
                if self._rounded(found[-1].value) >= self._enough:
                    break
                found.append(self._evaluated(prices.times(factor), y, z))
        return max(found, key=lambda one: one.value)

    def _evaluated(self, prices: IntegerPrices, y: Limits, z: Limits) -> Leaf:
        return evaluate_leaf(self._relaxation, prices, self._scale, y, z)

    def _fractional(self, node: _Node) -> tuple[str, int, int] | None:
        """The variable furthest from whole, nodes before GPUs; None if all are whole."""
        best: tuple[float, str, int, int] | None = None
        charged = any(node_cost(self._relaxation.instance, t) for t in range(len(node.result.z)))
        for name, values, limits in (
            ("z", node.result.z, node.leaf.z),
            ("y", node.result.y, node.leaf.y),
        ):
            if charged != (name == "z"):
                continue
            for position, value in enumerate(values):
                low, high = limits[position]
                away = min(value - math.floor(value), math.ceil(value) - value)
                if (
                    away > _WHOLE
                    and low <= math.floor(value) < high
                    and (best is None or away > best[0])
                ):
                    best = float(away), name, position, math.floor(value)
            if best is not None:
                return best[1:]
        return None

    def _children(self, node: _Node, variable: str, position: int, at: int) -> list[_Node]:
        branch = _Branch(variable, position, at, node.parent, node.is_left)
        _hang(node.parent, node.is_left, branch)
        children = []
        for is_left in (True, False):
            y, z = list(node.leaf.y), list(node.leaf.z)
            limits = y if variable == "y" else z
            low, high = limits[position]
            limits[position] = (low, at) if is_left else (at + 1, high)
            self._relaxation.set_bounds(y, z)
            result = self._relaxation.solve()
            leaf = self._leaf(node.leaf, result, tuple(y), tuple(z))
            children.append(_Node(result or node.result, leaf, branch, is_left))
        return children


def _hang(parent: _Branch | None, is_left: bool, child: "_Branch | Leaf") -> None:
    if parent is not None and is_left:
        parent.left = child
    elif parent is not None:
        parent.right = child


def _tree_of(nodes: list[_Node]) -> Split | Leaf:
    """The whole branching as an immutable tree."""
    top: _Branch | None = None
    for node in nodes:
        _hang(node.parent, node.is_left, node.leaf)
        branch = node.parent
        while branch is not None:
            top, branch = branch, branch.parent
    return nodes[0].leaf if top is None else _frozen(top)


def _frozen(branch: "_Branch | Leaf | None") -> Split | Leaf:
    if isinstance(branch, Leaf):
        return branch
    if branch is None:
        raise RuntimeError("a branching has an open end")
    return Split(
        branch.variable, branch.position, branch.at, _frozen(branch.left), _frozen(branch.right)
    )
