"""The audit finds every kind of lie a plan can tell; each test tells one."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from packer.domain.node import Inventory, Price, Sharing
from packer.domain.workload import Draft, Fleet, Objective, Spread
from packer.errors import AuditFailed
from packer.llamacpp.arguments import parse_arguments
from packer.plan.audit import audit, find_contradictions
from packer.plan.plan import Placement, Plan
from tests.planned import inputs, plan
from tests.small_fleets import fleet, gpu, inventory, pool, variant, workload
from tests.small_fleets import plan as plan_of

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


def lied(made: Plan, change: Callable[[Placement], Placement]) -> Plan:
    return replace(made, placements=tuple(map(change, made.placements)))


def with_argv(made: Plan, *words: str) -> Plan:
    """The plan with the value of one flag, or one flag more, in every command line."""

    def change(one: Placement) -> Placement:
        argv = list(one.argv)
        if words[0] in argv:
            argv[argv.index(words[0]) + 1] = words[1]
        else:
            argv += words
        return replace(one, argv=tuple(argv))

    return lied(made, change)


SMALL = fleet(workload("a", "qwen3-1.7b", "Q8_0", "Q4_K_M", slots=2, max_gpus=2))
TWO_CARDS = inventory(pool("p", gpu(2600), 3, price=Price(Decimal("1.5"))))


def small_findings(changed: Plan, asked: Fleet = SMALL, there: Inventory = TWO_CARDS) -> list[str]:
    return list(find_contradictions(changed, asked, there, parse_arguments))


@pytest.mark.parametrize(
    ("words", "finding"),
    [
        (("--model", "/models/other.gguf"), "its argv loads /models/other.gguf instead of /models"),
        (("--mmproj", "/x.gguf"), "its argv loads /x.gguf instead of nothing"),
        (("--parallel", "1"), "1 slots instead of 2"),
        (("--cache-type-k", "q8_0"), "the plan says cache types f16 and f16, its argv q8_0 and"),
        (("--cache-type-v", "q8_0"), "cache type q8_0 is not allowed"),
        (("--fit", "on"), "llama.cpp may change sizes by itself"),
        (("--embedding",), "it serves embeddings instead of completions"),
        (("--rerank",), "it serves reranking instead of completions"),
        (("--no-such-flag",), "its argv is refused: "),
    ],
)
def test_a_command_line_that_is_not_what_was_asked(words: tuple[str, ...], finding: str) -> None:
    found = small_findings(with_argv(plan_of(SMALL, TWO_CARDS), *words))
    assert any(f"a-0: {finding}" in one for one in found), found


def test_the_draft_that_was_asked_must_be_loaded() -> None:
    drafted = replace(SMALL.workloads[0], draft=Draft(variant("qwen3-0.6b", "Q8_0")))
    asked = replace(SMALL, workloads=(drafted,))
    found = small_findings(plan_of(SMALL, TWO_CARDS), asked)
    assert "a-0: its argv loads nothing instead of /models/pvc/models/qwen3-0.6b.gguf" in found


def test_more_cards_than_are_allowed() -> None:
    one_card = replace(SMALL, workloads=(replace(SMALL.workloads[0], max_gpus=1),))
    found = small_findings(plan_of(SMALL, TWO_CARDS), one_card)
    assert "a-0: 2 cards, at most 1 are allowed" in found


def test_the_wishes_are_the_fleets_not_the_plans() -> None:
    more = replace(SMALL.workloads[0], context_per_slot=4096)
    found = small_findings(plan_of(SMALL, TWO_CARDS), replace(SMALL, workloads=(more,)))
    assert "a-0: a slot holds 2048 cells, 4096 are asked" in found


@pytest.mark.parametrize("rank", [1, -1, 9])
def test_another_rank_than_that_of_the_file(rank: int) -> None:
    made = lied(
        plan_of(SMALL, TWO_CARDS), lambda one: replace(one, variant=replace(one.variant, rank=rank))
    )
    assert any("Q8_0 is not among its quantizations" in one for one in small_findings(made))


def test_fewer_bytes_listed_than_cards() -> None:
    made = lied(plan_of(SMALL, TWO_CARDS), lambda one: replace(one, devices=one.devices[:1]))
    assert "a-0: the plan lists 1 cards" in small_findings(made)


def test_replicas_that_meet_in_a_zone() -> None:
    asked = fleet(workload("a", replicas=2, spread=Spread.ZONE))
    there = inventory(pool("p", gpu(2500), 1, 2, zones={"east": 1, "west": 1}))
    made = plan_of(asked, there)
    assert small_findings(made, asked, there) == []
    one_zone = inventory(replace(there.pools[0], zones={"east": 2}))
    assert small_findings(made, asked, one_zone) == ["a: 2 replicas meet on zone 'east'"]


def test_replicas_that_meet_in_a_router() -> None:
    asked, there = fleet(workload("a", replicas=2)), inventory(pool("p", gpu(9000)))
    whole = inventory(replace(there.pools[0], sharing=Sharing.WHOLE))
    found = small_findings(plan_of(asked, there), asked, whole)
    assert "a: 2 replicas meet in the router of p-0 card 0" in found


def test_the_price_of_used_nodes_is_added_up_again() -> None:
    asked = replace(SMALL, objective=Objective.PRICE)
    made = plan_of(asked, TWO_CARDS)
    assert small_findings(made, asked) == []
    dearer = inventory(replace(TWO_CARDS.pools[0], price=Price(Decimal("9.9"))))
    assert small_findings(made, asked, dearer) == [
        "the plan says 1.5 price, its placements give 9.9"
    ]
    unknown = inventory(replace(TWO_CARDS.pools[0], price=None))
    assert small_findings(made, asked, unknown) == [
        "the objective is price, and a used node has none"
    ]


def test_a_workload_that_does_not_exist_on_a_node_that_does_not_either() -> None:
    made = lied(plan_of(SMALL, TWO_CARDS), lambda one: replace(one, workload="x", node="y"))
    found = small_findings(made)
    assert {"x-0: no such workload", "x-0: no node y"} <= set(found)


def test_a_split_model_that_shares_cards_of_a_router() -> None:
    asked = fleet(workload("large", "llama-3.1-8b", "Q4_K_M"), workload("small"))
    shared, whole = (
        inventory(pool("p", gpu(5000), 2, 1, sharing=sharing))
        for sharing in (Sharing.DRA, Sharing.WHOLE)
    )
    made = plan_of(asked, shared)
    assert list(find_contradictions(made, asked, shared, parse_arguments)) == []
    found = list(find_contradictions(made, asked, whole, parse_arguments))
    words = "['large', 'small'] share a router's card, and one of them is split"
    assert sum(words in one for one in found) == 1
