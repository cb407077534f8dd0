"""Settings in which the queueing formulas are held against a simulated server."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import exp, log

from packer.performance.queueing import ServerQueue
from packer.performance.request_load import request_load
from packer.performance.request_mix import lognormal_mix
from packer.performance.service_times import ServiceTimes
from packer.performance.trace_statistics import TracedRequest, demand_of_trace
from tests.server_simulation import Arrival, SimulatedServer, first_token_seconds, quantile

TOLERANCE = 1.10
"""A simulated p95 may exceed the formula's by a tenth; staying below it is the safe side."""
_Z95 = 1.6448536

MIXES = {
    # p50 and p95 of prompts and answers; the first three are those of public traces.
    "azure conversation": (1020, 2735, 129, 424),
    "azure code": (1469, 5188, 13, 55),
    "mooncake conversation": (6909, 27367, 350, 597),
    "short and equal": (100, 300, 200, 200),
    "long answers": (200, 800, 600, 2000),
}
SERVERS = {
    # Seconds of a step with one slot, of each further slot, and prompt tokens per second.
    "dense": (0.020, 0.0006, 2500.0),
    "fast": (0.007, 0.0008, 9000.0),
    "slow": (0.060, 0.0040, 500.0),
}


@dataclass(frozen=True)
class Setting:
    """One server at one load."""

    mix: str
    server: str
    slots: int
    utilisation: float

    def __str__(self) -> str:
        return f"{self.mix}, {self.server} server, {self.slots} slots, {self.utilisation:.0%}"


@dataclass(frozen=True)
class Comparison:
    """What the formula says and what the simulation gave."""

    name: str
    formula: float
    simulated: float
    formula_decode: float
    simulated_decode: float

    @property
    def is_safe(self) -> bool:
        """Whether the simulated p95 is at most a tenth above the formula's."""
        return self.simulated <= TOLERANCE * self.formula


def settings() -> Iterator[Setting]:
    """All settings, 90 of them."""
    for mix, server, slots, busy in product(MIXES, SERVERS, (1, 4, 16), (0.4, 0.75)):
        yield Setting(mix, server, slots, busy)


def service_of(server: str) -> ServiceTimes:
    """Times of a made-up server."""
    base, further, prompts = SERVERS[server]
    steps = tuple((float(n), base + further * n) for n in (1, 2, 4, 8, 16, 32, 64))
    return ServiceTimes(steps, tuple((float(t), 0.002 + t / prompts) for t in (1, 4096, 65536)))


def compare(setting: Setting, requests: int, seed: int = 1) -> Comparison:
    """Formula and simulation of one setting with independent arrivals."""
    sizes = MIXES[setting.mix]
    load = request_load(service_of(setting.server), lognormal_mix(*sizes))
    rate = setting.utilisation * ServerQueue(load, 1.0, setting.slots).leaving_rate(setting.slots)
    queue = ServerQueue(load, rate, setting.slots)
    arrivals = poisson_arrivals(rate, sizes, requests, seed)
    return _compared(str(setting), queue, [arrivals], service_of(setting.server))


def compare_trace(
    name: str, trace: Sequence[TracedRequest], server: str, slots: int, busy: float
) -> Comparison:
    """Formula and simulation of a trace, spread at random over as many replicas as it needs."""
    demand = demand_of_trace(trace)
    load = request_load(service_of(server), demand.mix)
    most = busy * ServerQueue(load, 1.0, slots).leaving_rate(slots)
    replicas = max(1, -int(-demand.requests_per_second // most))
    burstiness = 1 + (demand.burstiness - 1) / replicas
    queue = ServerQueue(load, demand.requests_per_second / replicas, slots, burstiness)
    rng = random.Random(slots)
    spread: list[list[Arrival]] = [[] for _ in range(replicas)]
    for one in trace:
        arrival = Arrival(one.seconds, one.input_tokens, max(1, one.output_tokens))
        spread[rng.randrange(replicas)].append(arrival)
    title = f"{name}, {server} server, {replicas} × {slots} slots, {busy:.0%}"
    return _compared(title, queue, spread[:3], service_of(server))


def _compared(
    name: str, queue: ServerQueue, traces: Sequence[Sequence[Arrival]], service: ServiceTimes
) -> Comparison:
    jobs = [job for one in traces for job in SimulatedServer(service, queue.slots).run(one)]
    tokens = sum(job.arrival.output_tokens - 1 for job in jobs)
    seconds = sum(job.finished - job.first_token for job in jobs)
    return Comparison(
        name,
        queue.first_token_seconds(),
        quantile(first_token_seconds(jobs), 0.95),
        queue.decode_tokens_per_second,
        tokens / seconds if seconds else float("inf"),
    )


def poisson_arrivals(
    rate: float, sizes: tuple[int, int, int, int], count: int, seed: int
) -> list[Arrival]:
    """Independent arrivals with lognormal prompts and answers."""
    rng, now, found = random.Random(seed), 0.0, []
    for _ in range(count):
        now += rng.expovariate(rate)
        prompt, answer = lognormal(rng, *sizes[:2]), lognormal(rng, *sizes[2:])
        found.append(Arrival(now, prompt, answer))
    return found


def lognormal(rng: random.Random, p50: int, p95: int) -> int:
    """One length."""
    sigma = log(p95 / p50) / _Z95 if p95 > p50 else 0.0
    return max(1, round(p50 * exp(rng.gauss(0, sigma))))


def bursty_trace(
    demand_rate: float, sizes: tuple[int, int, int, int], seconds: float, seed: int
) -> list[TracedRequest]:
    """A made-up trace with the statistics of a public one: busy and idle spells of half a minute.

    Arrivals within a spell are independent; spells are three times or a third as busy as the mean.
    """
    rng, now, found = random.Random(seed), 0.0, []
    while now < seconds:
        rate = demand_rate * rng.choice((3.0, 1 / 3, 1 / 3))
        end = now + 30.0
        while True:
            now += rng.expovariate(rate)
            if now >= end:
                break
            prompt, answer = lognormal(rng, *sizes[:2]), lognormal(rng, *sizes[2:])
            found.append(TracedRequest(now, prompt, answer))
        now = end
    return found
