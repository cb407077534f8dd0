"""The judge's verdict on whole solutions: what holds is accepted, every single lie is refused."""

import json
from copy import deepcopy
from typing import Any

import pytest

from packer.solver.bound import prove_bound
from packer.solver.certificate_check import Refused, Verdict, verify_solution
from packer.solver.certificate_document import (
    certificate_document,
    pattern_document,
    seal,
    search_document,
)
from packer.solver.instance_document import parse_instance
from packer.solver.patterns import pattern_bound
from tests.tiny_packing import Document, alternative, instance, item, node_type


def problem() -> Document:
    """Three sixes on six cards of ten, with everything a format may say by default or not."""
    nodes = node_type(
        count=4,
        zones={"west": 1, "east": 3},
        links=[[0, 1]],
        unavailable=[3, 0],
        gpu_caps=[[10], [10]],
    )
    ways = [
        alternative([6], gpu_types=["B", "A"], penalty=2),
        alternative([3], [4], gpu_types=[], one_link=True),
    ]
    x = item("x", 3, *ways, max_per_node=2, max_per_zone=None)
    rule = {"type": "anti_affinity", "items": ["x"], "scope": "zone"}
    return instance([nodes], [x], constraints=[rule])


def three_sixes(document: Document) -> list[Document]:
    assert document["items"][0]["count"] == 3
    places = [(1, 0), (1, 1), (2, 0)]
    return [{"item": "x", "alt": 0, "node": [0, n], "gpus": [gpu]} for n, gpu in places]


def solution(document: Document, kind: str = "dff") -> Document:
    """Three cards with the bound of one kind of certificate."""
    parsed = parse_instance(document)
    if kind == "search":
        certificate = search_document(parsed, bound=3)
    elif kind == "patterns":
        proven = pattern_bound(parsed, lambda: True)
        assert proven is not None
        certificate = pattern_document(parsed, proven)
    else:
        rounds = 6 if kind == "dff" else 0
        certificate = certificate_document(
            parsed, prove_bound(parsed, function_rounds=rounds).certificate
        )
    assert certificate["kind"] == kind
    bound = certificate["bound"]
    return {
        "status": "optimal" if bound == 3 else "feasible",
        "placed": three_sixes(document),
        "objective": 3,
        "bound": bound,
        "certificate": json.loads(json.dumps(certificate)),
    }


def resealed(document: Document, answer: Document) -> Document:
    """A solution whose certificate was changed by someone who knows how to seal."""
    answer["certificate"]["digest"] = seal(parse_instance(document), answer["certificate"])
    return answer


def single_cards(document: Document) -> Document:
    del document["items"][0]["alts"][1]
    return document


@pytest.mark.parametrize(("kind", "bound"), [("dff", 3), ("lp", 2), ("search", 3)])
def test_what_holds_is_accepted(kind: str, bound: int) -> None:
    document = problem()
    del document["items"][0]["alts"][1]
    assert verify_solution(document, solution(document, kind)) == Verdict(3, bound)


@pytest.mark.parametrize("kind", ["dff", "search"])
def test_names_may_be_written_in_any_script(kind: str) -> None:
    document = single_cards(problem())
    document["items"][0]["name"] = document["constraints"][0]["items"][0] = "größe-模型"
    document["node_types"][0]["zones"] = {"süd": 1, "東": 3}
    answer = solution(document, kind)
    for one in answer["placed"]:
        one["item"] = "größe-模型"
    assert verify_solution(document, answer) == Verdict(3, 3)


