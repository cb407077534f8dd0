"""The proven lower bound: compact relaxation, dual feasible rows, then branching on GPUs and nodes.

Best-first branch and bound over the integer numbers of GPUs per class and nodes per type. The
value of every leaf is exact, so the smallest of them, rounded up to the grid of the prices, is a
certificate no floating-point number is trusted in.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from packer.solver.branching import Branching, ProvenBound, objective_grid
from packer.solver.certificate import (
    Limits,
    LinearCertificate,
    evaluate_leaf,
    price_scale,
    round_prices,
)
from packer.solver.columns import Columns
from packer.solver.function_rows import add_functions
from packer.solver.instance import Instance
from packer.solver.relaxation import Relaxation
from packer.solver.uniform_price import uniform_prices


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
    seconds: float = 1e6,
) -> ProvenBound:
    """The bound; branching stops at ``most_leaves``, at ``target``, or when told to.

    No solve of the relaxation takes longer than ``seconds``; one that would proves nothing new.
    """
    relaxation = Relaxation(instance, columns)
    relaxation.limit_time(seconds)
    root = relaxation.solve() or relaxation.idle()
    root = add_functions(relaxation, root, function_rounds, may_go_on)
    scale = price_scale(instance)
    y: Limits = tuple((0, one.count) for one in relaxation.classes)
    z: Limits = tuple((0, len(one.available)) for one in instance.node_types)
    leaf = evaluate_leaf(relaxation, round_prices(root.prices, scale), scale, y, z)
    tree = Branching(relaxation, scale, objective_grid(instance))
    return tree.run(root, leaf, most_leaves, target, may_go_on)
