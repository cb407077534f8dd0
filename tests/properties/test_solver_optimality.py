"""The engine against trying everything, and against the independent judge of its certificates.

``GPU_PACKER_PROPERTY_CASES=1000`` runs more cases than the default 200.
"""

import copy
import json
import os
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from packer.solver.bound import prove_bound
from packer.solver.certificate_check import Refused, verify_solution
from packer.solver.instance_document import parse_instance
from packer.solver.solution_document import format_solution
from packer.solver.solve import solve
from packer.solver.stopping import Limits
from tests.packing_brute_force import optimum
from tests.packing_strategies import tiny_instances

CASES = int(os.environ.get("GPU_PACKER_PROPERTY_CASES", "200"))
LIMITS = Limits(time_seconds=600, workers=1)
property_settings = settings(
    max_examples=CASES,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
few = settings(property_settings, max_examples=max(20, CASES // 5))
Document = dict[str, Any]


def solved(instance: Document) -> Document:
    solution = solve(parse_instance(instance), LIMITS)
    document: Document = json.loads(json.dumps(format_solution(solution)))
    return document


@given(tiny_instances())
@property_settings
def test_agrees_with_brute_force_and_the_judge(instance: Document) -> None:
    best = optimum(instance)
    document = solved(instance)
    verdict = verify_solution(instance, document)
    if best is None:
        assert document["status"] == "infeasible"
        assert document["conflict"]
    else:
        assert document["status"] == "optimal"
        assert verdict.objective == verdict.bound == best


@given(tiny_instances(), st.randoms(use_true_random=False))
@few
def test_order_does_not_matter(instance: Document, random: Any) -> None:
    shuffled = copy.deepcopy(instance)
    random.shuffle(shuffled["items"])
    random.shuffle(shuffled["node_types"])
    assert solved(instance).get("objective") == solved(shuffled).get("objective")


@given(tiny_instances())
@few
def test_one_more_node_never_hurts(instance: Document) -> None:
    larger = copy.deepcopy(instance)
    one = larger["node_types"][-1]
    one["count"] += 1
    if "zones" in one:
        last = list(one["zones"])[-1]
        one["zones"][last] += 1
    before, after = solved(instance), solved(larger)
    if before["status"] == "optimal":
        assert after["objective"] <= before["objective"]


@given(tiny_instances())
@few
def test_the_bound_is_between_the_relaxation_and_the_objective(instance: Document) -> None:
    document = solved(instance)
    if document["status"] == "infeasible":
        return
    relaxed = prove_bound(parse_instance(instance), function_rounds=0)
    assert relaxed.value <= document["bound"] <= document["objective"]


def _integers(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [p for key, one in value.items() for p in _integers(one, (*path, key))]
    if isinstance(value, list):
        return [p for key, one in enumerate(value) for p in _integers(one, (*path, key))]
    return [path] if isinstance(value, int) and not isinstance(value, bool) else []


@given(tiny_instances(), st.data())
@few
def test_a_changed_certificate_is_refused(instance: Document, data: st.DataObject) -> None:
    document = solved(instance)
    places = _integers(document["certificate"])
    if not places:
        return
    *path, last = data.draw(st.sampled_from(places))
    holder: Any = document["certificate"]
    for key in path:
        holder = holder[key]
    holder[last] += data.draw(st.sampled_from([-1, 1, 10**9]))
    try:
        verify_solution(instance, document)
    except Refused:
        return
    raise AssertionError("accepted")


@given(tiny_instances())
@few
def test_a_weakened_instance_is_refused(instance: Document) -> None:
    document = solved(instance)
    weaker = copy.deepcopy(instance)
    weaker["node_types"][0]["gpu_cap"][0] += 1
    try:
        verify_solution(weaker, document)
    except Refused:
        return
    raise AssertionError("accepted")
