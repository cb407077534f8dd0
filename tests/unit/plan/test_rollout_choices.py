"""Choices of an order, one by one: what a step costs, what needs no search, what is said of it."""

import pytest

from packer.errors import InvalidInput
from packer.plan.rollout.change import HOST, Change, Occupancy, Place, RunningServers
from packer.plan.rollout.fewest_stops import fewest_stops, possible_actions
from packer.plan.rollout.order import rollout
from packer.plan.rollout.state import RolloutState
from packer.plan.rollout.step import StepKind

START, STOP, REPLACE = StepKind.START, StepKind.STOP, StepKind.REPLACE
CARDS = [Place("n0", index) for index in range(6)]


def on(card: int, size: int, *serves: str, seats: dict[str, str] | None = None) -> Occupancy:
    return Occupancy({CARDS[card]: size}, frozenset(serves), seats or {})


def room(
    *sizes: int,
    minimum: dict[str, int] | None = None,
    unchanged: tuple[tuple[Occupancy, bool], ...] = (),
) -> RunningServers:
    return RunningServers(dict(zip(CARDS, sizes, strict=False)), unchanged, minimum or {})


def swap(first: str, second: str, card: int, seconds: float = 10.0) -> tuple[Change, Change]:
    """Two servers that each stand where the other has to go."""
    return (
        Change(first, on(card, 8, first), on(card + 1, 8, first), start_seconds=seconds),
        Change(second, on(card + 1, 8, second), on(card, 8, second), start_seconds=seconds + 1),
    )


def order(servers: RunningServers, *changes: Change) -> list[tuple[StepKind, str]]:
    return [(step.kind, step.server) for step in rollout(servers, changes).steps]


def test_only_a_gap_in_what_answers_costs_a_stop_and_its_seconds() -> None:
    changes = (
        Change("moves", on(0, 5, "a"), on(1, 5, "a"), start_seconds=30.0),
        Change("leaves", on(0, 1, "b"), None, start_seconds=30.0),
        Change("comes", None, on(2, 5, "c"), start_seconds=30.0),
        Change("broken", on(3, 8, "d"), on(3, 8, "d"), is_available=False, start_seconds=30.0),
        Change("in its own way", on(4, 8, "e"), on(4, 9, "e"), start_seconds=30.0),
        Change("the last", on(5, 1, "f"), None),
    )
    state = RolloutState(room(10, 10, 10, 10, 10, 10, minimum={"e": 1, "f": 1}), changes)
    assert dict(possible_actions(state)) == {
        (REPLACE, 0): (0, 0, 0.0),
        (STOP, 0): (0, 1, 30.0),
        (STOP, 1): (0, 0, 0.0),
        (START, 2): (0, 0, 0.0),
        (STOP, 3): (0, 0, 0.0),
        (STOP, 4): (1, 1, 30.0),
        (STOP, 5): (1, 0, 0.0),
    }


def test_what_is_in_nobodys_way_needs_no_search() -> None:
    """The first waits for the second, which has room at once and takes in another workload."""
    changes = (
        Change("waits", on(0, 8, "a"), on(1, 8, "a")),
        Change("free", on(1, 8, "b"), on(2, 8, "b", "c")),
    )
    steps, proven = fewest_stops(RolloutState(room(10, 10, 10), changes), expansions=0)
    assert (steps, proven) == ([(REPLACE, 1), (REPLACE, 0)], True)


def test_a_server_that_gives_up_a_workload_may_be_in_somebodys_way() -> None:
    changes = (
        Change("gives up", on(0, 5, "a"), on(1, 5, "b")),
        Change("takes over", on(2, 5, "b"), on(3, 5, "a")),
    )
    servers = room(10, 10, 10, 10, minimum={"a": 1})
    assert order(servers, *changes) == [(REPLACE, "takes over"), (REPLACE, "gives up")]
    assert not rollout(servers, changes).shortfalls
    _, proven = fewest_stops(RolloutState(servers, changes), expansions=0)
    assert not proven, "it was searched for"
    assert rollout(servers, changes, expansions=0).stops_are_fewest, "none are, searched or not"


