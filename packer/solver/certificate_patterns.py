"""Bounds from item prices, with every GPU priced again by a knapsack. Part of the judge.

No set of replicas that fits a GPU in one dimension is worth more than what the knapsack finds, so
what all replicas are worth beyond what the GPUs can earn above their cost must be paid.
"""

from collections.abc import Mapping, Sequence
from math import gcd
from typing import Any

Document = Mapping[str, Any]

MOST_UNITS = 100_000
"""Largest capacity in the certificate's units; a stranger's finer ones would fill the memory."""


def pattern_value(instance: Document, certificate: Document) -> int:
    """The bound the certificate's prices prove. Exact.

    Raises:
        ValueError: A stored number is not what it should be.
    """
    scale, dim, prices = certificate["scale"], certificate["dim"], certificate["prices"]
    unit = certificate["unit"]
    kind = instance["objective"]
    _need(kind in ("gpus", "gpu_price") and _is_whole([scale, dim, unit, *prices]), "form")
    _need(scale > 0 and unit > 0 and dim in range(len(instance["dims"])), "scale or dimension")
    _need(len(prices) == len(instance["items"]) and min(prices, default=0) >= 0, "prices")
    _need(all(len(a["shares"]) == 1 for i in instance["items"] for a in i["alts"]), "width")
    costs = [1 if kind == "gpus" else one["gpu_price"] for one in instance["node_types"]]
    total: int = sum(p * item["count"] for p, item in zip(prices, instance["items"], strict=True))
    for one, cost, stored in zip(instance["node_types"], costs, certificate["earned"], strict=True):
        earned = _most_worth(instance, prices, one, dim, unit)
        _need(type(stored) is int and stored == earned, "worth of a GPU")
        gpus = (one["count"] - len(one.get("unavailable") or ())) * one["gpus"]
        total -= gpus * max(0, earned - scale * cost)
    grid = gcd(*costs) or 1
    bound: int = max(0, -(-total // (scale * grid)) * grid)
    return bound


def _most_worth(
    instance: Document, prices: Sequence[int], node_type: Document, dim: int, unit: int
) -> int:
    """Most that replicas on one GPU are worth: a knapsack over the capacity, item by item.

    In units: what fits still fits when shares and capacity are rounded down to them.
    """
    caps = node_type.get("gpu_caps") or [node_type["gpu_cap"]]
    capacity: int = max(cap[dim] for cap in caps) // unit
    _need(capacity <= MOST_UNITS, "unit")
    best = [0] * (capacity + 1)
    for price, item in zip(prices, instance["items"], strict=True):
        shares = [a["shares"][0][dim] // unit for a in item["alts"] if _allowed(a, node_type)]
        share = min(shares, default=capacity + 1)
        for _ in range(min(item["count"], capacity // share if share else item["count"])):
            shifted = [price + worth for worth in best[: capacity + 1 - share]]
            grown = best[:share] + [max(a, b) for a, b in zip(best[share:], shifted, strict=True)]
            if grown == best:
                break
            best = grown
    return best[capacity]


def _allowed(alternative: Document, node_type: Document) -> bool:
    types = alternative.get("gpu_types")
    return types is None or node_type["gpu_type"] in types


def _is_whole(values: Sequence[object]) -> bool:
    return all(type(value) is int for value in values)


def _need(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(f"the certificate's {what} does not hold")
