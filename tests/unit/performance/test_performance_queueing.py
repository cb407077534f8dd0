"""The queueing formulas, against a simulated server and by themselves."""

import re
from dataclasses import replace
from math import exp
from statistics import median

import pytest

from packer.domain.demand import Goals, RequestClass
from packer.performance.delay import Delay, TwoDelays
from packer.performance.queueing import ServerQueue
from packer.performance.request_load import (
    PromptSize,
    RequestLoad,
    RequestSizes,
    request_load,
)
from packer.performance.request_mix import lognormal_mix
from packer.performance.serving_goal import (
    HIGHEST_UTILISATION,
    ServerDemand,
    fewest_slots,
    ladder,
    least_share,
    meets_goals,
    shortfall,
)
from packer.performance.tokens_in_flight import TokensInFlight, tokens_in_flight
from tests.queue_settings import (
    MIXES,
    Setting,
    bursty_trace,
    compare,
    compare_trace,
    poisson_arrivals,
    service_of,
    settings,
)
from tests.server_simulation import SimulatedServer

SHORT = list(settings())[::3]
"""`make demand-table` runs all of them, and longer."""


def conversation_load(server: str = "dense") -> RequestLoad:
    return request_load(service_of(server), lognormal_mix(*MIXES["azure conversation"]))


@pytest.mark.parametrize("setting", SHORT, ids=str)
def test_simulated_waits_are_at_most_a_tenth_above_the_formula(setting: Setting) -> None:
    found = compare(setting, requests=800)
    assert found.is_safe, found


def test_the_formula_is_not_far_too_careful() -> None:
    found = [compare(setting, requests=2000) for setting in SHORT[::3]]
    assert median(one.simulated / one.formula for one in found) > 0.5


def test_simulated_answers_are_as_quick_as_stated() -> None:
    found = compare(Setting("azure conversation", "dense", 4, 0.75), requests=500)
    assert found.simulated_decode >= 0.95 * found.formula_decode


@pytest.mark.parametrize("slots", [4, 8])
def test_a_bursty_trace_is_on_the_safe_side(slots: int) -> None:
    trace = bursty_trace(1.0, MIXES["azure conversation"], 1200.0, seed=3)
    assert compare_trace("bursty", trace, "fast", slots, 0.6).is_safe


def test_the_chances_of_busy_slots_add_up() -> None:
    queue = ServerQueue(conversation_load(), 0.5, 6)
    assert sum(queue.busy_chances) == pytest.approx(1.0)
    assert 1 <= queue.busy_slots <= 6


def test_one_slot_with_one_size_is_the_textbook_queue() -> None:
    """M/D/1 with the stated margins: P(wait) is the utilisation."""
    load = request_load(service_of("dense"), lognormal_mix(100, 100, 50, 50))
    held = load.prompt + 50 * service_of("dense").step_seconds(1)
    queue = ServerQueue(load, 0.5 / held, 1)
    assert queue.utilisation == pytest.approx(0.5)
    assert queue.slot_wait.chance == pytest.approx(1.2 * 0.5)
    assert queue.slot_wait.mean == pytest.approx(1.25 * 0.5 * held / 0.5)


def test_rates_are_learnt_in_any_order() -> None:
    load, service = conversation_load(), service_of("dense")
    steps = [load.step_seconds(busy) for busy in (3, 40, 1, 9)]
    assert steps == [service.step_seconds(busy) for busy in (3, 40, 1, 9)]
    assert load.leaving_rate(9) == 9 / (9 * load.prompt + load.answer * service.step_seconds(9))


def test_two_delays_alike_are_an_erlang_sum() -> None:
    """P(sum > t) of two exponential delays of mean 1 is e^-t · (1 + t)."""
    certain, never = Delay(1.0, 1.0), Delay(0.0, 1.0)
    at_once = (PromptSize(1.0, 0.0, 0.0),)
    assert TwoDelays(certain, certain).late(at_once, 2.0, 0.0) == pytest.approx(3 * exp(-2))
    assert TwoDelays(certain, never).late(at_once, 2.0, 0.0) == pytest.approx(exp(-2))
    nearly = TwoDelays(certain, Delay(1.0, 1.001)).late(at_once, 2.0, 0.0)
    assert nearly == pytest.approx(3 * exp(-2), rel=2e-3)


def test_what_is_late_enough_is_not_counted_to_the_end() -> None:
    waits = TwoDelays(Delay(0.5, 1.0), Delay(0.5, 2.0))
    prompts = tuple(PromptSize(0.25, float(seconds), 1.0) for seconds in range(4))
    whole = waits.late(prompts, 2.5, 0.1)
    assert waits.late(prompts, 2.5, 0.1, most=whole) == whole
    assert 0.1 < waits.late(prompts, 2.5, 0.1, most=0.1) < whole


def test_more_requests_wait_longer_and_bursts_longer_still() -> None:
    load = conversation_load()
    waits = [ServerQueue(load, rate, 4).first_token_seconds() for rate in (0.1, 0.3, 0.5)]
    assert waits == sorted(waits)
    assert ServerQueue(load, 0.5, 4, burstiness=9.0).first_token_seconds() > waits[-1]


def test_an_overloaded_server_never_answers() -> None:
    queue = ServerQueue(conversation_load(), 50.0, 4)
    assert queue.first_token_seconds() == float("inf")
    assert queue.busy_chances == (0.0, 0.0, 0.0, 0.0, 1.0)


def test_the_quantile_is_where_the_share_is_left() -> None:
    queue = ServerQueue(conversation_load(), 0.4, 4)
    assert queue.later_than(queue.first_token_seconds()) == pytest.approx(0.05, abs=1e-3)


