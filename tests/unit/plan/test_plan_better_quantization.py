"""What the next better quantization would take: found by planning, and said as it was found."""

from decimal import Decimal

import pytest

from packer.domain.node import Inventory, Price
from packer.domain.workload import Fleet, Objective
from packer.plan import summaries
from packer.plan.better_quantization import closest_miss, why_not_better, worst_rank
from packer.plan.summaries import Questions
from packer.solver.candidates import CandidateSet, Refused, find_candidates
from packer.solver.fleet_instance import FleetInstance, fleet_instance
from packer.solver.instance import Instance, Placed
from packer.solver.narrowed import Narrowed
from packer.solver.offers import offers_of
from packer.solver.outcome import Solution, Status
from packer.solver.stopping import Limits
from tests.small_fleets import BUILD, fleet, gpu, inventory, plan, pool, workload

BOTH = ("F16", "Q4_K_M")


def packed(asked: Fleet, there: Inventory) -> tuple[CandidateSet, FleetInstance]:
    offers = offers_of(there, asked.headroom)
    sets = tuple(find_candidates(one, offers, build=BUILD) for one in asked.workloads)
    return sets[0], fleet_instance(asked, there, sets)


ASKED = fleet(workload("a", "qwen3-0.6b", *BOTH))
THERE = inventory(pool("p", gpu(3000), 1, 2))
ONE, PACKED = packed(ASKED, THERE)


def said(answer: Narrowed | None, rank: int = 1, value: int = 1) -> str:
    return why_not_better(ONE, rank, PACKED, value, lambda *_: answer)


def test_the_first_choice_needs_no_reason() -> None:
    assert said(None, rank=0) == ""


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Narrowed(2, True), "F16 needs 1 card more"),
        (Narrowed(4, True), "F16 needs 3 cards more"),
        (Narrowed(2, False), "F16 needs at most 1 card more"),
        (Narrowed(1, True), "F16 would push another workload down its list"),
        (Narrowed(None, True), "no plan with F16 exists"),
        (Narrowed(None, False), "no plan with F16 was found in the effort for such questions"),
        (None, "F16 was not tried: only the first few such questions are answered"),
    ],
)
def test_each_answer_has_its_words(answer: Narrowed | None, words: str) -> None:
    assert said(answer) == words


def test_the_question_allows_only_better_variants_of_that_workload() -> None:
    asked = fleet(workload("a", "qwen3-0.6b", *BOTH), workload("b", "qwen3-0.6b", *BOTH))
    one, packing = packed(asked, inventory(pool("p", gpu(9000))))
    seen: list[Instance] = []

    def resolve(changed: Instance, name: str) -> Narrowed:
        assert name == "a"
        seen.append(changed)
        return Narrowed(1, True)

    why_not_better(one, 1, packing, 1, resolve)
    kept = {item.name: {a.name for a in item.alternatives} for item in seen[0].items}
    assert kept == {
        "a": {"F16/f16/small 9000x1"},
        "b": {"F16/f16/small 9000x1", "Q4_K_M/f16/small 9000x1"},
    }
    assert not seen[0].even_headroom
    assert {a.penalty for item in seen[0].items for a in item.alternatives} == {0}


def questions(packing: FleetInstance, *placed: Placed, bound: int = 1) -> Questions:
    solution = Solution(Status.OPTIMAL, placed, objective=1, bound=bound)
    return Questions(packing, solution, Limits(workers=1))


def test_questions_are_limited_in_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summaries, "_MOST_REPLICAS", 3)
    asked = questions(PACKED)
    answers = [asked.resolve(PACKED.instance, "a") for _ in range(4)]
    assert answers == [Narrowed(1, True)] * 3 + [None]


def test_one_question_is_always_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summaries, "_MOST_REPLICAS", 0)
    asked = questions(PACKED)
    answers = [asked.resolve(PACKED.instance, "a") for _ in range(2)]
    assert answers == [Narrowed(1, True), None]


def test_only_the_first_few_questions_are_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summaries, "_MOST_SEARCHES", 2)
    asked = fleet(*(workload(name, "qwen3-0.6b", *BOTH) for name in "abc"))
    _, packing = packed(asked, inventory(pool("p", gpu(9000), 1, 3)))
    searched: list[bool] = []

    def found(*_: object, searches: bool = True) -> Narrowed:
        searched.append(searches)
        return Narrowed(2, proven=False)

    monkeypatch.setattr(summaries, "narrowed_objective", found)
    limited = questions(packing)
    for _ in range(3):
        limited.resolve(packing.instance, "a")
    assert searched == [False, True, False, True, False]


def test_a_question_without_a_plan_is_answered_so() -> None:
    asked = fleet(workload("a", "qwen3-0.6b", *BOTH, replicas=3))
    _, crowded = packed(asked, inventory(pool("p", gpu(2500), 1, 2)))
    assert questions(crowded).resolve(crowded.instance, "a") == Narrowed(None, True)


def test_a_better_file_that_fits_no_card_is_said_with_the_arithmetic() -> None:
    made = plan(ASKED, inventory(pool("p", gpu(2000))))
    (summary,) = made.workloads
    assert made.placements[0].variant.quantization == "Q4_K_M"
    assert summary.why_not_better == (
        "F16 fits no card: needs 2.4 GiB, a card has 2.0 GiB for models"
    )
    assert [one.choice for one in summary.refused] == ["F16 · KV f16 on small 2000"]


def test_a_better_file_that_needs_another_card_says_how_many() -> None:
    asked = fleet(workload("a", "qwen3-0.6b", *BOTH), workload("b", "qwen3-0.6b", *BOTH))
    made = plan(asked, inventory(pool("p", gpu(4000), 1, 2)))
    reasons = {one.name: one.why_not_better for one in made.workloads}
    assert made.cards == 1
    assert sorted(set(reasons.values())) == ["F16 needs 1 card more"]


def test_a_better_file_that_costs_money_says_how_much() -> None:
    asked = fleet(workload("a", "qwen3-0.6b", *BOTH), objective=Objective.PRICE)
    there = inventory(
        pool("cheap", gpu(2000), price=Price(Decimal("0.5"))),
        pool("dear", gpu(3000), price=Price(Decimal("1.75"))),
    )
    assert plan(asked, there).workloads[0].why_not_better == "F16 needs 1.25 per hour more"


def test_the_worst_replica_counts() -> None:
    asked = fleet(workload("a", "qwen3-0.6b", *BOTH, replicas=2))
    there = inventory(pool("p", gpu(3000)), pool("q", gpu(2000)))
    made = plan(asked, there)
    assert sorted(one.variant.rank for one in made.placements) == [0, 1]
    (summary,) = made.workloads
    assert summary.why_not_better == "no plan with F16 exists"


def test_closest_miss_is_of_that_quantization() -> None:
    refused = (Refused("a", 0, "f16", "x", "first"), Refused("a", 0, "q8_0", "x", "last"))
    one = CandidateSet(ONE.workload, (), refused)
    assert closest_miss(one, 0) == "last"
    assert closest_miss(one, 1) == "no card was asked"


def test_worst_rank_of_no_such_workload() -> None:
    with pytest.raises(ValueError, match="max"):
        worst_rank([], "a")
