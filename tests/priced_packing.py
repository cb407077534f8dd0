"""A packing problem with a price on every kind of row, and what each place and card then pays."""

from typing import Any

from tests.tiny_packing import Document, alternative, instance, item, node_type


def leaf(types: int = 1, **changes: Any) -> Document:
    """A leaf without prices."""
    return {
        "capacity": [[0]] * types,
        "node": [[0]] * types,
        "gpu_node": [0] * types,
        "node_gpu": [0] * types,
        "functions": [],
        "spread_gpu": [],
        "spread_node": [],
        "demand": [],
        "value": 0,
    } | changes


def mixed_problem() -> Document:
    """Two node types, one with unequal cards, and every kind of row."""
    types = [
        node_type("a", count=3, unavailable=[1]),
        node_type("b", count=2, gpu_cap=[12], gpu_caps=[[8], [12]], node_cap=[50], gpu_price=5),
    ]
    wide = alternative([7], [7], node=[9])
    small = alternative([9], node=[2], gpu_types=["B"])
    x = item("x", 3, alternative([4], node=[5]), max_per_gpu=1, max_per_node=2)
    return instance(types, [x, item("y", 2, wide, small)], objective="gpu_price")


FUNCTIONS: list[tuple[int, int, str, int]] = [(0, 0, "fs", 1), (1, 0, "mt", 3), (1, 0, "ccm", 4)]
ON_A, ON_B = 4 * 2 + 5 * 1 + 17, 4 * 3 + 5 * 4 + 19 + 11 * 4 + 13 * 2
Y_ON_A = 14 * 2 + 9 * 1 + 7 * (10 + 10)
DEMAND = [min(ON_A, ON_B), Y_ON_A]
GPU_A = 3 * 10 + 5 - 2 - 2 * 10 - 7 * 10 - 17 * 1
GPU_B8, GPU_B12 = (5 * 10 + 1 - 3 - 3 * room - 11 * 12 - 13 * 6 for room in (8, 12))
NODE_A, NODE_B = 2 - 2 * 5 - 1 * 100, 3 - 2 * 1 - 4 * 50 - 19 * 2
PAID = 3 * DEMAND[0] + 2 * DEMAND[1]
PRICED = leaf(
    2,
    capacity=[[2], [3]],
    node=[[1], [4]],
    gpu_node=[5, 1],
    node_gpu=[2, 3],
    functions=[7, 11, 13],
    spread_gpu=[[0, 0, 17]],
    spread_node=[[0, 1, 19]],
    demand=DEMAND,
    value=PAID + 4 * GPU_A + 2 * GPU_B8 + 2 * GPU_B12 + 2 * NODE_A + 2 * NODE_B,
)
