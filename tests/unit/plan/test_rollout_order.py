"""The order of a change on cases small enough to see the answer."""

import pytest

from packer.errors import InvalidInput
from packer.plan.rollout.change import HOST, Change, Occupancy, Place, RunningServers
from packer.plan.rollout.order import rollout
from packer.plan.rollout.step import StepKind

CARDS = [Place("n0", index) for index in range(4)]


def _on(card: int, size: int, workload: str = "", seats: dict[str, str] | None = None) -> Occupancy:
    return Occupancy({CARDS[card]: size}, frozenset({workload or f"w{card}"}), seats or {})


def _room(*sizes: int, minimum: dict[str, int] | None = None) -> RunningServers:
    return RunningServers(dict(zip(CARDS, sizes, strict=False)), (), minimum or {})


def _words(*pairs: tuple[StepKind, str]) -> list[tuple[StepKind, str]]:
    return list(pairs)


def test_a_chain_moves_from_its_free_end_without_a_stop() -> None:
    changes = (
        Change("a", _on(0, 8, "a"), _on(1, 8, "a")),
        Change("b", _on(1, 8, "b"), _on(2, 8, "b")),
        Change("c", _on(2, 8, "c"), _on(3, 8, "c")),
    )
    planned = rollout(_room(10, 10, 10, 10), changes)
    assert [(s.kind, s.server) for s in planned.steps] == _words(
        (StepKind.REPLACE, "c"), (StepKind.REPLACE, "b"), (StepKind.REPLACE, "a")
    )
    assert not planned.forced_stops
    assert planned.stops_are_fewest


def test_a_circle_is_broken_at_the_server_that_starts_fastest() -> None:
    changes = (
        Change("slow", _on(0, 8, "slow"), _on(1, 8, "slow"), start_seconds=90),
        Change("fast", _on(1, 8, "fast"), _on(0, 8, "fast"), start_seconds=5),
    )
    planned = rollout(_room(10, 10), changes)
    assert [stop.server for stop in planned.forced_stops] == ["fast"]
    assert planned.forced_stops[0].with_others == ("slow",)
    assert [(s.kind, s.server) for s in planned.steps] == _words(
        (StepKind.STOP, "fast"), (StepKind.REPLACE, "slow"), (StepKind.START, "fast")
    )
    assert planned.downtime_seconds == {"fast": 95.0}
    assert planned.stops_are_fewest


def test_a_minimum_chooses_which_server_of_a_circle_stops() -> None:
    changes = (
        Change("slow", _on(0, 8, "slow"), _on(1, 8, "slow"), start_seconds=90),
        Change("fast", _on(1, 8, "fast"), _on(0, 8, "fast"), start_seconds=5),
    )
    planned = rollout(_room(10, 10, minimum={"fast": 1}), changes)
    assert [stop.server for stop in planned.forced_stops] == ["slow"]
    assert not planned.shortfalls


def test_what_no_order_can_keep_is_said_beforehand() -> None:
    changes = (
        Change("a", _on(0, 8, "a"), _on(1, 8, "a")),
        Change("b", _on(1, 8, "b"), _on(0, 8, "b")),
    )
    (shortfall,) = rollout(_room(10, 10, minimum={"a": 1, "b": 1}), changes).shortfalls
    assert (shortfall.least_available, shortfall.min_available) == (0, 1)
    assert shortfall.stops == (shortfall.workload,)


def test_a_server_in_its_own_way_stops_first() -> None:
    planned = rollout(_room(10), (Change("a", _on(0, 6), _on(0, 7)),))
    assert [s.kind for s in planned.steps] == [StepKind.STOP, StepKind.START]
    assert planned.forced_stops[0].with_others == ()
    assert planned.peak_bytes == {CARDS[0]: 7}


