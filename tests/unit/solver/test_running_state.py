"""What runs now as an instance's current state, and numbers that stay."""

from dataclasses import replace

from packer.plan.moves import moves_between, moves_note, running_replicas
from packer.solver.assignment import Assignment
from packer.solver.candidates import find_candidates
from packer.solver.fleet_instance import FleetInstance, fleet_instance
from packer.solver.offers import offers_of
from packer.solver.running_state import current_state, with_kept_numbers
from tests.planned import inputs, plan

EXAMPLE = "01-four-models-one-card"


def packed() -> FleetInstance:
    given = inputs(EXAMPLE)
    offers = offers_of(given.inventory, given.fleet.headroom)
    build = given.fleet.server_image.build
    sets = tuple(find_candidates(one, offers, build=build) for one in given.fleet.workloads)
    return fleet_instance(given.fleet, given.inventory, sets)


def test_every_replica_of_a_plan_is_found_again() -> None:
    instance = packed()
    state = current_state(instance, running_replicas(plan(EXAMPLE).placements))
    assert len(state.placed) == 4
    for one in state.placed:
        candidate = instance.candidates[one.item][one.alternative]
        placed = next(p for p in plan(EXAMPLE).placements if p.workload == one.item)
        assert candidate.options.model == placed.variant.model
        assert candidate.options.cache_type_k == placed.variant.cache_type_k
    assert all(cost >= 1 for cost in state.move_cost.values())


def test_a_running_replica_is_the_candidate_of_the_product_it_runs_on() -> None:
    given = inputs("02-company-fleet")
    offers = offers_of(given.inventory, given.fleet.headroom)
    build = given.fleet.server_image.build
    sets = tuple(find_candidates(one, offers, build=build) for one in given.fleet.workloads)
    instance = fleet_instance(given.fleet, given.inventory, sets)
    placements = plan("02-company-fleet").placements
    state = current_state(instance, running_replicas(placements))
    assert len(state.placed) == len(placements)
    for one in state.placed:
        pool, _ = instance.sites[one.node_type]
        assert instance.candidates[one.item][one.alternative].gpu == pool.gpu.name


def test_what_is_not_known_any_more_is_left_out() -> None:
    running = running_replicas(plan(EXAMPLE).placements)
    gone = [
        replace(running[0], node="elsewhere"),
        replace(running[1], model="catalogue:other:Q4_K_M"),
        replace(running[2], workload="stranger"),
        replace(running[3], gpus=(5,)),
    ]
    assert current_state(packed(), gone).placed == ()


def test_a_replica_that_stays_keeps_its_number_and_others_take_what_is_free() -> None:
    given = inputs(EXAMPLE)
    candidate = packed().candidates["chat"][0]
    pool = replace(given.inventory.pools[0], nodes=4)
    found = [Assignment(candidate, 0, pool, node, (0,)) for node in (0, 1, 2)]
    base = running_replicas(plan(EXAMPLE).placements)[0]
    running = [
        replace(base, workload="chat", replica=2, node="l40s-0", gpus=(0,)),
        replace(base, workload="chat", replica=7, node="l40s-1", gpus=(0,)),
    ]
    numbered = with_kept_numbers(found, running)
    assert [one.replica for one in numbered] == [2, 0, 1]


def test_moves_are_told_apart() -> None:
    old = plan(EXAMPLE).placements
    elsewhere = replace(old[0], node="l40s-1")
    new = (elsewhere, old[1], old[2], replace(old[3], workload="search"))
    moves = moves_between(old, new)
    assert moves.kept == 2
    assert [(one.from_node, one.node) for one in moves.moved] == [("l40s-0", "l40s-1")]
    assert moves.started == ("search-0",)
    assert moves.stopped == (f"{old[3].workload}-0",)
    assert moves_note(moves).startswith("against the current plan: kept 2; moved 1 (chat-0 from")
