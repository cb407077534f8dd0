"""Demand from traces and quantiles: rates, bursts, sizes, bands, and what physics allows."""

import random

import pytest

from packer.catalogue.gpus import find_gpu
from packer.catalogue.models import load_model_file
from packer.domain.demand import Demand, RequestClass
from packer.performance.physical_limit import highest_limit, physical_limit
from packer.performance.request_mix import between, lognormal_mix, mean_of, within_context
from packer.performance.service_times import Knots, ServiceTimes, interpolated, interpolated_along
from packer.performance.trace_statistics import TracedRequest, demand_of_trace


def steady(rate: float, seconds: int, seed: int = 1) -> list[TracedRequest]:
    rng, now, found = random.Random(seed), 0.0, []
    while now < seconds:
        now += rng.expovariate(rate)
        found.append(TracedRequest(now, rng.randint(100, 4000), rng.randint(0, 500)))
    return found


def test_independent_arrivals_are_not_bursty() -> None:
    demand = demand_of_trace(steady(5.0, 1800))
    assert demand.burstiness == pytest.approx(1.0, abs=0.25)
    assert demand.mean_requests_per_second == pytest.approx(5.0, rel=0.05)
    assert 5.0 < demand.requests_per_second < 6.5, "the busiest minute"


def test_batches_of_arrivals_are() -> None:
    """Independent batches of eight have eight times the variance of independent requests."""
    batches = [one for one in steady(0.5, 7200) for _ in range(8)]
    assert demand_of_trace(batches).burstiness == pytest.approx(8.0, rel=0.25)


def test_means_of_the_sizes_are_those_of_the_trace() -> None:
    trace = steady(5.0, 600)
    mix = demand_of_trace(trace).mix
    mean = sum(one.input_tokens for one in trace) / len(trace)
    assert mean_of(mix, lambda one: one.input_tokens) == pytest.approx(mean)
    answers = sum(max(1, one.output_tokens) for one in trace) / len(trace)
    assert mean_of(mix, lambda one: one.output_tokens) == pytest.approx(answers)
    assert sum(one.weight for one in mix) == pytest.approx(1.0)


def test_playing_a_trace_faster_raises_its_rate() -> None:
    trace = steady(5.0, 3000)
    once, twice = demand_of_trace(trace), demand_of_trace(trace, scale=2.0)
    ratio = twice.mean_requests_per_second / once.mean_requests_per_second
    assert ratio == pytest.approx(2.0)


def test_one_request_is_a_trace() -> None:
    demand = demand_of_trace([TracedRequest(7.0, 10, 0)])
    assert demand.mix == (RequestClass(10.0, 1.0, 1.0),)
    assert demand.requests_per_second == pytest.approx(1 / 60)


def test_bands_share_the_rate_and_lose_no_request() -> None:
    demand = Demand(4.0, lognormal_mix(1000, 8000, 100, 300), 3.0, 4.0)
    short, long = between(demand, 0, 2000), between(demand, 2000, 10**9)
    assert short is not None
    assert long is not None
    assert short.requests_per_second + long.requests_per_second == pytest.approx(4.0)
    assert 1.0 < short.burstiness < 3.0
    assert between(demand, 10**8, 10**9) is None


def test_what_does_not_fit_a_context_is_cut_and_counted() -> None:
    demand = Demand(1.0, (RequestClass(500, 100, 0.5), RequestClass(900, 300, 0.5)))
    fitted, cut = within_context(demand, 1000)
    assert cut == 0.5
    assert [(one.input_tokens, one.output_tokens) for one in fitted.mix] == [(500, 100), (900, 100)]


def test_equal_quantiles_are_one_size() -> None:
    assert {one.input_tokens for one in lognormal_mix(100, 100, 50, 80)} == {100.0}


@pytest.mark.parametrize(
    "knots",
    [((4.0, 9.0),), ((1.0, 2.0), (3.0, 6.0)), ((1.0, 5.0), (2.0, 1.0), (8.0, 2.0), (9.0, 0.5))],
)
def test_many_places_of_a_curve_are_as_one_by_one(knots: Knots) -> None:
    places = [0.5, 1.0, 1.5, 2.0, 2.0, 3.0, 8.0, 8.5, 12.0]
    found = list(interpolated_along(knots, places))
    assert found == [interpolated(knots, place) for place in places]


def test_curves_go_on_beyond_their_ends() -> None:
    assert interpolated(((1.0, 2.0), (3.0, 6.0)), 2.0) == 4.0
    assert interpolated(((1.0, 2.0), (3.0, 6.0)), 5.0) == 10.0
    assert interpolated(((4.0, 9.0),), 100.0) == 9.0
    service = ServiceTimes(((1.0, 0.01), (8.0, 0.02)), ((1.0, 0.1),)).slowed(0.5)
    assert service.step_seconds(1) == 0.02


def test_the_limit_is_bandwidth_over_bytes() -> None:
    model, gpu = load_model_file("llama-3.1-8b", "Q8_0"), find_gpu("L40S")
    limit = physical_limit(model, gpu)
    assert limit.tokens_per_second == pytest.approx(
        gpu.bandwidth_bytes_per_second / limit.bytes_per_token
    )
    assert limit.bytes_per_token == pytest.approx(model.file_bytes, rel=0.1)
    best = highest_limit([model], [gpu, find_gpu("H100 SXM")])
    assert best is not None
    assert best.gpu.name == "H100 SXM"
    assert highest_limit([], [gpu]) is None


def test_a_mixture_reads_only_the_experts_of_one_token() -> None:
    model, gpu = load_model_file("qwen3-30b-a3b", "Q4_K_M"), find_gpu("L40S")
    assert physical_limit(model, gpu).bytes_per_token < model.file_bytes / 5
