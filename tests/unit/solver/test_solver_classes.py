"""The engine on the classes of instances it is made for, each with few resources."""

import json
from dataclasses import replace
from typing import Any

import pytest

from packer.solver import phases
from packer.solver.certificate_check import verify_solution
from packer.solver.first_fit import first_fit_decreasing
from packer.solver.geometry import build_geometry
from packer.solver.instance import Instance, Objective
from packer.solver.instance_document import parse_instance
from packer.solver.outcome import Progress, Solution, Status
from packer.solver.packing import Packing
from packer.solver.solution_document import format_solution
from packer.solver.solve import solve
from packer.solver.stopping import Limits
from tests.packing_brute_force import judged_objective
from tests.packing_instances import packing_document
from tests.tiny_packing import alternative, instance, item, node_type

QUICK = Limits(time_seconds=600, workers=1, effort=0.05)
CORE = ("count", "antiaff", "constraint", "types")


def solved(name: str, limits: Limits = QUICK) -> tuple[dict[str, Any], Solution]:
    document = packing_document(name)
    solution = solve(parse_instance(document), limits)
    verdict = verify_solution(document, json.loads(json.dumps(format_solution(solution))))
    assert verdict.objective == solution.objective
    return document, solution


@pytest.mark.parametrize(
    ("name", "optimum"),
    [
        ("fleet-d20-8", 3),
        ("fleet-d100-64", 32),
        ("fleet-d100-64-multi-host-anti", 37),
        ("fleet-d80-constraints", 29),
        ("fleet-d500-512", 283),
        ("bpp-uniform-d250", 100),
        ("bpp-uniform-d1000", 407),
    ],
)
def test_proven_optimal(name: str, optimum: int) -> None:
    document, solution = solved(name)
    assert (solution.status, solution.objective, solution.bound) == ("optimal", optimum, optimum)
    if len(solution.placed) <= 250:
        placed = format_solution(solution)["placed"]
        assert judged_objective(document, placed) == optimum


