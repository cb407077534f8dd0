"""Rentable nodes: leaving out useless ones and the short menu change nothing of the optimum.

The judge tries every placement on the whole instance; it knows nothing of what was left out.
"""

import random
from functools import cache
from typing import Any
from unittest.mock import patch

import pytest

from packer.solver import short_menu
from packer.solver.instance_document import parse_instance
from packer.solver.instance_writer import format_placed
from packer.solver.outcome import Status
from packer.solver.short_menu import solve_rentals
from packer.solver.stopping import Limits
from packer.solver.useful_nodes import useful_nodes
from tests.packing_brute_force import judged_objective, optimum

LIMITS = Limits(time_seconds=600, workers=1)
CASES = 64
Document = dict[str, Any]


def menu(seed: int) -> Document:
    """Few replicas, some allowed on spot, and instance types at prices like real ones.

    Twins with more memory, several cards at a discount or not, and some also as spot.
    """
    draw = random.Random(seed)
    types: list[Document] = []
    for product in ("A", "B")[: draw.randint(1, 2)]:
        room = draw.randint(6, 14)
        for gpus in (1, 2)[: draw.randint(1, 2)]:
            price = draw.randint(5, 12) * gpus
            host = draw.randint(4, 9) * gpus
            base: Document = {
                "gpu_type": product,
                "gpus": gpus,
                "gpu_cap": [room],
                "node_cap": [host],
                "gpu_price": 1,
                "node_price": price,
                "count": draw.randint(1, 3 - gpus),
            }
            types.append(base)
            if draw.random() < 0.6:
                larger = {**base, "node_cap": [host + draw.randint(1, 6)]}
                types.append({**larger, "node_price": price + draw.randint(0, 3)})
            if draw.random() < 0.4:
                spot = {**base, "gpu_type": f"{product} (spot)", "node_price": max(1, price // 2)}
                types.append(spot)
    for number, one in enumerate(types):
        one["name"] = f"t{number}"
        if draw.random() < 0.3 and one["count"] > 1:
            one["zones"] = {"z0": 1, "z1": one["count"] - 1}
    items = [_item(draw, number) for number in range(draw.randint(2, 3))]
    while sum(item["count"] for item in items) > 4:
        items[0]["count"] = items[1]["count"] = 1
    return {
        "schema": "gpupack/1",
        "name": f"menu {seed}",
        "dims": ["vram"],
        "node_dims": ["host"],
        "objective": "node_price",
        "node_types": types,
        "items": items,
        "constraints": [],
    }


@cache
def least(seed: int) -> int | None:
    """Least price of a case, by trying everything."""
    return optimum(menu(seed))


def twins(seed: int) -> Document:
    """As many nodes of each as there are replicas, equal but for memory and price."""
    draw = random.Random(seed)
    small = {
        "name": "small",
        "gpu_type": "A",
        "gpus": 1,
        "gpu_cap": [12],
        "node_cap": [draw.randint(3, 6)],
        "gpu_price": 1,
        "node_price": draw.randint(5, 9),
        "count": 3,
    }
    large = {**small, "name": "large", "node_cap": [draw.randint(6, 9)]}
    large["node_price"] = draw.randint(5, 14)
    alternative = {"gpu_types": ["A"], "one_link": False, "penalty": 0, "name": "a"}
    limits = {"max_per_gpu": None, "max_per_node": None, "max_per_zone": None}
    return {
        **menu(seed),
        "node_types": draw.sample([small, large], 2),
        "items": [
            {
                "name": f"i{number}",
                "count": 1,
                **limits,
                "alts": [
                    {**alternative, "shares": [[draw.randint(1, 6)]], "node": [draw.randint(1, 5)]}
                ],
            }
            for number in range(3)
        ],
    }


def _item(draw: random.Random, number: int) -> Document:
    size, host = draw.randint(2, 9), draw.randint(1, 4)
    count = draw.randint(1, 2)
    products = ["A", "B"]
    if draw.random() < 0.5:
        products += ["A (spot)", "B (spot)"]
    shares = [[[size]], [[-(-size // 2) + 1], [-(-size // 2) + 1]]]
    return {
        "name": f"i{number}",
        "count": count,
        "max_per_gpu": None,
        "max_per_node": 1 if count > 1 and draw.random() < 0.4 else None,
        "max_per_zone": None,
        "alts": [
            {
                "name": f"a{ways}",
                "shares": share,
                "node": [host],
                "gpu_types": products,
                "one_link": False,
                "penalty": 0,
            }
            for ways, share in enumerate(shares[: draw.randint(1, 2)])
        ],
    }


@pytest.mark.parametrize("seed", range(CASES))
def test_the_cheapest_mix_is_that_of_trying_everything(seed: int) -> None:
    document = menu(seed)
    best = least(seed)
    instance = parse_instance(document)
    with patch.object(short_menu, "_MOST_SPOTS", 0 if seed % 2 else 60_000):
        solution = solve_rentals(instance, LIMITS)
    if best is None:
        assert solution.status is Status.INFEASIBLE
        return
    assert solution.status is Status.OPTIMAL
    assert solution.objective == solution.bound == best
    assert judged_objective(document, format_placed(solution.placed)) == best


@pytest.mark.parametrize("seed", range(40))
def test_a_dearer_twin_is_only_left_out_where_its_memory_is_not_needed(seed: int) -> None:
    document = twins(seed)
    best = optimum(document)
    solution = solve_rentals(parse_instance(document), LIMITS)
    assert solution.objective == best
    assert (solution.status is Status.INFEASIBLE) == (best is None)


def test_twins_are_left_out_and_kept() -> None:
    kept = [
        tuple(bool(some) for some in useful_nodes(parse_instance(twins(seed))).indices)
        for seed in range(40)
    ]
    assert {(True, False), (False, True), (True, True)} <= set(kept)


def test_the_cases_are_worth_trying() -> None:
    """Most are possible, and in many a node is left out."""
    documents = [menu(seed) for seed in range(CASES)]
    assert sum(least(seed) is not None for seed in range(CASES)) >= 50
    fewer = [
        sum(map(len, useful_nodes(instance).indices)) < sum(t.count for t in instance.node_types)
        for instance in map(parse_instance, documents)
    ]
    assert sum(fewer) >= 15
