"""The audit finds every kind of lie a plan can tell; each test tells one."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from packer.domain.workload import Fleet, Spread
from packer.errors import AuditFailed
from packer.llamacpp.arguments import parse_arguments
from packer.plan.audit import audit, find_contradictions
from packer.plan.plan import Placement, Plan
from tests.planned import inputs, plan

EXAMPLE = "01-four-models-one-card"


def findings(changed: Plan, fleet: Fleet | None = None, **options: Any) -> list[str]:
    given = inputs(EXAMPLE)
    inventory = options.get("inventory", given.inventory)
    return list(find_contradictions(changed, fleet or given.fleet, inventory, parse_arguments))


def with_placement(change: Callable[[Placement], Placement], workload: str = "chat") -> Plan:
    original = plan(EXAMPLE)
    return replace(
        original,
        placements=tuple(
            change(one) if one.workload == workload else one for one in original.placements
        ),
    )


def with_flag(name: str, value: str) -> Plan:
    def change(one: Placement) -> Placement:
        argv = list(one.argv)
        argv[argv.index(name) + 1] = value
        return replace(one, argv=tuple(argv))

    return with_placement(change)


def test_an_honest_plan_passes() -> None:
    assert findings(plan(EXAMPLE)) == []


def test_more_context_than_planned_is_found_in_the_command_line() -> None:
    found = findings(with_flag("--ctx-size", "131072"))
    assert any("chat-0: the plan says" in one for one in found)


def test_a_command_line_that_overfills_the_card_is_found() -> None:
    # The plan's own figures are made to agree with the longer context, and only the card is full.
    found = findings(with_flag("--ctx-size", "1048576"))
    assert any("l40s-0 card 0:" in one and "are allocatable" in one for one in found)


def test_less_context_than_asked_is_found() -> None:
    found = findings(with_flag("--ctx-size", "16384"))
    assert any("a slot holds 4096 cells, 16384 are asked" in one for one in found)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda one: replace(one, node="nowhere"), "no node nowhere"),
        (lambda one: replace(one, gpus=(7,)), "has no such card"),
        (lambda one: replace(one, gpus=()), "its cards are not distinct"),
        (
            lambda one: replace(one, variant=replace(one.variant, quantization="Q2_K")),
            "Q2_K is not among its quantizations",
        ),
        (
            lambda one: replace(one, variant=replace(one.variant, cache_type_k="q4_0")),
            "the plan says cache types q4_0 and",
        ),
        (lambda one: replace(one, workload="stranger"), "no such workload"),
        (lambda one: replace(one, replica=1), "replicas [1] of 1 are placed"),
        (
            lambda one: replace(one, host=replace(one.host, total_bytes=1)),
            "differ on node memory",
        ),
    ],
)
def test_a_wrong_placement_is_found(change: Callable[[Placement], Placement], word: str) -> None:
    assert any(word in one for one in findings(with_placement(change)))


def test_a_missing_replica_is_found() -> None:
    original = plan(EXAMPLE)
    shorter = replace(original, placements=original.placements[1:])
    assert any("of 1 are placed" in one for one in findings(shorter))


def test_a_wrong_sum_on_a_card_is_found() -> None:
    original = plan(EXAMPLE)
    node = original.nodes[0]
    card = replace(node.cards[0], used_bytes=node.cards[0].used_bytes - 1)
    lied = replace(original, nodes=(replace(node, cards=(card,)),))
    assert any("not that of its processes" in one for one in findings(lied))


def test_a_refused_product_is_found() -> None:
    fleet = inputs(EXAMPLE).fleet
    strict = replace(
        fleet, workloads=(replace(fleet.workloads[0], refused_gpus=("L40S",)), *fleet.workloads[1:])
    )
    assert any("L40S is refused by the fleet" in one for one in findings(plan(EXAMPLE), strict))


def test_workloads_that_must_be_apart_or_together_are_checked() -> None:
    fleet = inputs(EXAMPLE).fleet
    apart = replace(fleet, keep_apart=(("chat", "code"),))
    assert any("must be kept apart" in one for one in findings(plan(EXAMPLE), apart))
    inventory = inputs(EXAMPLE).inventory
    two_nodes = replace(inventory, pools=(replace(inventory.pools[0], nodes=2),))
    alone = with_placement(lambda one: replace(one, node="l40s-1"))
    together = replace(fleet, keep_together=(("chat", "code"),))
    found = findings(alone, together, inventory=two_nodes)
    assert [one for one in found if "must be kept together" in one] == [
        "l40s-0: ['chat', 'code'] must be kept together",
        "l40s-1: ['chat', 'code'] must be kept together",
    ]


def test_replicas_that_meet_are_found() -> None:
    fleet = inputs(EXAMPLE).fleet
    twice = replace(fleet.workloads[0], replicas=2, spread=Spread.NODE)
    original = plan(EXAMPLE)
    chat = next(one for one in original.placements if one.workload == "chat")
    doubled = replace(original, placements=(*original.placements, replace(chat, replica=1)))
    found = findings(doubled, replace(fleet, workloads=(twice, *fleet.workloads[1:])))
    assert any("2 replicas meet on l40s-0" in one for one in found)


def test_an_unavailable_node_is_found() -> None:
    inventory = inputs(EXAMPLE).inventory
    drained = replace(inventory, pools=(replace(inventory.pools[0], unavailable=("l40s-0",)),))
    found = findings(plan(EXAMPLE), inventory=drained)
    assert any("node l40s-0 is unavailable" in one for one in found)


def test_too_little_node_memory_is_found() -> None:
    inventory = inputs(EXAMPLE).inventory
    small = replace(inventory, pools=(replace(inventory.pools[0], host_memory_bytes=2**30),))
    found = findings(plan(EXAMPLE), inventory=small)
    assert any("bytes of node memory are planned" in one for one in found)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"cards": 2}, "the plan says 2 cards"),
        ({"objective_value": Decimal(3)}, "the plan says 3 cards"),
        ({"bound": Decimal(2)}, "the bound 2 is above the value 1"),
        ({"bound": Decimal(0)}, "is called optimal, and its bound is lower"),
    ],
)
def test_a_wrong_total_is_found(change: dict[str, Any], word: str) -> None:
    assert any(word in one for one in findings(replace(plan(EXAMPLE), **change)))


def test_audit_raises_with_every_finding() -> None:
    given = inputs(EXAMPLE)
    with pytest.raises(AuditFailed) as caught:
        audit(replace(plan(EXAMPLE), cards=9), given.fleet, given.inventory, parse_arguments)
    assert caught.value.findings == ("the plan says 9 cards, its placements use 1",)