def test_a_fleet_of_planner_size_is_proven_before_any_slow_search(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def slow(*_: object) -> None:
        raise AssertionError("searched for what the whole model says there is not")

    monkeypatch.setattr(phases, "squeeze", slow)
    monkeypatch.setattr(phases, "fill_to_the_brim", slow)
    _, solution = solved("planner-company")
    assert (solution.status, solution.objective) == ("optimal", 8)


@pytest.mark.parametrize(
    ("name", "gap"),
    [
        ("fleet-d50-64-price", 0.015),
        ("fleet-d60-node-price", 0.05),
        ("cut-d64-alts", 0.05),
        ("cut-d64-multi-host-anti", 0.05),
        ("cut-d512-price", 0.015),
        ("cut-d512-multi-host", 0.015),
        ("fleet-d500-512-multi-host-anti-zones", 0.03),
        ("bpp-triplet-d501", 0.012),
    ],
)
def test_within_the_gap(name: str, gap: float) -> None:
    _, solution = solved(name, replace(QUICK, gap=gap))
    assert solution.gap is not None
    assert solution.gap <= gap


@pytest.mark.parametrize("name", ["fleet-d50-64-price", "fleet-d80-constraints", "cut-d64-alts"])
def test_never_worse_than_first_fit_decreasing(name: str) -> None:
    document, solution = solved(name)
    instance = parse_instance(document)
    placed = first_fit_decreasing(instance)
    assert placed is not None
    assert solution.objective is not None
    assert solution.objective <= Packing(build_geometry(instance), placed).objective


@pytest.mark.parametrize(
    "name",
    ["antiaff", "host", "joint", "pair", "toobig", "types", "types-500"],
)
def test_the_conflict_is_the_known_one(name: str) -> None:
    document, solution = solved(f"inf-d-{name}")
    known = [
        {one for one in conflict if one.split(":")[0] in CORE}
        for conflict in document["known"]["min_conflicts"]
    ]
    assert solution.status is Status.INFEASIBLE
    assert set(solution.conflict) in known
    assert solution.relaxations


def test_a_tiny_fleet_is_refused_without_a_search_for_a_plan(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def search(run: object, steps: int) -> None:
        pytest.fail("looked for a plan first")

    monkeypatch.setattr("packer.solver.phases.complete", search)
    _, solution = solved("inf-d-pair")
    assert solution.status is Status.INFEASIBLE


def test_relaxations_are_ranked_supply_first() -> None:
    _, solution = solved("inf-d-antiaff")
    changes = [one.change for one in solution.relaxations]
    assert changes == [
        "supply:L40Sx2 +1",
        "supply:H100x4 +1",
        "drop antiaff:spread:node",
        "count:spread -1",
    ]


@pytest.mark.parametrize("asked", [3, 4, 5, 6, 7, 12, 19])
def test_the_fewest_replicas_to_give_up_are_named(asked: int) -> None:
    """Two cards, each as large as one replica; nodes to buy are none of this test's business."""
    given = instance([node_type()], [item("a", asked, alternative([10]))])
    solution = solve(parse_instance(given), QUICK)
    assert solution.status is Status.INFEASIBLE
    fewer = [one.change for one in solution.relaxations if one.change.startswith("count:")]
    assert fewer == [f"count:a -{asked - 2}"]


def test_all_replicas_are_given_up_where_none_may_stay() -> None:
    wide = [item(name, 1, alternative([10], [10])) for name in ("a", "b")]
    solution = solve(parse_instance(instance([node_type()], wide)), QUICK)
    fewer = [one.change for one in solution.relaxations if one.change.startswith("count:")]
    assert fewer == ["count:a -1", "count:b -1"]


def test_an_empty_instance_costs_nothing() -> None:
    document = packing_document("fleet-d20-8") | {"items": []}
    solution = solve(parse_instance(document))
    assert (solution.status, solution.objective, solution.bound) == ("optimal", 0, 0)
    assert solution.gap == 0.0
    verify_solution(document, json.loads(json.dumps(format_solution(solution))))


def test_equal_seeds_give_equal_answers() -> None:
    instance = parse_instance(packing_document("fleet-d50-64-price"))
    first, second = (solve(instance, QUICK) for _ in range(2))
    assert replace(first, seconds=0) == replace(second, seconds=0)


def test_progress_is_told() -> None:
    told: list[Progress] = []
    solve(parse_instance(packing_document("fleet-d50-64-price")), QUICK, told.append)
    objectives = [one.objective for one in told if one.objective is not None]
    assert objectives == sorted(objectives, reverse=True)
    assert {"bound", "fill"} <= {one.phase for one in told}


def test_an_interruption_keeps_the_incumbent() -> None:
    def interrupt(progress: Progress) -> None:
        if progress.objective is not None:
            raise KeyboardInterrupt

    instance = parse_instance(packing_document("cut-d64-alts"))
    solution = solve(instance, QUICK, interrupt)
    assert solution.status is Status.FEASIBLE
    assert solution.bound == 64
    assert solution.placed


def test_an_interruption_before_any_plan_is_passed_on() -> None:
    """There is a bound, but who asked for a plan must not read that time ran out."""
    bounds: list[int | None] = []

    def interrupt(progress: Progress) -> None:
        bounds.append(progress.bound)
        raise KeyboardInterrupt

    instance = parse_instance(packing_document("fleet-d20-8"))
    with pytest.raises(KeyboardInterrupt):
        solve(instance, QUICK, interrupt)
    assert bounds[0] is not None


def test_no_time_gives_a_bound_only() -> None:
    instance = parse_instance(packing_document("fleet-d100-64"))
    solution = solve(instance, Limits(time_seconds=0))
    assert solution.bound == 32


def test_one_zone_too_few_is_explained() -> None:
    document = packing_document("fleet-d20-8")
    document["items"][0] |= {"count": 2, "max_per_zone": 1}
    instance = parse_instance(document)
    solution = solve(instance, QUICK)
    assert solution.status is Status.INFEASIBLE
    assert set(solution.conflict) == {"count:model0", "antiaff:model0:zone"}


def test_prices_of_gpus_and_nodes_are_different_objectives() -> None:
    instance = parse_instance(packing_document("fleet-d20-8"))
    by_node = solve(replace(instance, objective=Objective.NODE_PRICE), QUICK)
    by_gpu = solve(replace(instance, objective=Objective.GPU_PRICE), QUICK)
    assert by_node.objective == by_node.bound
    assert by_gpu.objective == by_gpu.bound
    assert _cost(instance, by_node) >= (by_gpu.objective or 0)


def _cost(instance: Instance, solution: Solution) -> int:
    priced = replace(instance, objective=Objective.GPU_PRICE)
    return Packing(build_geometry(priced), solution.placed).objective