def test_bounds_of_patterns_are_accepted() -> None:
    document = single_cards(problem())
    del document["node_types"][0]["gpu_caps"]
    assert verify_solution(document, solution(document, "patterns")) == Verdict(3, 3)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"objective": 4}, "objective is stored as 4, but it is 3"),
        ({"objective": 3.0}, "objective is stored as 3.0"),
        ({"bound": 2}, "bound is stored as 2, but it is 3"),
        ({"bound": True}, "bound is stored as True"),
        ({"status": "feasible"}, "status feasible with objective 3 and bound 3"),
        ({"status": "infeasible"}, "not a valid solution"),
        ({"status": "unknown"}, "status unknown with objective 3 and bound 3"),
        ({"placed": []}, "wrong number of replicas"),
        ({"placed": None}, "not a valid solution"),
        ({"certificate": []}, "not a valid solution"),
    ],
)
def test_single_lies_are_refused(changes: Document, why: str) -> None:
    document = single_cards(problem())
    with pytest.raises(Refused, match=why):
        verify_solution(document, solution(document) | changes)
    missing = solution(document)
    del missing[next(iter(changes))]
    with pytest.raises(Refused, match="not a valid solution"):
        verify_solution(document, missing)


def test_a_bound_below_is_not_optimal() -> None:
    document = single_cards(problem())
    with pytest.raises(Refused, match="status optimal with objective 3 and bound 2"):
        verify_solution(document, solution(document, "lp") | {"status": "optimal"})


def test_a_placement_cannot_cost_less_than_the_bound() -> None:
    """Two cards for two replicas, with the proof for three."""
    document = single_cards(problem())
    dear = solution(document)
    document["items"][0]["count"] = 2
    answer = dear | {"placed": dear["placed"][:2], "objective": 2}
    with pytest.raises(Refused, match="belongs to another instance"):
        verify_solution(document, answer)
    certificate = search_document(parse_instance(document), bound=3)
    with pytest.raises(Refused, match="something cheaper than 3 exists"):
        verify_solution(document, answer | {"certificate": certificate})


def test_bounds_of_nothing() -> None:
    """Nothing costs less than nothing: a bound of nothing needs no search."""
    document = instance([node_type()], [])
    certificate = search_document(parse_instance(document), bound=0)
    answer = {"status": "optimal", "placed": [], "objective": 0, "bound": 0}
    assert verify_solution(document, answer | {"certificate": certificate}) == Verdict(0, 0)
    certificate = search_document(parse_instance(document), bound=-1)
    lower = answer | {"certificate": certificate, "bound": -1, "status": "feasible"}
    assert verify_solution(document, lower) == Verdict(0, -1)


@pytest.mark.parametrize("bound", [True, 3.0, "3"])
def test_bounds_of_a_search_are_whole_numbers(bound: Any) -> None:
    document = single_cards(problem())
    answer = solution(document, "search")
    answer["certificate"]["bound"] = bound
    with pytest.raises(Refused, match="is not a whole number"):
        verify_solution(document, resealed(document, answer))


@pytest.mark.parametrize("kind", ["dff", "lp", "patterns"])
@pytest.mark.parametrize("by", [-1, 1])
def test_bounds_of_certificates_are_computed_again(kind: str, by: int) -> None:
    document = single_cards(problem())
    del document["node_types"][0]["gpu_caps"]
    answer = solution(document, kind)
    answer["certificate"]["bound"] += by
    with pytest.raises(Refused, match="certificate was changed"):
        verify_solution(document, answer)
    with pytest.raises(Refused, match="certificate's bound is stored as"):
        verify_solution(document, resealed(document, answer))


def test_kinds_that_nobody_knows() -> None:
    document = single_cards(problem())
    answer = solution(document)
    answer["certificate"]["kind"] = "oath"
    with pytest.raises(Refused, match="no certificate of kind 'oath' is known"):
        verify_solution(document, resealed(document, answer))


CONFLICT = ["count:x", "antiaff:x:node"]


def impossible(conflict: list[str], known: list[str] | None = None) -> tuple[Document, Document]:
    document = single_cards(problem())
    document["items"][0] |= {"count": 5}
    parsed = parse_instance(document)
    certificate = search_document(parsed, bound=None, conflict=known or conflict)
    assert "bound" not in certificate
    answer = {"status": "infeasible", "conflict": conflict, "certificate": certificate}
    return document, answer


def test_conflicts_are_searched_again() -> None:
    assert verify_solution(*impossible(CONFLICT)) == Verdict(None, None)
    for weaker in (impossible(CONFLICT[1:]), impossible([]), roomy(["count:x"])):
        with pytest.raises(Refused, match="conflict can be resolved"):
            verify_solution(*weaker)


