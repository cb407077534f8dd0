"""Plans of random small fleets: never over a budget, never below the proof, never wrongly refused.

``GPU_PACKER_PROPERTY_CASES=1000`` runs more cases than the default 60.
"""

import os
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, event, given, settings

from packer.api.model_headers import Models
from packer.domain.node import Inventory
from packer.domain.workload import Fleet
from packer.errors import Infeasible
from packer.llamacpp.arguments import parse_arguments
from packer.memory.card_reserve import card_reserve_bytes
from packer.memory.estimate import estimate_memory
from packer.memory.result import Card, MemoryEstimate
from packer.plan.audit import find_contradictions
from packer.plan.plan import Placement, Plan, Status
from tests.fleet_strategies import questions
from tests.placement_brute_force import best_value
from tests.small_fleets import plan

CASES = int(os.environ.get("GPU_PACKER_PROPERTY_CASES", "60"))
plan_settings = settings(
    max_examples=CASES,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@given(questions())
@plan_settings
def test_a_plan_is_sound_and_optimal_and_a_refusal_is_right(
    question: tuple[Fleet, Inventory],
) -> None:
    fleet, inventory = question
    best = best_value(fleet, inventory)
    if best is None:
        event("infeasible")
        with pytest.raises(Infeasible) as answer:
            plan(fleet, inventory, workers=1)
        assert answer.value.reasons
        return
    made = plan(fleet, inventory, workers=1)
    event(f"{fleet.objective} on {made.cards} cards")
    assert made.status is Status.OPTIMAL
    assert made.objective_value == made.bound == best
    assert list(find_contradictions(made, fleet, inventory, parse_arguments)) == []
    check_cards(made, fleet, inventory)
    for placement in made.placements:
        check_bytes(placement, estimate_again(placement, inventory))


def check_cards(made: Plan, fleet: Fleet, inventory: Inventory) -> None:
    """Sums of the placements, card by card, against what the inventory leaves."""
    used: Counter[tuple[str, int]] = Counter()
    for placement in made.placements:
        for gpu, device in zip(placement.gpus, placement.devices, strict=True):
            used[placement.node, gpu] += device.high_bytes
    room = dict(rooms(fleet, inventory))
    assert set(used) <= set(room)
    assert all(total <= room[place] for place, total in used.items())
    assert made.cards == len(used)
    stated = {(node.name, card.index): card for node in made.nodes for card in node.cards}
    assert all(stated[place].used_bytes == total for place, total in used.items())
    assert all(stated[place].slack_bytes >= 0 for place in used)


def rooms(fleet: Fleet, inventory: Inventory) -> Iterator[tuple[tuple[str, int], int]]:
    for pool in inventory.pools:
        reserve = card_reserve_bytes(pool, fleet.headroom)
        for index in range(pool.nodes):
            if pool.node_name(index) in pool.unavailable:
                continue
            for gpu in range(pool.gpus_per_node):
                yield (pool.node_name(index), gpu), pool.free_bytes(index, gpu) - reserve


def estimate_again(placement: Placement, inventory: Inventory) -> MemoryEstimate:
    """What the command line takes, with the headers read anew."""
    options = parse_arguments(placement.argv)
    pool = next(
        pool for pool in inventory.pools if placement.node in map(pool.node_name, range(pool.nodes))
    )
    card = Card(
        pool.gpu.name,
        pool.gpu.allocatable_bytes,
        generation=pool.gpu.generation,
        compute_capability=pool.gpu.compute_capability,
    )
    read = Models().read
    draft = placement.variant.draft_model
    return estimate_memory(
        read(placement.variant.model),
        options,
        [card] * len(placement.gpus),
        draft=read(draft) if draft else None,
    )


def check_bytes(placement: Placement, estimate: MemoryEstimate) -> None:
    assert len(estimate.devices) == len(placement.devices)
    for planned, found in zip(placement.devices, estimate.devices, strict=True):
        assert planned.total_bytes == found.total_bytes
        assert planned.high_bytes == found.high_bytes
        assert planned.weights_bytes == found.weights_bytes
        assert planned.context_bytes == found.context_bytes
        assert planned.compute_bytes == found.compute_bytes
    assert planned_layers(placement) == tuple(
        estimate.layers.count(card) for card in range(len(placement.gpus))
    )
    assert placement.host.total_bytes == estimate.host.total_bytes
    assert estimate.context_cells_per_slot >= placement.variant.context_per_slot


def planned_layers(placement: Placement) -> tuple[int, ...]:
    return placement.variant.layers_per_gpu