def test_a_minimum_may_tie_what_waits_for_nobody_to_a_circle() -> None:
    """Circle by circle the first swap would stop ``a`` before another server answers for it."""
    changes = (
        *swap("a", "b", 0),
        Change("more of a", on(2, 8, "c"), on(3, 8, "a")),
    )
    servers = room(10, 10, 10, 10, minimum={"a": 1, "b": 1})
    planned = rollout(servers, changes)
    assert not planned.shortfalls
    assert planned.steps[0].server == "more of a"
    assert [one.server for one in planned.forced_stops] == ["a"]
    assert planned.stops_are_fewest


def test_one_circle_is_ended_before_the_next_where_that_costs_no_more() -> None:
    changes = (*swap("a", "b", 0), *swap("c", "d", 2))
    names = [name for _, name in order(room(10, 10, 10, 10), *changes)]
    assert names == ["a", "b", "a", "c", "d", "c"]


def test_what_comes_goes_first_and_what_leaves_last() -> None:
    changes = (
        Change("leaves", on(0, 5, "a"), None),
        Change("moves", on(1, 5, "a"), on(2, 5, "a")),
        Change("comes", None, on(3, 5, "a")),
    )
    expected = [(START, "comes"), (REPLACE, "moves"), (STOP, "leaves")]
    assert order(room(10, 10, 10, 10), *changes) == expected


def two_in_the_place_of_a_hub(seconds: float, hub_seconds: float) -> tuple[Change, ...]:
    """``a`` and ``b`` go where ``hub`` is, which goes where both are: it stops, or both do."""
    hub = Occupancy({CARDS[1]: 8, CARDS[2]: 8}, frozenset({"hub"}))
    return (
        Change("a", on(1, 8, "a"), on(0, 4, "a"), start_seconds=seconds),
        Change("b", on(2, 8, "b"), on(0, 4, "b"), start_seconds=seconds),
        Change("hub", on(0, 8, "hub"), hub, start_seconds=hub_seconds),
    )


def test_without_search_the_server_that_most_others_wait_for_stops() -> None:
    changes = two_in_the_place_of_a_hub(9.0, 9.0)
    steps, proven = fewest_stops(RolloutState(room(10, 10, 10), changes), expansions=0)
    assert not proven
    assert [index for kind, index in steps if kind is STOP] == [2]
    assert len(steps) == 4


def test_one_long_stop_is_better_than_two_short_ones() -> None:
    changes = two_in_the_place_of_a_hub(1.0, 100.0)
    planned = rollout(room(10, 10, 10), changes)
    assert [one.server for one in planned.forced_stops] == ["hub"]
    assert planned.stops_are_fewest


def test_without_search_those_alike_stop_in_their_order() -> None:
    changes = tuple(
        Change(f"s{n}", on(n, 8, f"w{n}"), on((n + 1) % 4, 8, f"w{n}"), start_seconds=9.0)
        for n in range(4)
    )
    steps, _ = fewest_stops(RolloutState(room(10, 10, 10, 10), changes), expansions=0)
    assert steps[0] == (STOP, 0)


def test_a_stop_that_leaves_enough_is_no_shortfall() -> None:
    unchanged = ((on(2, 5, "a"), True), (on(3, 5, "a"), True))
    servers = room(10, 10, 10, 10, minimum={"a": 1}, unchanged=unchanged)
    planned = rollout(servers, swap("a", "b", 0))
    assert [one.server for one in planned.forced_stops] == ["a"]
    assert not planned.shortfalls


def test_only_what_cannot_come_is_named_though_others_are_forced_to_stop() -> None:
    stays = on(2, 1, "x", seats={"card 2": "router-x"})
    blocked = Change("blocked", None, on(2, 1, "y", seats={"card 2": "router-y"}))
    servers = room(10, 10, 10, unchanged=((stays, True),))
    with pytest.raises(InvalidInput) as refused:
        rollout(servers, (*swap("a", "b", 0), blocked))
    assert [problem.title for problem in refused.value.problems] == ["blocked cannot come"]


