"""The proven lower bound: compact relaxation, dual feasible rows, then branching on GPUs and nodes.

Best-first branch and bound over the integer numbers of GPUs per class and nodes per type. The
value of every leaf is exact, so the smallest of them, rounded up to the grid of the prices, is a
certificate no floating-point number is trusted in.
"""

import heapq
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from packer.solver.card_classes import card_classes, cost_of_everything, node_cost
from packer.solver.certificate import (
    Leaf,
    Limits,
    LinearCertificate,
    Split,
    evaluate_leaf,
    price_scale,
    round_prices,
)
from packer.solver.columns import Columns
from packer.solver.dual_feasible import candidate_functions
from packer.solver.instance import Instance
from packer.solver.relaxation import FunctionRow, Relaxation, RelaxationResult
from packer.solver.uniform_price import uniform_prices

_WHOLE = 1e-6


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


def objective_grid(instance: Instance) -> int:
    """Greatest common divisor of all prices: objectives are its multiples."""
    costs = [one.cost for one in card_classes(instance)]
    costs += [node_cost(instance, t) for t in range(len(instance.node_types))]
    return math.gcd(*costs) or 1


def quick_bound(instance: Instance, columns: Columns) -> ProvenBound:
    """The bound of one price for one dimension: a fractional knapsack, in milliseconds."""
    relaxation = Relaxation(instance, columns, prepare=False)
    counts = np.array([item.count for item in instance.items], dtype=float)
    types = len(instance.node_types)
    prices = uniform_prices(columns, counts, relaxation.classes, types)
    scale = price_scale(instance)
    y: Limits = tuple((0, one.count) for one in relaxation.classes)
    z: Limits = tuple((0, len(one.available)) for one in instance.node_types)
    leaf = evaluate_leaf(relaxation, round_prices(prices, scale), scale, y, z)
    step = scale * objective_grid(instance)
    bound = max(0, -(-leaf.value // step) * objective_grid(instance))
    root = replace(relaxation.idle(), prices=prices)
    return ProvenBound(bound, LinearCertificate(scale, (), leaf, bound), root, relaxation)


def prove_bound(
    instance: Instance,
    columns: Columns | None = None,
    *,
    function_rounds: int = 6,
    most_leaves: int = 1,
    target: int | None = None,
    may_go_on: Callable[[], bool] = lambda: True,
) -> ProvenBound:
    """The bound; branching stops at ``most_leaves``, at ``target``, or when told to."""
    relaxation = Relaxation(instance, columns)
    root = relaxation.solve() or relaxation.idle()
    root = _add_functions(relaxation, root, function_rounds, may_go_on)
    scale = price_scale(instance)
    y: Limits = tuple((0, one.count) for one in relaxation.classes)
    z: Limits = tuple((0, len(one.available)) for one in instance.node_types)
    leaf = evaluate_leaf(relaxation, round_prices(root.prices, scale), scale, y, z)
    tree = _Branching(relaxation, scale, objective_grid(instance))
    return tree.run(root, leaf, most_leaves, target, may_go_on)


class _Branching:
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


def _add_functions(
    relaxation: Relaxation,
    result: RelaxationResult,
    rounds: int,
    may_go_on: Callable[[], bool],
) -> RelaxationResult:
    """Separate violated dual feasible functions, at most one per type and dimension a round."""
    for _ in range(rounds):
        if not may_go_on():
            break
        violated = _violated_functions(relaxation, result)
        if not violated:
            break
        for row in violated:
            relaxation.add_function(row)
        before = result.objective
        better = relaxation.solve()
        if better is None:
            break
        result = better
        if result.objective < before + 1e-6 * max(1.0, before):
            break
    return result


def _violated_functions(relaxation: Relaxation, result: RelaxationResult) -> list[FunctionRow]:
    columns, found = relaxation.columns, []
    active = np.flatnonzero(result.x > 1e-9)
    known = set(relaxation.functions)
    for t, node_type in enumerate(relaxation.instance.node_types):
        opened = sum(
            y for y, one in zip(result.y, relaxation.classes, strict=True) if one.node_type == t
        )
        chosen = active[columns.node_type[active] == t]
        if opened < 1e-9 or not len(chosen):
            continue
        for d in range(len(relaxation.instance.dims)):
            capacity = max(caps[d] for caps in node_type.capacities)
            row = _most_violated(columns, chosen, result, t, d, capacity, opened)
            if row is not None and row not in known:
                found.append(row)
    return found


def _most_violated(
    columns: Columns,
    chosen: "np.ndarray[tuple[int], np.dtype[np.int64]]",
    result: RelaxationResult,
    t: int,
    d: int,
    capacity: int,
    opened: float,
) -> FunctionRow | None:
    shares = columns.shares[chosen, :, d]
    best: FunctionRow | None = None
    most = opened * (1 + 1e-6) + 1e-9
    for function in candidate_functions(shares, capacity, 40):
        if function.denominator <= 0:
            continue
        used = (
            float((function.numerators(shares).sum(axis=1) * result.x[chosen]).sum())
            / function.denominator
        )
        if used > most:
            best, most = FunctionRow(t, d, function), used
    return best