def test_a_claim_that_owns_a_card_makes_all_its_servers_leave_before_another_claim_comes() -> None:
    both, single = {"card 0": "claim gpu0-gpu1"}, {"card 0": "claim gpu0"}
    changes = (
        Change("a", _on(0, 2, "a", both), _on(0, 2, "a", single)),
        Change("b", _on(0, 2, "b", both), _on(1, 2, "b")),
    )
    planned = rollout(_room(10, 10), changes)
    order = [(s.kind, s.server) for s in planned.steps]
    assert order.index((StepKind.REPLACE, "b")) < order.index((StepKind.START, "a"))
    assert [stop.server for stop in planned.forced_stops] == ["a"]


def test_servers_that_only_come_go_first_and_hold_up_what_must_be_available() -> None:
    changes = (
        Change("old", _on(0, 8, "chat"), None),
        Change("new", None, _on(1, 8, "chat")),
    )
    planned = rollout(_room(10, 10, minimum={"chat": 1}), changes)
    assert [(s.kind, s.server) for s in planned.steps] == _words(
        (StepKind.START, "new"), (StepKind.STOP, "old")
    )
    assert len(planned.waves) == 2


def test_independent_steps_share_a_wave() -> None:
    changes = tuple(
        Change(f"s{card}", None, _on(card, 5), start_seconds=10.0 + card) for card in range(4)
    )
    planned = rollout(_room(10, 10, 10, 10), changes)
    assert len(planned.waves) == 1
    assert planned.seconds == 13.0


def test_what_does_not_answer_stops_without_being_a_forced_stop() -> None:
    changes = (Change("a", _on(0, 8, "a"), _on(0, 9, "a"), is_available=False),)
    planned = rollout(_room(10, minimum={"a": 1}), changes)
    assert not planned.forced_stops
    assert not planned.shortfalls


def test_host_memory_counts_like_a_card() -> None:
    host = Place("n0", HOST)
    servers = RunningServers({CARDS[0]: 10, CARDS[1]: 10, host: 10}, (), {})
    old = Occupancy({CARDS[0]: 1, host: 6}, frozenset("a"))
    new = Occupancy({CARDS[1]: 1, host: 6}, frozenset("a"))
    planned = rollout(servers, (Change("a", old, new),))
    assert [s.kind for s in planned.steps] == [StepKind.STOP, StepKind.START]


def test_an_end_that_does_not_fit_beside_what_stays_is_refused_with_every_place() -> None:
    servers = RunningServers(
        {CARDS[0]: 10, CARDS[1]: 10}, ((_on(0, 5), True), (_on(1, 5), True)), {}
    )
    changes = (Change("a", None, _on(0, 6)), Change("b", None, _on(1, 6)))
    with pytest.raises(InvalidInput) as refused:
        rollout(servers, changes)
    assert [problem.title[:7] for problem in refused.value.problems] == ["n0 gpu0", "n0 gpu1"]
    assert "11 bytes planned and running, 10 allocatable" in refused.value.problems[0].why


def test_a_seat_that_a_staying_server_keeps_is_told_and_not_passed_over() -> None:
    stays = _on(0, 1, "a", {"card 0": "router-a"})
    servers = RunningServers({CARDS[0]: 10, CARDS[1]: 10}, ((stays, True),), {})
    changes = (
        Change("b", None, _on(0, 1, "b", {"card 0": "router-b"})),
        Change("c", None, _on(1, 1, "c")),
    )
    with pytest.raises(InvalidInput) as refused:
        rollout(servers, changes)
    (problem,) = refused.value.problems
    assert (problem.code, problem.title) == ("P0807", "b cannot come")
    assert "apply --prune" in problem.help


def test_a_circle_too_large_for_the_search_still_gets_a_valid_order() -> None:
    number = 40
    cards = [Place("n0", index) for index in range(number)]
    changes = tuple(
        Change(
            f"s{index:02}",
            Occupancy({cards[index]: 8}, frozenset({f"w{index}"})),
            Occupancy({cards[(index + 1) % number]: 8}, frozenset({f"w{index}"})),
            start_seconds=index + 1.0,
        )
        for index in range(number)
    )
    servers = RunningServers(dict.fromkeys(cards, 10), (), {})
    planned = rollout(servers, changes, expansions=0)
    assert len(planned.forced_stops) == 1
    assert not planned.stops_are_fewest