def roomy(conflict: list[str]) -> tuple[Document, Document]:
    """The same with cards that hold two, so that only the rule forbids it."""
    document, answer = impossible(conflict)
    document["node_types"][0] |= {"gpu_cap": [20], "gpu_caps": [[20], [20]]}
    certificate = search_document(parse_instance(document), bound=None, conflict=conflict)
    return document, answer | {"certificate": certificate}


def test_the_certificate_is_about_the_conflict() -> None:
    with pytest.raises(Refused, match="not about the conflict"):
        verify_solution(*impossible(CONFLICT, known=CONFLICT[:1]))
    document, answer = impossible(CONFLICT)
    answer["certificate"] = solution(single_cards(problem()))["certificate"]
    answer["certificate"]["conflict"] = CONFLICT
    for kind in ("dff", "trust"):
        answer["certificate"]["kind"] = kind
        with pytest.raises(Refused, match="not about the conflict"):
            verify_solution(document, resealed(document, answer))


def test_the_seal_covers_what_a_bound_depends_on() -> None:
    document = problem()
    answer = {"status": "feasible", "placed": three_sixes(document), "objective": 3, "bound": 2}
    certificate = search_document(parse_instance(document), bound=2)
    answer |= {"certificate": certificate}
    assert verify_solution(document, answer) == Verdict(3, 2)
    for path, value in (
        (("node_types", 0, "count"), 5),
        (("node_types", 0, "gpu_cap"), [11]),
        (("node_types", 0, "zones"), {"east": 3, "west": 1}),
        (("node_types", 0, "unavailable"), [3]),
        (("node_types", 0, "links"), [[0], [1]]),
        (("items", 0, "count"), 4),
        (("items", 0, "max_per_zone"), 3),
        (("items", 0, "alts", 0, "gpu_types"), ["A"]),
        (("items", 0, "alts", 1, "one_link"), False),
        (("items", 0, "alts", 0, "shares"), [[7]]),
        (("constraints",), []),
        (("objective",), "gpu_price"),
        (("dims",), ["bytes"]),
        (("node_dims",), ["bytes"]),
    ):
        changed: Any = deepcopy(document)
        inner = changed
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value
        with pytest.raises(Refused, match="was changed"):
            verify_solution(changed, answer)


def test_the_seal_leaves_out_what_says_nothing() -> None:
    document = problem()
    answer = {"status": "feasible", "placed": three_sixes(document), "objective": 3, "bound": 2}
    answer |= {"certificate": search_document(parse_instance(document), bound=2)}
    document["name"] = "another"
    document["current"] = None
    document["node_types"][0]["unavailable"] = [0, 3]
    document["items"][0]["alts"][0]["gpu_types"] = ["A", "B"]
    del document["items"][0]["max_per_zone"]
    del document["items"][0]["alts"][1]["gpu_types"]
    assert verify_solution(document, answer) == Verdict(3, 2)


def test_a_certificate_says_whether_it_branched() -> None:
    types = [node_type("a", count=9), node_type("b", count=9, node_price=8)]
    document = instance(types, [item("x", 3, alternative([10]))], objective="node_price")
    parsed = parse_instance(document)
    branched = certificate_document(parsed, prove_bound(parsed, most_leaves=20).certificate)
    assert branched["branched"] is True
    assert {"on", "at", "left", "right"} == branched["tree"].keys()
    alone = certificate_document(parsed, prove_bound(parsed).certificate)
    assert "branched" not in alone
    places = [{"item": "x", "alt": 0, "node": [0, n], "gpus": [g]} for n, g in ((0, 0), (0, 1))]
    places.append({"item": "x", "alt": 0, "node": [0, 1], "gpus": [0]})
    answer = {"status": "optimal", "placed": places, "objective": 14, "bound": 14}
    assert verify_solution(document, answer | {"certificate": branched}) == Verdict(14, 14)
