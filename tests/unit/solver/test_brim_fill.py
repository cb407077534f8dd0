"""Fleets that leave no MiB free: one GPU less, by exact sums; and nothing changed where not."""

import random
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from benchmarks.solver_instances import perfect_cut
from packer.solver.brim_fill import BrimFill
from packer.solver.certificate_check import verify_solution
from packer.solver.columns import Columns, build_columns
from packer.solver.exact_sums import PairSums
from packer.solver.geometry import build_geometry
from packer.solver.guided_fill import guided_fill
from packer.solver.instance_document import parse_instance
from packer.solver.movable_load import MovableLoad
from packer.solver.packing import Packing
from packer.solver.phase_steps import QUICK
from packer.solver.solution_document import format_solution
from packer.solver.solve import solve
from packer.solver.stopping import Limits
from packer.solver.wide_dealing import deal_wide


def piece(name: str, *shares: list[int], node: int = 0, **limits: int) -> dict[str, Any]:
    way = {"name": "a", "shares": list(shares), "node": [node], "gpu_types": None}
    none = {"max_per_gpu": None, "max_per_node": None, "max_per_zone": None}
    return {"name": name, "count": 1, "alts": [{**way, "one_link": False}], **none, **limits}


def document(items: list[dict[str, Any]], nodes: int, host: int) -> dict[str, Any]:
    node_type = {"name": "n", "gpu_type": "g", "count": nodes, "gpus": 4, "gpu_cap": [1000, 100]}
    prices = {"node_cap": [host], "gpu_price": 1, "node_price": 4}
    return {
        "schema": "gpupack/1",
        "name": "brim",
        "dims": ["vram_mib", "bw_gbps"],
        "node_dims": ["host_ram_mib"],
        "objective": "gpus",
        "node_types": [{**node_type, **prices}],
        "items": items,
        "constraints": [],
    }


def cut_fleet(seed: int, nodes: int, *, wide: int = 0, pairs: int = 0) -> dict[str, Any]:
    """GPUs of 1000 cut into pieces, some joined to replicas of two GPUs or kept off one node."""
    draw = random.Random(seed)
    items: list[dict[str, Any]] = []
    for node in range(nodes):
        rooms = [[1000, 100] for _ in range(4)]
        if node < wide:
            items.append(piece(f"wide{node}", [draw.randint(200, 600), 10], [300, 10], node=40))
            rooms[0][0] -= items[-1]["alts"][0]["shares"][0][0]
            rooms[1][0] -= 300
        for room, _ in rooms:
            cuts = sorted(draw.sample(range(30, room - 30), 3))
            for size in np.diff([0, *cuts, room]).tolist():
                items.append(piece(f"p{len(items)}", [size, draw.randint(1, 18)], node=10))
    for k in range(pairs):
        items[-1 - k]["max_per_node"] = 1
    draw.shuffle(items)
    return document(items, nodes + 1, 40 + 16 * 10 + 20)


def load_of(fleet: dict[str, Any]) -> tuple[MovableLoad, Columns]:
    instance = parse_instance(fleet)
    geometry, columns = build_geometry(instance), build_columns(instance)
    packing = guided_fill(geometry, columns, None, QUICK, lambda: True)
    assert not packing.missing()
    return MovableLoad(packing, columns), columns


def state_of(load: MovableLoad) -> object:
    bins = sorted((b.gpu, tuple(sorted(b.items)), b.room, b.load, b.has_fixed) for b in load.bins)
    return bins, sorted(load.node_left.items()), list(load.wide)


@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_wasted(seed: int) -> None:
    fleet = cut_fleet(seed, 3, wide=2, pairs=3)
    solution = solve(parse_instance(fleet), Limits(time_seconds=30, workers=1, effort=0.5))
    verdict = verify_solution(fleet, format_solution(solution))
    assert (verdict.objective, verdict.bound) == (12, 12)


@pytest.mark.parametrize("seed", [1, 2])
def test_fresh_perfect_cuts_are_solved(seed: int) -> None:
    fleet = perfect_cut(seed, (1, 2))
    solution = solve(parse_instance(fleet), Limits(time_seconds=60, workers=1, effort=0.5))
    verdict = verify_solution(fleet, format_solution(solution))
    assert verdict.objective == verdict.bound == fleet["known"]["optimum"]


def test_a_failed_try_changes_nothing() -> None:
    load, columns = load_of(cut_fleet(5, 3, wide=2))
    before, cost = state_of(load), load.packing().objective
    brim = BrimFill(load, columns, 0)
    assert brim.applies() == (cost == 13)
    assert not brim.run(0, lambda: True)
    assert state_of(load) == before
    assert load.packing().objective == cost


