"""Which GPUs a step of the filling empties: those that could take what is left over, whole nodes.

Steps are counted over several seeds: how many one fleet takes is chance.
"""

import numpy as np
import pytest

from packer.solver import set_filling
from packer.solver.columns import build_columns
from packer.solver.instance import Placed
from packer.solver.instance_document import parse_instance
from packer.solver.packing import Packing
from packer.solver.room_pricing import RoomPricing
from packer.solver.set_filling import SetFilling
from packer.solver.stopping import Clock, Limits
from tests.tiny_packing import Document, alternative, instance, item, node_type

LIMITS = Limits(time_seconds=600.0, workers=1)
MOST_STEPS = 120


def steps_until_full(types: list[Document], items: list[Document], start: list[Placed]) -> int:
    """Steps of ten seeds together until everything has room on all the GPUs there are."""
    given = parse_instance(instance(types, items))
    clock = Clock(LIMITS)
    pricing = RoomPricing(given, build_columns(given), clock)
    nodes = [len(one.available) for one in given.node_types]
    gpus = [n * one.gpus for n, one in zip(nodes, given.node_types, strict=True)]
    prices = pricing.prices(gpus, nodes)
    assert prices is not None
    total = 0
    for seed in range(10):
        every = np.ones(sum(gpus), dtype=bool)
        filling = SetFilling(Packing(pricing.geometry, start), every, prices, clock, seed)
        filling.improve(MOST_STEPS, lambda: True)
        total += filling.steps
    return total


def one_gpu_of_three_hundred() -> int:
    """``w`` runs on one GPU alone, where ``x`` sits; most others have more slack."""
    types = [
        node_type("a", count=150, gpus=2, gpu_cap=[100]),
        node_type("b", count=1, gpus=1, gpu_cap=[100]),
    ]
    items = [
        item("body", 300, alternative([15])),
        item("x", 1, alternative([80])),
        item("w", 1, alternative([90], gpu_types=["B"])),
    ]
    bodies = [Placed("body", 0, 0, k // 2, (k % 2,)) for k in range(300)]
    return steps_until_full(types, items, [*bodies, Placed("x", 0, 1, 0, (0,))])


def pairs_that_must_move() -> int:
    """Three more need a GPU of a kind whose nodes all run a replica on two GPUs."""
    types = [node_type(name, count=30, gpus=2, gpu_cap=[100]) for name in ("a", "b")]
    items = [
        item("body", 60, alternative([15])),
        item("pair", 30, alternative([80], [80])),
        item("w", 3, alternative([90], gpu_types=["B"])),
    ]
    bodies = [Placed("body", 0, 0, k // 2, (k % 2,)) for k in range(60)]
    return steps_until_full(
        types, items, bodies + [Placed("pair", 0, 1, k, (0, 1)) for k in range(30)]
    )


def test_steps_around_nodes_that_could_take_it_bring_a_picky_replica_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_them = one_gpu_of_three_hundred()
    monkeypatch.setattr(set_filling, "FOR_LEFT_OVER", 0.0)
    assert 3 * with_them < one_gpu_of_three_hundred()


def test_steps_on_whole_nodes_move_what_spans_them(monkeypatch: pytest.MonkeyPatch) -> None:
    with_them = pairs_that_must_move()
    monkeypatch.setattr(set_filling, "WHOLE_NODES", 0.0)
    assert 2 * with_them < pairs_that_must_move()