def test_a_place_nobody_knows_has_room_for_nothing() -> None:
    with pytest.raises(InvalidInput) as refused:
        rollout(room(10), (Change("a", None, on(1, 1, "a")),))
    (problem,) = refused.value.problems
    assert problem.title.startswith("n0 gpu1")
    assert problem.why == "1 bytes planned and running, 0 allocatable"
    comes = Change("a", None, on(1, 1, "a"))
    assert RolloutState(room(10), (comes,)).roomy_places([0]) == set()
    host = {Place("n0", HOST): 0, CARDS[0]: 5}
    comes = Change("a", None, Occupancy(host, frozenset("a")))
    assert order(room(10), comes) == [(START, "a")]


def test_a_card_that_is_too_full_already_refuses_only_what_comes_to_it() -> None:
    servers = room(10, 10, unchanged=((on(0, 11, "x"), True),))
    leaves, comes = Change("a", on(1, 5, "a"), None), Change("b", None, on(1, 5, "b"))
    assert order(servers, leaves, comes) == [(START, "b"), (STOP, "a")]


def test_who_shares_a_wave_with_a_stop_lengthens_the_gap() -> None:
    """Within a wave any order may happen: the server may be gone while the other one starts."""
    changes = (
        Change("far", on(2, 5, "far"), on(3, 5, "far"), start_seconds=20.0),
        Change("a", on(0, 8, "a"), on(0, 9, "a"), start_seconds=5.0),
    )
    planned = rollout(room(10, 10, 10, 10), changes)
    assert [len(wave) for wave in planned.waves] == [2, 1]
    assert planned.downtime_seconds == {"a": 25.0}
    assert planned.seconds == 25.0
    twice = room(10, 10, 10, 10, unchanged=((on(1, 5, "a"), True),))
    assert rollout(twice, changes).downtime_seconds == {}


def test_a_gap_of_no_time_is_none() -> None:
    planned = rollout(room(10), (Change("a", on(0, 8, "a"), on(0, 9, "a")),))
    assert [stop.server for stop in planned.forced_stops] == ["a"]
    assert planned.downtime_seconds == {}
    assert planned.seconds == 0.0


@pytest.mark.parametrize(("expansions", "is_proven"), [(0, False), (1, True)])
def test_as_many_moments_are_looked_at_as_are_allowed(expansions: int, is_proven: bool) -> None:
    """One moment to look from: the server is in its own way."""
    change = Change("a", on(0, 8, "a"), on(0, 9, "a"))
    found = fewest_stops(RolloutState(room(10), (change,)), expansions)
    assert found == ([(STOP, 0), (START, 0)], is_proven)


def test_places_are_called_what_people_call_them() -> None:
    assert [str(one) for one in (Place("n0", 0), Place("n0", HOST))] == ["n0 gpu0", "n0 memory"]


def test_who_shares_a_seat_with_its_own_holder_waits_for_nobody_there() -> None:
    seat = {"group": "claim"}
    changes = tuple(
        Change(f"s{card}", on(card, 8, f"w{card}", seats=seat), on(card, 9, f"w{card}", seats=seat))
        for card in (0, 1)
    )
    planned = rollout(room(10, 10), changes)
    assert [(one.server, one.with_others) for one in planned.forced_stops] == [
        ("s0", ()),
        ("s1", ()),
    ]


def test_a_workload_that_is_not_wanted_any_more_has_no_gap() -> None:
    changes = (
        Change("leaves", on(0, 5, "old"), None),
        Change("comes", None, on(1, 5, "new"), start_seconds=20.0),
    )
    planned = rollout(room(10, 10), changes)
    assert len(planned.waves) == 1
    assert planned.downtime_seconds == {}
