"""The engine on instances drawn for the benchmark's classes: no seed was ever tuned on."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.solver_instances import fleet, perfect_cut, triplets, uniform
from packer.solver.certificate_check import Refused, verify_solution
from packer.solver.first_fit import first_fit_decreasing
from packer.solver.geometry import build_geometry
from packer.solver.instance_document import parse_instance
from packer.solver.outcome import Solution
from packer.solver.packing import Packing
from packer.solver.solution_document import format_solution
from packer.solver.solve import solve
from packer.solver.stopping import Limits
from tests.packing_brute_force import judged_objective

Document = dict[str, Any]
QUICK = Limits(time_seconds=600, workers=1, effort=0.05)
NEAR = replace(QUICK, gap=0.04)
SEEDS = (11, 12, 13)


def verified(document: Document, limits: Limits = QUICK) -> Solution:
    """The solution, after both judges have looked at it."""
    solution = solve(parse_instance(document), limits)
    written = json.loads(json.dumps(format_solution(solution)))
    verdict = verify_solution(document, written)
    assert verdict.objective == solution.objective
    if solution.objective is not None:
        assert judged_objective(document, written["placed"]) == solution.objective
        assert solution.bound is not None
        assert solution.bound <= solution.objective
    return solution


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("objective", ["gpus", "gpu_price"])
def test_fleets_come_within_a_few_percent_or_one_card(objective: str, seed: int) -> None:
    document = fleet(seed, 60, 150, 120, objective=objective)
    solution = verified(document, NEAR)
    if solution.objective is None or solution.bound is None:
        assert solution.conflict
        return
    dearest = 1 if objective == "gpus" else 450
    assert solution.objective - solution.bound <= max(0.04 * solution.objective, dearest)
    plain = first_fit_decreasing(parse_instance(document))
    if plain is not None:
        geometry = build_geometry(parse_instance(document))
        assert solution.objective <= Packing(geometry, plain).objective


@pytest.mark.parametrize("seed", SEEDS)
def test_every_rule_of_the_format_is_kept(seed: int) -> None:
    document = fleet(seed, 40, 150, 70, multi=True, spread=True, zones=True, constraints=True)
    solution = verified(document, replace(QUICK, gap=0.5))
    assert solution.placed or solution.conflict


@pytest.mark.parametrize("seed", SEEDS)
def test_perfect_cuts_waste_next_to_nothing(seed: int) -> None:
    document = perfect_cut(seed, (1, 2))
    solution = verified(document, NEAR)
    optimum = document["known"]["optimum"]
    assert solution.bound == optimum
    assert solution.objective in (optimum, optimum + 1)


@pytest.mark.parametrize("seed", SEEDS)
def test_triplets_take_at_most_one_bin_too_many(seed: int) -> None:
    document = triplets(seed, 60)
    solution = verified(document, replace(QUICK, gap=0.05))
    assert solution.objective is not None
    assert solution.objective - document["known"]["optimum"] <= 1


@pytest.mark.parametrize("seed", SEEDS)
def test_uniform_items_are_packed_optimally(seed: int) -> None:
    assert verified(uniform(seed, 250)).status == "optimal"


def test_the_time_limit_holds_at_any_size() -> None:
    instance = parse_instance(fleet(1, 800, 4000, 6000, multi=True, objective="gpu_price"))
    started = time.process_time()
    solution = solve(instance, Limits(time_seconds=1.0, workers=1))
    assert time.process_time() - started < 6
    assert solution.bound is not None


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, one in pairs:
            yield from _places(one, (*path, key))
    elif type(value) is int:
        yield path


@pytest.mark.parametrize(
    ("kind", "document"),
    [
        ("patterns", uniform(1, 250)),
        ("lp", uniform(3, 60)),
        ("dff", triplets(1, 60)),
        ("lp", fleet(12, 30, 150, 60)),
    ],
)
def test_every_changed_integer_of_a_certificate_is_refused(kind: str, document: Document) -> None:
    """Even where the seal was renewed: the numbers themselves are recomputed."""
    from packer.solver.certificate_document import seal

    instance = parse_instance(document)
    solution = json.loads(json.dumps(format_solution(solve(instance, QUICK))))
    certificate = solution["certificate"]
    assert certificate["kind"] in (kind, "lp", "dff")
    for path in [path for path in _places(certificate) if path[0] != "functions"][:150]:
        changed = json.loads(json.dumps(solution))
        holder = changed["certificate"]
        for key in path[:-1]:
            holder = holder[key]
        holder[path[-1]] += 1
        with pytest.raises(Refused):
            verify_solution(document, changed)
        claimed = path[-1] == "bound"
        changed["certificate"]["digest"] = seal(instance, changed["certificate"])
        if claimed:
            with pytest.raises(Refused):
                verify_solution(document, changed)


def test_equal_seeds_and_efforts_give_equal_answers_with_two_workers() -> None:
    instance = parse_instance(fleet(13, 30, 150, 60, multi=True))
    limits = Limits(time_seconds=600, workers=2, effort=0.02, seed=5)
    first, second = solve(instance, limits), solve(instance, limits)
    assert (first.placed, first.bound) == (second.placed, second.bound)


def test_a_million_replicas_are_packed_or_refused_but_not_lost() -> None:
    document = uniform(1, 30)
    item = document["items"][0]
    share = item["alts"][0]["shares"][0][0]
    document["items"] = [item | {"count": 10**5}]
    document["node_types"][0] |= {"count": 10**5, "gpu_cap": [share]}
    solution = solve(parse_instance(document), Limits(time_seconds=60, workers=1))
    assert (solution.objective, solution.bound) == (10**5, 10**5)
