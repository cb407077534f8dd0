"""The way of a change in words and as data."""

from packer.plan.rollout.change import HOST, Change, Occupancy, Place, RunningServers
from packer.plan.rollout.order import rollout
from packer.report.rollout_table import rollout_text

GIB = 2**30
CARDS = Place("l40s-0", 0), Place("l40s-0", 1)
SERVERS = RunningServers(
    {CARDS[0]: 44 * GIB, CARDS[1]: 44 * GIB, Place("l40s-0", HOST): 64 * GIB}, (), {"chat": 1}
)


def _on(card: Place, workload: str) -> Occupancy:
    return Occupancy({card: 30 * GIB}, frozenset({workload}))


SWAP = (
    Change("chat-0", _on(CARDS[0], "chat"), _on(CARDS[1], "chat"), start_seconds=60),
    Change("code-0", _on(CARDS[1], "code"), _on(CARDS[0], "code"), start_seconds=30),
)


def test_steps_peaks_and_gaps_are_told() -> None:
    text = rollout_text(rollout(SERVERS, SWAP), SERVERS.capacity_bytes, width=120)
    assert "3 steps in 3 waves, about 90 s; 1 forced stop (proven fewest)" in text
    assert "stop first: it and chat-0 stand where the others have to go" in text
    assert "start new, wait until it answers, stop old" in text
    assert "l40s-0 gpu0  30.0 GiB  44.0 GiB" in text
    assert "code: nothing answers for about 90 s" in text


def test_a_shortfall_names_its_stops() -> None:
    both = RunningServers(SERVERS.capacity_bytes, (), {"chat": 1, "code": 1})
    text = rollout_text(rollout(both, SWAP), both.capacity_bytes, width=120)
    assert "0 of at least 1 answer while code-0 is stopped; no order of steps avoids it" in text


def test_a_server_in_its_own_way_is_told_so() -> None:
    change = Change("chat-0", _on(CARDS[0], "chat"), _on(CARDS[0], "chat"))
    servers = RunningServers(SERVERS.capacity_bytes, (), {})
    text = rollout_text(rollout(servers, (change,)), servers.capacity_bytes, width=120)
    assert "stop first: old and new do not fit side by side" in text


def test_nothing_to_change_is_said() -> None:
    assert rollout_text(rollout(SERVERS, ()), {}, width=80) == "Nothing to change.\n"
