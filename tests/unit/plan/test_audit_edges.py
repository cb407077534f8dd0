"""The audit at its edges: what just holds passes, one byte, card or slot more is named."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from functools import cache
from typing import Any

import pytest

from packer.domain.demand import Goals, PartialOffload
from packer.domain.node import Inventory, NodePool, Price, Sharing
from packer.domain.payment import Payment
from packer.domain.speculation import NO_SPECULATION
from packer.domain.workload import Draft, Fleet, Headroom, Objective, Spread, Workload
from packer.llamacpp.arguments import parse_arguments
from packer.plan.audit import find_contradictions
from packer.plan.plan import CardBudget, Placement, Plan
from tests.small_fleets import fleet, gpu, inventory, pool, variant, workload
from tests.small_fleets import plan as plan_of

TWO = fleet(workload("a"), workload("b", slots=2))
POOL = pool("p", gpu(4500), 2, 2)


@cache
def made() -> Plan:
    return plan_of(TWO, inventory(POOL))


def findings(
    changed: Plan | None = None, asked: Fleet = TWO, there: NodePool | Inventory = POOL
) -> list[str]:
    nodes = there if isinstance(there, Inventory) else inventory(there)
    return list(find_contradictions(changed or made(), asked, nodes, parse_arguments))


def with_placement(
    change: Callable[[Placement], Placement], name: str = "a", original: Plan | None = None
) -> Plan:
    original = original or made()
    placements = (change(one) if one.workload == name else one for one in original.placements)
    return replace(original, placements=tuple(placements))


def with_workload(name: str = "a", **changes: Any) -> Fleet:
    return replace(
        TWO,
        workloads=tuple(
            replace(one, **changes) if one.name == name else one for one in TWO.workloads
        ),
    )


def of(name: str, plan: Plan | None = None) -> Placement:
    return next(one for one in (plan or made()).placements if one.workload == name)


def test_both_servers_share_one_card() -> None:
    assert findings() == []
    assert [(one.node, one.gpus) for one in made().placements] == [("p-0", (0,))] * 2


def test_a_card_may_be_filled_to_its_last_byte() -> None:
    used = sum(one.devices[0].high_bytes for one in made().placements)
    room = POOL.gpu.allocatable_bytes - used
    full = replace(POOL, taken={"p-0": {0: room}})
    assert findings(there=full) == []
    over = replace(POOL, taken={"p-0": {0: room + 1}})
    assert findings(there=over) == [
        f"p-0 card 0: {used} bytes are planned, {used - 1} are allocatable"
    ]
    assert findings(there=replace(POOL, taken={"p-0": {1: room + 1}, "p-1": {0: room + 1}})) == []
    kept = replace(TWO, headroom=Headroom(bytes=5, percent=0))
    assert findings(asked=kept, there=replace(POOL, taken={"p-0": {0: room - 5}})) == []
    assert findings(asked=kept, there=full) == [
        f"p-0 card 0: {used} bytes are planned, {used - 5} are allocatable"
    ]


def test_a_node_may_be_filled_to_its_last_byte() -> None:
    used = sum(one.host.total_bytes for one in made().placements)
    assert findings(there=replace(POOL, host_memory_bytes=used)) == []
    assert findings(there=replace(POOL, host_memory_bytes=used - 1)) == [
        f"p-0: {used} bytes of node memory are planned, {used - 1} are there"
    ]
    held = replace(POOL, host_memory_bytes=used + 7, host_taken={"p-0": 8, "p-1": 10**12})
    assert findings(there=held) == [
        f"p-0: {used} bytes of node memory are planned, {used - 1} are there"
    ]


@pytest.mark.parametrize("key", ["total_bytes", "high_bytes"])
@pytest.mark.parametrize("by", [-1, 1])
def test_bytes_of_a_card_are_said_exactly(key: str, by: int) -> None:
    device = of("a").devices[0]
    told = replace(device, **{key: getattr(device, key) + by})
    assert findings(with_placement(lambda one: replace(one, devices=(told,)))) == [
        f"a-0: the plan says {told.high_bytes} bytes, its argv {device.high_bytes}"
    ]


@pytest.mark.parametrize("by", [-1, 1])
def test_bytes_of_a_node_are_said_exactly(by: int) -> None:
    host = of("a").host
    told = replace(host, total_bytes=host.total_bytes + by)
    assert findings(with_placement(lambda one: replace(one, host=told))) == [
        "a-0: the plan and its argv differ on node memory"
    ]


def test_every_card_has_its_bytes() -> None:
    device = of("a").devices[0]
    assert findings(with_placement(lambda one: replace(one, devices=()))) == [
        "a-0: the plan lists 0 cards"
    ]
    assert findings(with_placement(lambda one: replace(one, devices=(device, device)))) == [
        "a-0: the plan lists 2 cards"
    ]


def test_sums_of_cards_that_are_not_used_or_not_listed() -> None:
    node = made().nodes[0]
    first = node.cards[0]
    idle = replace(first, index=1, used_bytes=0)
    busy = replace(first, index=1, used_bytes=1)

    def listed(*cards: CardBudget) -> list[str]:
        return findings(replace(made(), nodes=(replace(node, cards=cards),)))

    assert listed(first, idle) == []
    assert listed(first, busy) == ["p-0 card 1: the plan's sum is not that of its processes"]
    assert listed(idle) == ["p-0 card 0: the plan's sum is not that of its processes"]
    more = replace(first, used_bytes=first.used_bytes + 1)
    assert listed(more) == ["p-0 card 0: the plan's sum is not that of its processes"]


@pytest.mark.parametrize(
    ("gpus", "finding"),
    [
        ((2,), "a-0: p-0 has no such card"),
        ((-1,), "a-0: p-0 has no such card"),
        ((0, 2), "a-0: p-0 has no such card"),
        ((1, 1), "a-0: its cards are not distinct"),
        ((), "a-0: its cards are not distinct"),
    ],
)
def test_cards_that_are_none(gpus: tuple[int, ...], finding: str) -> None:
    lied = with_placement(lambda one: replace(one, gpus=gpus))
    assert [one for one in findings(lied) if one.startswith("a-0")] == [finding]


def test_the_last_card_of_the_last_node_exists() -> None:
    moved = with_placement(lambda one: replace(one, node="p-1", gpus=(1,)))
    found = findings(replace(moved, cards=2, objective_value=Decimal(2), bound=Decimal(2)))
    assert sorted(found) == [
        "p-0 card 0: the plan's sum is not that of its processes",
        "p-1 card 1: the plan's sum is not that of its processes",
    ]


def test_what_is_broken_does_not_hide_the_rest() -> None:
    lied = with_placement(lambda one: replace(one, node="q-0"))
    lied = with_placement(
        lambda one: replace(one, argv=(*one.argv, "--no-such-flag")), "b", original=lied
    )
    assert findings(lied)[:3] == [
        "a-0: no node q-0",
        "b-0: its argv is refused: llama-server has no flag --no-such-flag",
        "p-0 card 0: the plan's sum is not that of its processes",
    ]


def test_a_refused_command_line_does_not_hide_those_after_it() -> None:
    lied = with_placement(lambda one: replace(one, argv=(*one.argv, "--no-such-flag")))
    lied = with_placement(lambda one: replace(one, argv=with_slots(one, 3)), "b", original=lied)
    assert findings(lied)[:2] == [
        "a-0: its argv is refused: llama-server has no flag --no-such-flag",
        "b-0: 3 slots instead of 2",
    ]


def with_slots(one: Placement, slots: int) -> tuple[str, ...]:
    at = one.argv.index("--parallel") + 1
    return (*one.argv[:at], str(slots), *one.argv[at + 1 :])


def test_products_that_are_allowed_or_refused() -> None:
    name = POOL.gpu.name
    unsummed = "p-0 card 0: the plan's sum is not that of its processes"
    refused = [f"a-0: {name} is refused by the fleet", unsummed]
    assert findings(asked=with_workload(allowed_gpus=(name, "H100"))) == []
    assert findings(asked=with_workload(refused_gpus=("H100",))) == []
    assert findings(asked=with_workload(allowed_gpus=("H100",))) == refused
    assert findings(asked=with_workload(refused_gpus=(name,))) == refused
    both = with_workload(allowed_gpus=(name,), refused_gpus=(name,))
    assert findings(asked=both) == refused


def test_a_drained_node_is_named() -> None:
    assert findings(there=replace(POOL, unavailable=("p-1",))) == []
    assert findings(there=replace(POOL, unavailable=("p-0",))) == [
        "a-0: node p-0 is unavailable",
        "b-0: node p-0 is unavailable",
        "p-0 card 0: the plan's sum is not that of its processes",
    ]


def test_slots_hold_what_is_asked() -> None:
    held = 2048
    assert findings(asked=with_workload(context_per_slot=held)) == []
    assert findings(asked=with_workload(context_per_slot=held + 1)) == [
        f"a-0: a slot holds {held} cells, {held + 1} are asked"
    ]
    assert findings(asked=with_workload("b", slots=3)) == ["b-0: 2 slots instead of 3"]


def doubled(asked: Workload, *where: tuple[str, tuple[int, ...]]) -> tuple[Plan, Fleet]:
    """A plan of two replicas that lie where they are told."""
    both = fleet(replace(asked, replicas=2))
    plan = plan_of(both, inventory(POOL))
    placements = tuple(
        replace(one, node=node, gpus=gpus)
        for one, (node, gpus) in zip(plan.placements, where, strict=True)
    )
    return replace(plan, placements=placements), both


def rules(found: list[str]) -> list[str]:
    """Findings without those on sums and totals."""
    return [one for one in found if "the plan" not in one]


@pytest.mark.parametrize(
    ("spread", "second", "finding"),
    [
        (Spread.NODE, ("p-1", (0,)), []),
        (Spread.NODE, ("p-0", (1,)), ["a: 2 replicas meet on p-0"]),
        (Spread.ZONE, ("p-1", (0,)), []),
        (Spread.ZONE, ("p-0", (1,)), ["a: 2 replicas meet on zone 'east'"]),
        (Spread.NONE, ("p-0", (0,)), []),
    ],
)
def test_replicas_that_spread(
    spread: Spread, second: tuple[str, tuple[int, ...]], finding: list[str]
) -> None:
    plan, asked = doubled(workload("a"), ("p-0", (0,)), second)
    asked = fleet(replace(asked.workloads[0], spread=spread))
    zones = replace(POOL, zones={"east": 1, "west": 1})
    assert rules(findings(plan, asked, zones)) == finding


def test_a_router_runs_one_process_of_a_name_on_a_card() -> None:
    whole = replace(POOL, sharing=Sharing.WHOLE, gpu=gpu(9000))
    plan, asked = doubled(workload("a"), ("p-0", (0,)), ("p-0", (1,)))
    assert rules(findings(plan, asked, whole)) == []
    plan, asked = doubled(workload("a"), ("p-0", (0,)), ("p-0", (0,)))
    assert rules(findings(plan, asked, whole)) == ["a: 2 replicas meet in the router of p-0 card 0"]
    assert rules(findings(plan, asked, replace(POOL, gpu=gpu(9000)))) == []


def test_replicas_are_numbered_from_zero_without_a_gap() -> None:
    again = replace(made(), placements=(*made().placements, of("a")))
    assert "a: replicas [0, 0] of 1 are placed" in findings(again)
    assert "a: replicas [0] of 2 are placed" in findings(asked=with_workload(replicas=2))
    more = replace(TWO, workloads=(*TWO.workloads, workload("c")))
    assert findings(asked=more) == ["c: replicas [] of 1 are placed"]


def test_neighbours() -> None:
    def keep(**groups: Any) -> list[str]:
        more = (*TWO.workloads, workload("c", replicas=0))
        return findings(asked=replace(TWO, workloads=more, **groups))

    assert keep(keep_apart=(("a", "c"),)) == []
    assert keep(keep_apart=(("c", "nobody"),)) == []
    assert keep(keep_apart=(("a", "c"), ("c", "a", "b"))) == ["p-0: ['a', 'b'] must be kept apart"]
    assert keep(keep_together=(("a", "b"),)) == []
    assert keep(keep_together=(("c", "b"),)) == ["p-0: ['b', 'c'] must be kept together"]
    assert keep(keep_together=(("c",),)) == []
    assert keep(keep_together=(("a",),)) == []


def test_spot_nodes() -> None:
    spot = replace(POOL, payment=Payment.SPOT)
    assert findings(there=spot) == [
        "a: spot is not allowed, and p-0 is a spot node",
        "b: spot is not allowed, and p-0 is a spot node",
    ]
    assert findings(asked=with_workload(spot_allowed=True), there=spot) == [
        "b: spot is not allowed, and p-0 is a spot node"
    ]


def test_prices_of_every_used_node() -> None:
    asked = fleet(workload("a", replicas=2, spread=Spread.NODE), objective=Objective.PRICE)
    priced = replace(POOL, price=Price(Decimal("1.25")))
    plan = plan_of(asked, inventory(priced))
    assert plan.objective_value == Decimal("2.50")
    assert findings(plan, asked, priced) == []
    halved = replace(plan, objective_value=Decimal("1.25"), bound=Decimal("1.25"))
    assert findings(halved, asked, priced) == ["the plan says 1.25 price, its placements give 2.50"]


@pytest.mark.parametrize(
    ("bound", "status", "finding"),
    [
        ("0.5", "feasible", []),
        ("1.5", "feasible", ["the bound 1.5 is above the value 1"]),
        ("0.5", "optimal", ["the plan is called optimal, and its bound is lower than its value"]),
    ],
)
def test_bounds_and_what_they_are_called(bound: str, status: str, finding: list[str]) -> None:
    changed = replace(made(), bound=Decimal(bound), status=type(made().status)(status))
    assert findings(changed) == finding


def flagged(*words: str, name: str = "a") -> Plan:
    return with_placement(lambda one: replace(one, argv=(*one.argv, *words)), name)


def test_layers_and_experts_that_stay_on_the_host() -> None:
    block_count = TWO.workloads[0].variants[0].model.number("block_count")
    every = ["--n-gpu-layers", str(block_count + 1)]
    most = ["--n-gpu-layers", str(block_count)]
    left = "a-0: layers are left in the node's memory, which is not allowed"
    assert findings(flagged(*every)) == []
    assert findings(flagged("--n-gpu-layers", "99")) == []
    assert left in findings(flagged(*most))
    allowed = with_workload(partial_offload=PartialOffload.LAYERS)
    assert left not in findings(flagged(*most), allowed)
    assert left in findings(flagged(*most), with_workload(partial_offload=PartialOffload.EXPERTS))
    experts = "a-0: experts are left in the node's memory, which is not allowed"
    assert experts in findings(flagged("--n-cpu-moe", "1"))
    for offload in (PartialOffload.EXPERTS, PartialOffload.LAYERS):
        allowed = with_workload(partial_offload=offload)
        assert experts not in findings(flagged("--n-cpu-moe", "1"), allowed)


def test_fidelity_and_types_of_the_cache() -> None:
    fine = with_workload(is_high_fidelity=True)
    assert findings(asked=fine) == []
    argv = list(of("a").argv)
    for flag in ("--cache-type-k", "--cache-type-v"):
        argv[argv.index(flag) + 1] = "q4_0"

    def coarse(one: Placement) -> Placement:
        stated = replace(one.variant, cache_type_k="q4_0", cache_type_v="q4_0")
        return replace(one, argv=tuple(argv), variant=stated)

    found = findings(with_placement(coarse), fine)
    assert found[:2] == [
        "a-0: cache type q4_0 is not allowed",
        "a-0: cache type q4_0 is too coarse for fidelity: high",
    ]
    taken = with_workload(cache_types=("f16", "q4_0"))
    assert not [one for one in findings(with_placement(coarse), taken) if "cache type" in one]


def test_what_a_server_answers() -> None:
    embeds = with_workload(embedding=True)
    assert "a-0: it serves completions instead of embeddings" in findings(asked=embeds)
    ranks = with_workload(reranking=True)
    assert "a-0: it serves completions instead of reranking" in findings(asked=ranks)


def test_files_must_be_those_of_the_fleet() -> None:
    another = with_workload(variants=(variant("qwen3-0.6b", "Q4_K_M"),))
    name = "a-0: Q8_0 is not among its quantizations"
    assert findings(asked=another)[0] == name
    first = TWO.workloads[0].variants[0]
    moved = with_workload(variants=(replace(first, mount="pvc://elsewhere/x.gguf"),))
    assert findings(asked=moved)[0] == name
    second = with_workload(variants=(variant("qwen3-0.6b", "Q4_K_M"), first))
    assert findings(asked=second)[0] == name
    ranked = with_placement(lambda one: replace(one, variant=replace(one.variant, rank=1)))
    assert findings(ranked, second) == []


@pytest.mark.parametrize("rank", [-1, 1])
def test_a_rank_that_no_file_has(rank: int) -> None:
    """The only file is also the last one."""
    lied = with_placement(lambda one: replace(one, variant=replace(one.variant, rank=rank)))
    assert findings(lied)[0] == "a-0: Q8_0 is not among its quantizations"


def test_types_of_the_cache_are_said_as_they_are() -> None:
    for kind in ("bf16", "q8_0"):
        stated = replace(of("a").variant, cache_type_k=kind)
        told = replace(of("a"), variant=stated)
        lied = replace(made(), placements=(told, *made().placements[1:]))
        said = f"a-0: the plan says cache types {kind} and f16, its argv f16 and f16"
        assert findings(lied) == [said]


def test_a_draft_that_need_not_be_loaded() -> None:
    """A workload that may do without its draft is served without it, and then loads nothing."""
    draft = Draft(variant("qwen3-0.6b", "Q8_0"))
    large = workload("a", "qwen3-1.7b", "Q8_0", draft=draft)
    free = fleet(replace(large, speculations=(NO_SPECULATION,)))
    plan = plan_of(free, inventory(POOL))
    assert "qwen3-0.6b" not in str(plan.placements[0].argv)
    assert findings(plan, free) == []
    wanting = "a-0: its argv loads nothing instead of /models/pvc/models/qwen3-0.6b.gguf"
    assert findings(plan, fleet(large)) == [wanting]
    drafted = plan_of(fleet(large), inventory(POOL))
    assert "qwen3-0.6b" in str(drafted.placements[0].argv)
    assert findings(drafted, fleet(large)) == []


def test_a_split_model_may_have_a_router_to_itself() -> None:
    asked = fleet(workload("a", "qwen3-1.7b", "Q8_0"))
    there = inventory(pool("p", gpu(3300), 2, sharing=Sharing.WHOLE))
    plan = plan_of(asked, there)
    assert len(plan.placements[0].gpus) == 2
    assert findings(plan, asked, there) == []


@pytest.mark.parametrize("cards", [0, 2])
def test_used_cards_are_counted_again(cards: int) -> None:
    assert findings(replace(made(), cards=cards)) == [
        f"the plan says {cards} cards, its placements use 1"
    ]


@pytest.mark.parametrize("cards", [1, 2, 3])
def test_the_most_cards_of_a_replica(cards: int) -> None:
    asked = fleet(workload("a", "qwen3-1.7b", "Q8_0"))
    there = inventory(pool("p", gpu(2600), 2))
    plan = plan_of(asked, there)
    assert len(plan.placements[0].gpus) == 2
    limited = fleet(replace(asked.workloads[0], max_gpus=cards))
    over = ["a-0: 2 cards, at most 1 are allowed"] if cards == 1 else []
    assert findings(plan, limited, there) == over


def test_speeds_are_asked_of_some_workloads_only() -> None:
    asked = fleet(workload("a"), workload("b", goals=Goals(1.0, None)))
    plan = plan_of(asked, inventory(POOL))
    assert findings(plan, asked) == []
    silent = with_placement(lambda one: replace(one, speed=None), "b", plan)
    assert findings(silent, asked) == ["b-0: the plan's speed is not that of its argv"]


def wished(goal: float) -> Fleet:
    return fleet(workload("a", goals=Goals(goal, None)))


def test_the_speed_that_is_asked_of_each_slot() -> None:
    plan = plan_of(wished(1.0), inventory(POOL))
    assert findings(plan, wished(1.0)) == []
    high = findings(plan, wished(1e6))
    assert len(high) == 1
    speed = plan.placements[0].speed
    assert speed is not None
    reached = speed.decode_tokens_per_second.value
    assert high == [f"a-0: {reached:.1f} tokens/s per slot, 1e+06 are asked"]
    assert findings(plan, wished(round(reached * 1.00005, 3))) == []
    assert findings(plan, wished(round(reached * 1.0002, 3))) == [
        f"a-0: {reached:.1f} tokens/s per slot, {reached * 1.0002:g} are asked"
    ]
    assert findings(plan, fleet(workload("a"))) == []
    silent = with_placement(lambda one: replace(one, speed=None), original=plan)
    assert findings(silent, wished(1.0)) == ["a-0: the plan's speed is not that of its argv"]