def test_fewest_slots_reach_the_goals_and_fewer_do_not() -> None:
    demand = ServerDemand(0.6, 1.0, Goals(20.0, 3.0))
    load = conversation_load()
    slots = fewest_slots(load, demand, 64)
    assert slots is not None
    assert slots > 1
    assert meets_goals(load, demand, slots)
    assert not meets_goals(load, demand, max(n for n in ladder(64) if n < slots))


def test_the_least_share_of_a_card_is_enough_and_little_less_is_not() -> None:
    demand = ServerDemand(0.3, 1.0, Goals(15.0, 5.0))
    load = conversation_load()
    share = least_share(load, demand, 8)
    assert 0 < share < 1
    assert meets_goals(load, demand, 8, share)
    assert not meets_goals(load, demand, 8, share - 0.02)


def test_the_least_share_still_catches_up_after_a_burst() -> None:
    """Without goals any server will do that is not too busy."""
    demand = ServerDemand(0.3, 1.0, Goals())
    load = conversation_load()
    share = least_share(load, demand, 8)
    assert meets_goals(load, demand, 8, share)
    assert 0.3 / share / load.leaving_rate(8) == pytest.approx(HIGHEST_UTILISATION, abs=0.02)


def test_half_of_a_card_is_a_card_at_half_speed() -> None:
    """The same goals at half the speed and twice the wait."""
    load, goals = conversation_load(), Goals(20.0, 3.0)
    slower = Goals(40.0, 1.5)
    for slots in (2, 4, 8, 16):
        on_half = meets_goals(load, ServerDemand(0.2, 1.0, goals), slots, 0.5)
        assert on_half == meets_goals(load, ServerDemand(0.4, 1.0, slower), slots)


@pytest.mark.parametrize(
    ("demand", "said"),
    [
        (ServerDemand(9.0, 1.0, Goals()), "requests/s, 9 arrive"),
        (ServerDemand(0.3, 1.0, Goals(500.0)), "500 are asked"),
        (ServerDemand(0.3, 1.0, Goals(None, 0.1)), "0.1 s are asked"),
    ],
)
def test_what_is_missed_is_said(demand: ServerDemand, said: str) -> None:
    load = conversation_load()
    assert fewest_slots(load, demand, 16) is None
    assert said in shortfall(load, demand, 8)


@pytest.mark.parametrize(
    ("goals", "factor"), [(Goals(500.0), 0.5), (Goals(None, 0.1), 2.0)], ids=["speed", "wait"]
)
def test_what_half_of_a_card_misses_is_said_in_seconds_of_the_clock(
    goals: Goals, factor: float
) -> None:
    load = conversation_load()
    half = shortfall(load, ServerDemand(0.2, 1.0, goals), 8, 0.5)
    whole = shortfall(load, ServerDemand(0.4, 1.0, goals), 8)
    # The first figure, of two digits at least.
    on_half, alone = (float(re.findall(r"\d+\.\d+", said)[0]) for said in (half, whole))
    assert on_half == pytest.approx(factor * alone, rel=0.06)


def test_what_half_of_a_card_serves_is_half() -> None:
    load = conversation_load()
    half = shortfall(load, ServerDemand(9.0, 1.0, Goals()), 8, 0.5)
    served = load.leaving_rate(8) * HIGHEST_UTILISATION * 0.5
    assert half == f"8 slots serve {served:.2g} requests/s, 9 arrive"


def test_tokens_in_flight_stay_within_their_quantile() -> None:
    sizes, slots = MIXES["azure conversation"], 8
    load = conversation_load()
    rate = 0.6 * ServerQueue(load, 1.0, slots).leaving_rate(slots)
    held = tokens_in_flight(ServerQueue(load, rate, slots), lognormal_mix(*sizes))
    server = SimulatedServer(service_of("dense"), slots)
    server.run(poisson_arrivals(rate, sizes, 800, seed=2))
    whole = sum(seconds for _, seconds in server.tokens_seen)
    for share in (0.9, 0.99):
        most = held.quantile(share)
        above = sum(seconds for tokens, seconds in server.tokens_seen if tokens > most)
        assert above / whole <= 1.5 * (1 - share)
    mean = sum(tokens * seconds for tokens, seconds in server.tokens_seen) / whole
    assert mean == pytest.approx(held.mean, rel=0.3)


def test_the_chance_of_an_overflow_undoes_the_quantile() -> None:
    held = TokensInFlight(10_000.0, 9e6)
    assert held.excess_chance(held.quantile(0.99)) == pytest.approx(0.01, rel=1e-6)
    assert TokensInFlight(500.0, 0.0).quantile(0.99) == 500.0
    assert TokensInFlight(500.0, 0.0).excess_chance(400.0) == 1.0


@pytest.mark.parametrize("busy", [1, 4, 16])
def test_equal_requests_do_not_vary(busy: int) -> None:
    load = request_load(service_of("dense"), (RequestClass(900, 200, 1.0),))
    assert load.variation(busy) == pytest.approx(1.0)


def test_variation_is_that_of_as_many_busy_slots_whatever_was_asked_before() -> None:
    asked_before = conversation_load()
    assert asked_before.variation(1) != pytest.approx(asked_before.variation(16), rel=1e-3)
    assert asked_before.variation(16) == conversation_load().variation(16)


def test_prompts_are_remembered_by_the_server_that_reads_them() -> None:
    sizes = RequestSizes(lognormal_mix(*MIXES["azure conversation"]))
    quick = service_of("dense")
    slow = replace(quick, prompts=tuple((tokens, 3 * each) for tokens, each in quick.prompts))
    assert sizes.load(slow).prompt == pytest.approx(3 * sizes.load(quick).prompt)
