"""Explanations from a saved plan: place, arithmetic, neighbours, refusals, a cheaper one."""

from dataclasses import replace
from decimal import Decimal

import pytest

from packer.domain.node import Price
from packer.domain.workload import Objective
from packer.errors import InvalidInput
from packer.plan.explanation import explain_workload
from packer.plan.plan import Status
from tests.small_fleets import fleet, gpu, inventory, plan, pool, workload

MADE = plan(
    fleet(workload("a", "qwen3-0.6b", "F16", "Q8_0"), workload("b"), workload("c", replicas=2)),
    inventory(pool("p", gpu(4200), 2, 2)),
)


def test_the_chosen_place_with_its_arithmetic_and_neighbours() -> None:
    text = explain_workload(MADE, "c")
    assert text.startswith("c: catalogue:qwen3-0.6b (qwen3), 2 × 1 slots of 2048 tokens\n")
    for one in MADE.placements:
        if one.workload == "c":
            assert f"  c-{one.replica} on {one.node} (small 4200): Q8_0 · KV f16" in text
            assert f"    {' '.join(one.argv)}" in text
    assert "29 of 29 layers, 2.0 GiB (weights 0.6" in text
    assert ", beside " in text
    assert "the most wanted quantization was chosen" in text
    assert "Considered and refused" not in text


def test_refusals_and_what_is_better_are_repeated() -> None:
    made = plan(
        fleet(workload("a", "qwen3-0.6b", "F16", "Q4_K_M")), inventory(pool("p", gpu(2000)))
    )
    text = explain_workload(made, "a")
    assert "Why not better\n  F16 fits no card: needs 2.4 GiB" in text
    assert "Considered and refused\n  F16 · KV f16 on small 2000: needs 2.4 GiB" in text
    assert ", alone\n" in text
    assert text.endswith(
        "the fleet is proven to need 1 card; it sits on one card, and fewer there are none"
    )


def test_the_emptiest_card_is_the_first_step() -> None:
    text = explain_workload(MADE, "a")
    assert "as asked, the fleet is proven to need 2 cards; the emptiest used card, p-" in text
    assert text.endswith("is the first step to one card fewer")


def test_a_plan_with_a_gap_says_bound_and_value() -> None:
    open_plan = replace(MADE, status=Status.FEASIBLE, bound=Decimal(1))
    text = explain_workload(open_plan, "a")
    assert "is proven to need at least 1 card, and this plan takes 2;" in text


def test_money_is_named_with_its_currency() -> None:
    there = inventory(pool("p", gpu(4200), 1, 2, price=Price(Decimal("1.5"), currency="EUR")))
    asked = fleet(workload("a"), workload("b"), workload("c"), objective=Objective.PRICE)
    assert "is proven to need 3 EUR/h;" in explain_workload(plan(asked, there), "a")


@pytest.mark.parametrize(
    ("name", "hint"), [("aa", "did you mean a?"), ("zzz", "the plan has a, b, c")]
)
def test_an_unknown_workload(name: str, hint: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        explain_workload(MADE, name)
    (problem,) = caught.value.problems
    assert (problem.code, problem.help) == ("P0806", hint)
