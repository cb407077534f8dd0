"""A server with slots as a queue: how many are busy, how long requests wait for one.

Arrivals take a slot or wait for one, first come first served. Slots share the server: with k of
them busy a request needs k times its prompt and its answer's steps at the speed of k slots, so
requests leave at the rate k ÷ (k × prompt + answer × step(k)). That is a birth-and-death process;
how long those wait who find no free slot follows the heavy-traffic rule for arrivals and requests
that vary more or less than exponential ones.
"""

from math import inf

from packer.performance.delay import Delay, TwoDelays
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


class ServerQueue:
    """One server at a rate of arrivals.

    Planning asks for hundreds of thousands of these, most of them for one answer only, so each
    answer is computed when it is first asked for.

    Attributes:
        rate: Requests per second that reach this server.
        burstiness: Variance over mean of arrivals; 1 for independent ones.
        utilisation: Arrivals over what leaves with every slot busy; from 1 on nothing is stable.
    """

    def __init__(self, load: RequestLoad, rate: float, slots: int, burstiness: float = 1.0) -> None:
        """A server with ``slots`` slots under a load."""
        self.load, self.rate, self.slots, self.burstiness = load, rate, slots, burstiness
        self.utilisation = rate / load.leaving_rate(slots)
        self._busy_slots = 0
        self._full_chance = self._step_seconds = 0.0
        self._waits: TwoDelays | None = None

    def leaving_rate(self, busy: int) -> float:
        """Requests per second that leave while ``busy`` slots are [1/s]."""
        return self.load.leaving_rate(busy)

    @property
    def busy_chances(self) -> tuple[float, ...]:
        """Probability of 0, 1 … all slots being busy; the last includes all who wait."""
        if self.utilisation >= 1.0:
            return (0.0,) * self.slots + (1.0,)
        weights = self._weights()
        total = sum(weights)
        return tuple(weight / total for weight in weights)

    @property
    def busy_slots(self) -> int:
        """Slots that are busy at most in 95 of 100 moments, at least one."""
        if not self._busy_slots:
            self._fill()
        return self._busy_slots

    @property
    def full_chance(self) -> float:
        """Probability of all slots being busy."""
        if not self._busy_slots:
            self._fill()
        return self._full_chance

    @property
    def step_seconds(self) -> float:
        """A step with as many slots busy as in 95 of 100 moments [s]."""
        if not self._busy_slots:
            self._fill()
        return self._step_seconds

    def _fill(self) -> None:
        """Find the busy slots, their step and the chance that all are busy."""
        found, self._full_chance = self.slots, 1.0
        if self.utilisation < 1.0:
            weights = self._weights()
            total, seen = sum(weights), 0.0
            self._full_chance = weights[-1] / total
            for busy, weight in enumerate(weights):
                seen += weight / total
                if seen >= TAIL:
                    found = busy
                    break
        self._busy_slots = max(1, found)
        self._step_seconds = self.load.step_seconds(self._busy_slots)

    def _weights(self) -> list[float]:
        """Chances of 0, 1 … all slots being busy, over that of none."""
        weight, rate = 1.0, self.rate
        weights = [weight]
        for leaving in self.load.known_leaving_rates[: self.slots]:
            weight = weight * rate / leaving
            weights.append(weight)
        weights[-1] /= 1.0 - self.utilisation
        return weights

    @property
    def slot_wait(self) -> Delay:
        """Wait for a free slot."""
        load, full = self.load, self.slots
        varied = max(_LEAST_VARIATION, (self.burstiness + load.variation(full) - 1) / 2)
        spare = load.leaving_rate(full) * (1.0 - self.utilisation)
        chance = min(1.0, _CHANCE_MARGIN * self.full_chance)
        return Delay(chance, _MARGIN * varied / spare)

    @property
    def prompt_wait(self) -> Delay:
        """Wait for prompts that came before: a batch holds only so many tokens."""
        load, step = self.load, self.step_seconds
        mean = load.prompt + step * load.batch
        square = load.prompt_squared + 2 * step * load.prompt_batch + step**2 * load.batch_squared
        busy = min(_HIGHEST_LOAD, self.rate * mean)
        rest = square / (2 * mean) + (self.burstiness - 1) * mean / 2
        return Delay(busy, _MARGIN * rest / (1.0 - busy))

    def later_than(self, seconds: float, most: float = inf) -> float:
        """Share of requests whose first token comes later than this.

        Args:
            seconds: From arrival on.
            most: Share from which on more need not be told apart: the answer then is any above it.
        """
        if self._waits is None:
            self._waits = TwoDelays(self.slot_wait, self.prompt_wait)
        return self._waits.late(self.load.prompts, seconds, self.step_seconds, most)

    def first_token_seconds(self, share: float = TAIL) -> float:
        """Seconds from arrival to first token that ``share`` of all requests stay within [s]."""
        if self.utilisation >= 1.0:
            return inf
        last = self.load.prompts[-1]
        low, high = 0.0, last.seconds + last.batches * self.step_seconds
        while self.later_than(high) > 1 - share:
            low, high = high, 2 * high
        for _ in range(_STEPS):
            middle = (low + high) / 2
            if self.later_than(middle) > 1 - share:
                low = middle
            else:
                high = middle
        return high

    @property
    def decode_tokens_per_second(self) -> float:
        """Of one slot while as many are busy as in 95 of 100 moments [tokens/s].

        The others' prompts are read meanwhile; a slot pauses for them.
        """
        busy, load = self.busy_slots, self.load
        pauses = (busy - 1) * load.prompt / max(load.answer, 1.0)
        return 1.0 / (self.step_seconds + pauses)
