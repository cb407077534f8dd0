"""How reports say speed, drafts and shared pools."""

from dataclasses import replace

from packer.performance.figure import SpeedBasis
from packer.plan.cost import bill
from packer.plan.plan import PlannedFigure, PlannedSpeed
from packer.report.phrases import chosen_words
from packer.report.workload_figures import ReplicaGroup, workload_figures
from tests.sample_plans import tiny_plan

SPEED = PlannedSpeed(
    PlannedFigure(44.04, 30.0, 60.0, SpeedBasis.CALIBRATED),
    PlannedFigure(88.08, 60.0, 120.0, SpeedBasis.CALIBRATED),
    PlannedFigure(900.0, 500.0, 1500.0, SpeedBasis.DEFAULT),
    depth=2000,
    slots=2,
)


def group() -> ReplicaGroup:
    plan = tiny_plan()
    return workload_figures(plan, bill(plan))[0].groups[0]


def test_a_plan_without_speed_says_nothing_of_it() -> None:
    assert "tokens/s" not in chosen_words(group())


def test_speed_and_the_first_token_are_shown_short() -> None:
    assert chosen_words(replace(group(), speed=SPEED)).endswith("≈44 tokens/s per slot")
    waiting = replace(SPEED, first_token_p95_seconds=1.234)
    assert chosen_words(replace(group(), speed=waiting)).endswith("per slot, first ≤ 1.2 s")


def test_drafts_pools_and_experts_in_node_memory_are_named() -> None:
    one = group()
    variant = replace(
        one.variant, speculation="mtp, depth 2", cache_cells=40960, cpu_expert_layers=11
    )
    words = chosen_words(replace(one, variant=variant))
    assert "sharing 40960 cells" in words
    assert "drafts by mtp, depth 2" in words
    assert "experts of 11 layers in node memory" in words
