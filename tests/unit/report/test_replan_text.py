"""What a new plan changes, in the words of diff, with cards and cost before and after."""

from dataclasses import replace
from decimal import Decimal

from packer.plan.plan import MovedReplica, Moves
from packer.report.replan_text import replan_text
from tests.sample_plans import tiny_plan

PLAN = replace(tiny_plan(), price_per_hour=Decimal("1.2"), currency="USD")
(ONE,) = PLAN.placements


def test_every_change_has_its_line() -> None:
    here = (ONE.node, ONE.gpus)
    moved = MovedReplica(ONE.workload, 0, "n9", (1, 2), *here)
    again = MovedReplica(ONE.workload, 1, *here, *here)
    moves = Moves(2, (moved, again), (f"{ONE.workload}-0",), ("old-3",))
    new = replace(PLAN, moves=moves, cards=3, price_per_hour=None)
    where = f"{ONE.node} {' '.join(f'gpu{gpu}' for gpu in ONE.gpus)}"
    assert replan_text(PLAN, new).splitlines() == [
        f"move     {ONE.workload}-0: n9 gpu1 gpu2 → {where}",
        f"restart  {ONE.workload}-1 on {where}",
        f"new      {ONE.workload}-0 on {where}",
        "gone     old-3",
        "servers: 2 stay as they are",
        f"cards: {PLAN.cards} → 3",
        "cost per hour: 1.20 USD → unknown",
    ]


def test_no_change_is_said_and_many_are_counted() -> None:
    assert replan_text(PLAN, PLAN).startswith("nothing moves\ncards: ")
    many = Moves(0, (), (), tuple(f"old-{n}" for n in range(50)))
    lines = replan_text(PLAN, replace(PLAN, moves=many)).splitlines()
    assert lines[40] == "and 10 more"
