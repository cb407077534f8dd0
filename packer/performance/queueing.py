"""A server with slots as a queue: how many are busy, how long requests wait for one.

Arrivals take a slot or wait for one, first come first served. Slots share the server: with k of
them busy a request needs k times its prompt and its answer's steps at the speed of k slots, so
requests leave at the rate k ÷ (k × prompt + answer × step(k)). That is a birth-and-death process;
how long those wait who find no free slot follows the heavy-traffic rule for arrivals and requests
that vary more or less than exponential ones.
"""

from dataclasses import dataclass
from functools import cached_property
from math import exp, inf

from packer.performance.request_load import RequestLoad

TAIL = 0.95
_MARGIN = 1.25
"""Waits are stated this much longer than the formulas say: what simulations of heavy tails found
them to miss."""
_CHANCE_MARGIN = 1.2
"""The same of how many wait at all."""
_LEAST_VARIATION = 0.5
_HIGHEST_LOAD = 0.999
_STEPS = 40
_ALIKE = 1e-6


@dataclass(frozen=True)
class Delay:
    """A delay that is zero or exponential: P(delay > t) = chance · e^(−t ÷ mean)."""

    chance: float
    mean: float


@dataclass(frozen=True)
class ServerQueue:
    """One server at a rate of arrivals.

    Attributes:
        rate: Requests per second that reach this server.
        burstiness: Variance over mean of arrivals; 1 for independent ones.
    """

    load: RequestLoad
    rate: float
    slots: int
    burstiness: float = 1.0

    def leaving_rate(self, busy: int) -> float:
        """Requests per second that leave while ``busy`` slots are [1/s]."""
        return self.load.leaving_rate(busy)

    @cached_property
    def utilisation(self) -> float:
        """Arrivals over what leaves with every slot busy; from 1 on nothing is stable."""
        return self.rate / self.leaving_rate(self.slots)

    @cached_property
    def busy_chances(self) -> tuple[float, ...]:
        """Probability of 0, 1 … all slots being busy; the last includes all who wait."""
        if self.utilisation >= 1.0:
            return (0.0,) * self.slots + (1.0,)
        weights = [1.0]
        self.leaving_rate(self.slots)  # makes all of them known
        for leaving in self.load.known_leaving_rates[: self.slots]:
            weights.append(weights[-1] * self.rate / leaving)
        weights[-1] /= 1.0 - self.utilisation
        total = sum(weights)
        return tuple(weight / total for weight in weights)

    @cached_property
    def busy_slots(self) -> int:
        """Slots that are busy at most in 95 of 100 moments, at least one."""
        total = 0.0
        for busy, chance in enumerate(self.busy_chances):
            total += chance
            if total >= TAIL:
                return max(1, busy)
        return self.slots

    @cached_property
    def slot_wait(self) -> Delay:
        """Wait for a free slot."""
        load, full = self.load, self.slots
        step = load.service.step_seconds(full)
        mean = full * load.prompt + step * load.answer
        square = (
            full**2 * load.prompt_squared
            + 2 * full * step * load.prompt_answer
            + step**2 * load.answer_squared
        )
        varied = max(_LEAST_VARIATION, (self.burstiness + square / mean**2 - 1) / 2)
        spare = self.leaving_rate(full) * (1.0 - self.utilisation)
        chance = min(1.0, _CHANCE_MARGIN * self.busy_chances[full])
        return Delay(chance, _MARGIN * varied / spare)

    @cached_property
    def prompt_wait(self) -> Delay:
        """Wait for prompts that came before: a batch holds only so many tokens."""
        load, step = self.load, self._step
        mean = load.prompt + step * load.batch
        square = load.prompt_squared + 2 * step * load.prompt_batch + step**2 * load.batch_squared
        busy = min(_HIGHEST_LOAD, self.rate * mean)
        rest = square / (2 * mean) + (self.burstiness - 1) * mean / 2
        return Delay(busy, _MARGIN * rest / (1.0 - busy))

    @cached_property
    def _step(self) -> float:
        return self.load.service.step_seconds(self.busy_slots)

    def later_than(self, seconds: float) -> float:
        """Share of requests whose first token comes later than this."""
        step, exceeds = self._step, _Sum(self.slot_wait, self.prompt_wait).exceeds
        late = 0.0
        for size in self.load.prompts:
            rest = seconds - size.seconds - size.batches * step
            late += size.weight * (exceeds(rest) if rest > 0 else 1.0)
        return late

    def first_token_seconds(self, share: float = TAIL) -> float:
        """Seconds from arrival to first token that ``share`` of all requests stay within [s]."""
        if self.utilisation >= 1.0:
            return inf
        last = self.load.prompts[-1]
        low, high = 0.0, last.seconds + last.batches * self._step
        while self.later_than(high) > 1 - share:
            low, high = high, 2 * high
        for _ in range(_STEPS):
            middle = (low + high) / 2
            if self.later_than(middle) > 1 - share:
                low = middle
            else:
                high = middle
        return high

    @cached_property
    def decode_tokens_per_second(self) -> float:
        """Of one slot while as many are busy as in 95 of 100 moments [tokens/s].

        The others' prompts are read meanwhile; a slot pauses for them.
        """
        busy, load = self.busy_slots, self.load
        pauses = (busy - 1) * load.prompt / max(load.answer, 1.0)
        return 1.0 / (self._step + pauses)


class _Sum:
    """Two independent delays together."""

    def __init__(self, one: Delay, two: Delay) -> None:
        self._first, self._second = 1 / one.mean, 1 / two.mean
        both = one.chance * two.chance
        self._alike = abs(one.mean - two.mean) < _ALIKE * one.mean
        if self._alike:
            self._one, self._two, self._both = one.chance - both, two.chance - both, both
            return
        apart = both / (one.mean - two.mean)
        self._one = one.chance - both + apart * one.mean
        self._two = two.chance - both - apart * two.mean
        self._both = 0.0

    def exceeds(self, seconds: float) -> float:
        """Probability that they exceed so many seconds, more than none."""
        first, second = exp(-seconds * self._first), exp(-seconds * self._second)
        late = self._one * first + self._two * second
        if self._alike:
            late += self._both * first * (1 + seconds * self._first)
        return late
