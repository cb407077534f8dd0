"""Orders of change: no moment over a card, least cost as brute force finds it."""

from itertools import permutations

from hypothesis import HealthCheck, example, given, settings

from packer.plan.rollout.change import Change, Occupancy, Place, RunningServers
from packer.plan.rollout.fewest_stops import fewest_stops
from packer.plan.rollout.order import rollout
from packer.plan.rollout.state import RolloutState
from packer.plan.rollout.step import Rollout, StepKind
from tests.rollout_brute_force import (
    answering,
    cheapest,
    cost_of,
    first_moment,
    is_within_room,
    least,
    moments,
)
from tests.rollout_strategies import changes_of_plans

_SWAP = (
    RunningServers({Place("n0", 0): 5, Place("n0", 1): 5}, (), {}),
    (
        Change(
            "a",
            Occupancy({Place("n0", 0): 4}, frozenset("a")),
            Occupancy({Place("n0", 1): 4}, frozenset("a")),
        ),
        Change(
            "b",
            Occupancy({Place("n0", 1): 4}, frozenset("b")),
            Occupancy({Place("n0", 0): 4}, frozenset("b")),
        ),
    ),
)

ManyPlans = tuple[RunningServers, tuple[Change, ...]]


@settings(max_examples=2_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(changes_of_plans(most_servers=7, most_cards=4))
@example(_SWAP)
def test_every_prefix_of_the_steps_respects_cards_seats_and_minimums(drawn: ManyPlans) -> None:
    servers, changes = drawn
    planned = rollout(servers, changes)
    by_name = {change.name: change for change in changes}
    minimum = least(servers, changes)
    allowed = {shortfall.workload for shortfall in planned.shortfalls}
    running = first_moment(servers, changes)
    fell_short = set()
    for step in planned.steps:
        for moment in moments(running, by_name[step.server], step.kind):
            running = moment
            assert is_within_room(servers, running)
            there = answering(running)
            fell_short |= {w for w, number in minimum.items() if there[w] < number}
    assert fell_short == allowed
    ended = {name.rstrip("'"): one for name, (one, _) in running.items()}
    assert ended == {change.name: change.new for change in changes if change.new is not None}


@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
@given(changes_of_plans())
@example(_SWAP)
def test_no_order_costs_less_than_the_one_that_is_found(drawn: ManyPlans) -> None:
    servers, changes = drawn
    planned = rollout(servers, changes)
    numbers = {change.name: number for number, change in enumerate(changes)}
    steps = [(step.kind, numbers[step.server]) for step in planned.steps]
    least_possible = cheapest(servers, changes)
    assert cost_of(servers, changes, steps) == least_possible
    assert bool(planned.shortfalls) == bool(least_possible[0])
    found, proven = fewest_stops(RolloutState(servers, changes), expansions=4_000)
    assert proven
    assert cost_of(servers, changes, found) == least_possible


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(changes_of_plans())
def test_an_order_taken_without_search_is_possible_too(drawn: ManyPlans) -> None:
    servers, changes = drawn
    found, _ = fewest_stops(RolloutState(servers, changes), expansions=0)
    assert cost_of(servers, changes, found) >= cheapest(servers, changes)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(changes_of_plans())
def test_a_wave_may_run_in_any_order_and_all_at_once(drawn: ManyPlans) -> None:
    servers, changes = drawn
    planned = rollout(servers, changes)
    by_name = {change.name: change for change in changes}
    minimum = least(servers, changes)
    running = first_moment(servers, changes)
    for wave in planned.waves:
        for order in permutations(wave) if len(wave) <= 4 else [wave]:
            after = dict(running)
            for step in order:
                for moment in moments(after, by_name[step.server], step.kind):
                    after = moment
                    _assert_possible(servers, planned, after)
        coming = [one.server for one in wave if one.kind is not StepKind.STOP]
        arrivals = {f"{name}'": by_name[name].new for name in coming}
        at_once = {name: (one, False) for name, one in arrivals.items() if one is not None}
        _assert_possible(servers, planned, {**running, **at_once})
        going = {one.server for one in wave if one.kind is StepKind.STOP}
        left = {name: one for name, one in running.items() if name not in going}
        there = answering(left)
        assert planned.shortfalls or all(there[w] >= number for w, number in minimum.items())
        running = after


def _assert_possible(
    servers: RunningServers, planned: Rollout, running: dict[str, tuple[Occupancy, bool]]
) -> None:
    assert is_within_room(servers, running)
    for place, peak in planned.peak_bytes.items():
        assert sum(one.bytes.get(place, 0) for one, _ in running.values()) <= peak