def test_where_no_gpu_can_be_spared_it_does_not_apply() -> None:
    items = [piece(f"p{k}", [700, 1]) for k in range(3)]
    load, columns = load_of(document(items, 1, 100))
    brim = BrimFill(load, columns, 0)
    assert not brim.applies()
    assert not brim.run(10, lambda: True)


def test_pieces_that_fill_nothing_stay_where_they_were() -> None:
    items = [piece(f"p{k}", [660, 1]) for k in range(3)]
    items.append(piece("wide", [5, 1], [5, 1], node=7))
    load, columns = load_of(document(items, 2, 100))
    before = state_of(load)
    brim = BrimFill(load, columns, 0)
    assert brim.applies()
    assert not brim.run(10, lambda: True)
    assert state_of(load) == before


def test_wide_replicas_dealt_anew_go_back_where_that_did_not_help() -> None:
    failed = 0
    for seed in range(40):
        load, columns = load_of(cut_fleet(seed, 3, wide=3))
        before, placed = state_of(load), sorted(load.packing().placed)
        if BrimFill(load, columns, 0).run(1, lambda: False):
            continue
        failed += 1
        assert state_of(load) == before
        assert sorted(load.packing().placed) == placed
    assert failed >= 3


def test_room_that_is_free_anyway_is_left_to_consolidation() -> None:
    items = [piece(f"p{k}", [size, 1]) for k, size in enumerate([600, 600, 300, 300, 100])]
    load, columns = load_of(document(items, 1, 100))
    for one in load.bins[1:]:
        load.put([load.bins[0], one], [[], one.items])
    assert not BrimFill(load, columns, 0).applies()


@pytest.mark.parametrize("seed", range(6))
def test_wide_replicas_are_dealt_within_capacity(seed: int) -> None:
    load, columns = load_of(cut_fleet(seed, 3, wide=3))
    for one in load.bins:
        load.put([one], [[]])
    before = list(load.wide)
    dealt = deal_wide(load, load.bins, columns, np.random.default_rng(seed))
    empty = Packing(load.geometry, load.wide)
    assert dealt
    assert {one.item for one in load.wide} == {one.item for one in before}
    assert (empty.free >= 0).all()
    assert (empty.node_free >= 0).all()
    for one in load.bins:
        assert one.room == tuple(empty.free[one.gpu].tolist())
        assert one.has_fixed == bool(empty.gpu_replicas[one.gpu])
    assert load.node_left == dict(enumerate(empty.node_free.tolist()))


def test_wide_replicas_share_no_node_that_has_room_for_one() -> None:
    items = [piece(f"w{k}", [100, 1], [100, 1], node=60) for k in range(3)]
    load, columns = load_of(document(items, 3, 100))
    for seed in range(5):
        assert deal_wide(load, load.bins, columns, np.random.default_rng(seed))
        assert len({one.node for one in load.wide}) == 3


def test_spread_limits_hold_for_every_filling() -> None:
    items = [piece(f"p{k}", [100, 1]) for k in range(2)]
    items[0] |= {"count": 2, "max_per_node": 1}
    load, _ = load_of(document(items, 2, 100))
    limited, other = 0, 1
    for one in load.bins:
        load.put([one], [[]])
    spare = next(one for one in load.bins if one.node == load.bins[0].node)
    elsewhere = next((one for one in load.bins if one.node != spare.node), None)
    assert not load.put([spare], [[limited, limited]])
    assert spare.items == []
    assert load.put([spare], [[limited, other]])
    assert load.clashes([limited], spare.node) == 1
    assert elsewhere is not None
    assert load.put([elsewhere], [[limited]])


def test_pair_sums_find_every_small_set() -> None:
    sizes = np.array([5, 7, 7, 11, 13, 2, 30, 19, 1], dtype=np.int64)
    free = np.ones(len(sizes), dtype=bool)
    free[3] = False
    for total in range(1, 60):
        for spare in (0, 2):
            found = {
                frozenset(column)
                for sets in PairSums(sizes).sets(free, total, spare)
                for column in sets.T.tolist()
            }
            expected = {
                frozenset(chosen)
                for n in range(1, 5)
                for chosen in combinations(np.flatnonzero(free).tolist(), n)
                if total - spare <= sizes[list(chosen)].sum() <= total
            }
            assert found == expected
