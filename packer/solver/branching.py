"""Best-first branching on GPUs per class and nodes per type; every leaf is exact."""

import heapq
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

from packer.solver.card_classes import card_classes, cost_of_everything, node_cost
from packer.solver.certificate import (
    Leaf,
    LinearCertificate,
    Split,
    evaluate_leaf,
    round_prices,
)
from packer.solver.instance import Instance
from packer.solver.relaxation import Relaxation
from packer.solver.relaxation_result import RelaxationResult

_WHOLE = 1e-6
"""Distance from a whole number that counts as none."""


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
        enough = cost_of_everything(self._relaxation.instance) + self._grid
        enough = enough if target is None else min(enough, target)
        while heap and len(heap) + len(finished) < most_leaves and may_go_on():
            value, _, node = heapq.heappop(heap)
            choice = None if self._rounded(value) >= enough else self._fractional(node)
            if choice is None:
                finished.append(node)
                if self._rounded(value) < enough:
                    break
                continue
            for child in self._children(node, *choice):
                heapq.heappush(heap, (child.leaf.value, next(self._order), child))
        nodes = finished + [node for _, _, node in heap]
        bound = self._rounded(min(node.leaf.value for node in nodes))
        certificate = LinearCertificate(
            self._scale, tuple(self._relaxation.functions), _tree_of(nodes), bound
        )
        return ProvenBound(bound, certificate, root, self._relaxation)

    def _fractional(self, node: _Node) -> tuple[str, int, int] | None:
        """The variable furthest from whole, nodes before GPUs; None if all are whole."""
        best: tuple[float, str, int, int] | None = None
        charged = any(node_cost(self._relaxation.instance, t) for t in range(len(node.result.z)))
        for name, values, limits in (
            ("z", node.result.z, node.leaf.z),
            ("y", node.result.y, node.leaf.y),
        ):
            if name == "z" and not charged:
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
            leaf = evaluate_leaf(
                self._relaxation, node.leaf.prices, self._scale, tuple(y), tuple(z)
            )
            if result is not None:
                prices = round_prices(result.prices, self._scale)
                own = evaluate_leaf(self._relaxation, prices, self._scale, tuple(y), tuple(z))
                leaf = max(leaf, own, key=lambda one: one.value)
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
